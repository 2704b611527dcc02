"""Settings of the thumbnailer, read from the environment."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from heliograph.settings import ServiceSettings
from thumbnailer.imaging.colour import parse_colour
from thumbnailer.imaging.encode import exif_tag
from thumbnailer.imaging.recipe import Limits, Recipe, parse_presets
from thumbnailer.sandbox import SandboxSettings

MIB = 1024 * 1024


class ThumbnailerSettings(ServiceSettings):
    """What thumbnails look like, what photos may be, and how hard to work."""

    thumbnail_presets: str = Field(
        "card=320x240:cover:webp:80 large=1280x1280:contain:jpeg:82",
        description="thumbnails to make: NAME=WIDTHxHEIGHT:cover|contain:jpeg|png|webp|avif|gif[:QUALITY] …",
    )
    thumbnail_alpha: Literal["keep", "flatten"] = Field("keep", description="what becomes of transparency")
    thumbnail_background: str = Field("#ffffff", description="colour under flattened transparency, #rrggbb")
    thumbnail_animation: Literal["first", "keep"] = Field("first", description="what becomes of animations")
    thumbnail_keep_exif: str = Field(
        "Copyright Artist", description="EXIF tags that survive in thumbnails, parted by spaces"
    )
    thumbnail_max_age_s: int = Field(
        31_536_000, ge=0, description="seconds that a browser may keep a thumbnail; its name changes with its photo"
    )

    photo_max_mb: float = Field(64, gt=0, le=1024, description="size that a photo may have, MiB")
    photo_max_pixels: int = Field(50_000_000, ge=1, description="pixels that a photo may have, over all its frames")
    photo_max_frames: int = Field(200, ge=1, description="frames that an animation may have")
    photo_cpu_s: int = Field(10, ge=1, le=600, description="CPU seconds that decoding a photo may take")
    photo_timeout_s: float = Field(20, gt=0, le=600, description="seconds that decoding a photo may take")

    sandbox_workers: int = Field(2, ge=1, le=64, description="worker processes that decode; best one per core")
    sandbox_memory_mb: int = Field(1024, ge=256, description="address space of a worker process, MiB")
    sandbox_images: int = Field(500, ge=1, description="images after which a worker process is replaced")

    trigger_tries: int = Field(5, ge=1, le=100, description="tries before a message goes to the poison queue")
    trigger_visibility_s: int = Field(
        60, ge=2, le=3600, description="seconds that a message in hand is hidden from others; renewed at half"
    )
    trigger_poll_s: float = Field(1.0, gt=0, le=60, description="longest pause between looks into an empty queue")

    concurrency: str = Field(
        "8",
        description="photos in hand at once: a number, or `dynamic` to follow the load",
        pattern=r"^(dynamic|[1-9]\d{0,2})$",
    )

    scan_enabled: bool = Field(True, description="whether to look for photos that no event told of")
    scan_interval_s: float = Field(5, gt=0, description="pause between two scans; more if a scan takes long")
    scan_grace_s: float = Field(0, ge=0, description="age under which a photo is left to its event")
    scan_requeue_s: float = Field(600, gt=0, description="seconds after which a queued photo is queued again")
    scan_page: int = Field(5000, ge=1, le=5000, description="blobs asked for at once")

    @field_validator("thumbnail_presets")
    @classmethod
    def _presets_make_sense(cls, text: str) -> str:
        parse_presets(text)
        return text

    @field_validator("thumbnail_background")
    @classmethod
    def _background_is_a_colour(cls, text: str) -> str:
        parse_colour(text)
        return text

    @field_validator("thumbnail_keep_exif")
    @classmethod
    def _tags_exist(cls, text: str) -> str:
        for name in text.split():
            exif_tag(name)
        return text

    def recipe(self) -> Recipe:
        """How thumbnails are made."""
        return Recipe(
            presets=parse_presets(self.thumbnail_presets),
            limits=Limits(
                max_bytes=int(self.photo_max_mb * MIB),
                max_pixels=self.photo_max_pixels,
                max_frames=self.photo_max_frames,
            ),
            alpha=self.thumbnail_alpha,
            background=self.thumbnail_background,
            animation=self.thumbnail_animation,
            keep_exif=tuple(self.thumbnail_keep_exif.split()),
        )

    def sandbox(self) -> SandboxSettings:
        """Where thumbnails are made."""
        return SandboxSettings(
            workers=self.sandbox_workers,
            memory_bytes=self.sandbox_memory_mb * MIB,
            image_cpu_s=self.photo_cpu_s,
            image_timeout_s=self.photo_timeout_s,
            images_per_worker=self.sandbox_images,
        )
