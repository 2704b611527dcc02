"""From the bytes of any image to its thumbnails and the facts about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from PIL import Image, ImageSequence

from thumbnailer.imaging.colour import flatten, to_resizable, to_srgb
from thumbnailer.imaging.decode import SIDEWAYS, check_pixels, draft, open_image, orientation_of, taken_at
from thumbnailer.imaging.encode import ANIMATED, encode, finish, kept_exif
from thumbnailer.imaging.geometry import box_of, place
from thumbnailer.imaging.placeholder import SAMPLE, blurhash, dominant_colour
from thumbnailer.imaging.recipe import CONTENT_TYPES, Made, Preset, Recipe, Rendition
from thumbnailer.imaging.sniff import CONTENT_TYPES as SOURCE_CONTENT_TYPES
from thumbnailer.imaging.sniff import sniff

REDUCING_GAP: Final = 3.0
"""Pixels are first averaged in whole blocks down to this many times the target: as good to the eye and far faster."""
DEFAULT_FRAME_MS: Final = 100
MOVING: Final = frozenset({"GIF", "WEBP", "PNG", "AVIF"})
"""Formats whose frames are moments. A TIFF's are pages, an MPO's (most telephones' JPEGs) and a HEIC's further images
of other sizes: gain maps, depth, previews."""

_TRANSPOSE: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def make(data: bytes, recipe: Recipe) -> Made:
    """All thumbnails of an image.

    Raises `ImageRefusedError` for an image that the recipe's limits forbid; for a broken one whatever Pillow raises.
    """
    with open_image(data, recipe.limits) as image:
        shown = _Shown(image, recipe)
        draft(image, recipe.presets, sideways=shown.sideways)
        frames = shown.frames()
        small = flatten(shown.render(SAMPLE, frames)[0], recipe.background)
        return Made(
            content_type=SOURCE_CONTENT_TYPES[sniff(data) or ""],
            width=shown.size[0],
            height=shown.size[1],
            dominant_colour=dominant_colour(small),
            placeholder=blurhash(small),
            taken_at=taken_at(image),
            renditions=tuple(shown.encode(preset, shown.render(preset, frames)) for preset in recipe.presets),
        )


class _Shown:
    """An open image as it is meant to be shown: its orientation, profile and frames."""

    def __init__(self, image: Image.Image, recipe: Recipe) -> None:
        self._image = image
        self._recipe = recipe
        self._orientation = orientation_of(image)
        self._profile: bytes | None = image.info.get("icc_profile")
        self._exif = kept_exif(image, recipe.keep_exif)
        self.sideways = self._orientation in SIDEWAYS
        width, height = image.size
        self.size = (height, width) if self.sideways else (width, height)
        self._timing: dict[str, Any] = {}
        self.moves = (
            recipe.animation == "keep"
            and any(preset.format in ANIMATED for preset in recipe.presets)
            and image.format in MOVING
            and getattr(image, "is_animated", False)
        )
        if self.moves:
            check_pixels(image.size, getattr(image, "n_frames", 1), recipe.limits)

    def frames(self) -> list[Image.Image]:
        """The frames to show, decoded, with their timing noted."""
        if not self.moves:
            return [to_resizable(self._image)]
        frames, durations = [], []
        for frame in ImageSequence.Iterator(self._image):
            frames.append(to_resizable(frame.copy()))
            durations.append(frame.info.get("duration", DEFAULT_FRAME_MS))
        self._timing = {"duration": durations, "loop": self._image.info.get("loop", 0)}
        return frames

    def render(self, preset: Preset, frames: Sequence[Image.Image]) -> list[Image.Image]:
        """The frames in the preset's size, upright and in sRGB; one frame if its format can't move."""
        count = len(frames) if preset.format in ANIMATED else 1
        return [finish(self._render(preset, frame), preset, self._recipe) for frame in frames[:count]]

    def _render(self, preset: Preset, frame: Image.Image) -> Image.Image:
        placement = place(frame.size, box_of(preset, sideways=self.sideways), preset.fit)
        small = frame.resize(placement.size, Image.Resampling.LANCZOS, box=placement.box, reducing_gap=REDUCING_GAP)
        turn = _TRANSPOSE.get(self._orientation)
        upright = small if turn is None else small.transpose(turn)
        return to_srgb(upright, self._profile)

    def encode(self, preset: Preset, frames: Sequence[Image.Image]) -> Rendition:
        """The rendition of a preset from its rendered frames."""
        data = encode(frames, preset, self._exif, self._timing)
        return Rendition(preset.name, *frames[0].size, CONTENT_TYPES[preset.format], data)
