"""What to make of an image, within which limits, and what comes out: values that cross to the worker process."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final, Literal

import msgspec

Fit = Literal["cover", "contain"]
OutputFormat = Literal["jpeg", "png", "webp", "avif", "gif"]

CONTENT_TYPES: Final[dict[str, str]] = {
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "avif": "image/avif",
    "gif": "image/gif",
}
EXTENSIONS: Final[dict[str, str]] = {name: "jpg" if name == "jpeg" else name for name in CONTENT_TYPES}

MAX_EDGE_PX: Final = 4096
DEFAULT_QUALITY: Final = 80

_PRESET = re.compile(
    r"(?P<name>[a-z][a-z0-9-]{0,31})=(?P<width>\d{1,4})x(?P<height>\d{1,4})"
    r":(?P<fit>cover|contain):(?P<format>jpeg|png|webp|avif|gif)(?::(?P<quality>\d{1,3}))?"
)


class ImageRefusedError(Exception):
    """The image can't or may not be made into thumbnails: `reason` is a short word for counting."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Preset(msgspec.Struct, frozen=True):
    """One size and format to make. `cover` fills the box and crops what is over, `contain` fits inside it; neither
    enlarges."""

    name: str
    width: int
    height: int
    fit: Fit
    format: OutputFormat
    quality: int = DEFAULT_QUALITY


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What an image may measure; checked before its pixels are decoded."""

    max_bytes: int = 64 * 1024 * 1024
    max_pixels: int = 50_000_000
    """Of one frame, and of all frames that are decoded together."""
    max_frames: int = 200


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """All that decides how thumbnails look."""

    presets: tuple[Preset, ...]
    limits: Limits = Limits()
    alpha: Literal["keep", "flatten"] = "keep"
    background: str = "#ffffff"
    """What shows through where alpha is flattened, or where the format has none."""
    animation: Literal["first", "keep"] = "first"
    keep_exif: tuple[str, ...] = ()
    """Names of the EXIF tags that survive, e.g. `Copyright`."""


class Rendition(msgspec.Struct, frozen=True):
    """One thumbnail, encoded. Sizes in px."""

    preset: str
    width: int
    height: int
    content_type: str
    data: bytes


class Made(msgspec.Struct, frozen=True, kw_only=True, tag="made"):
    """What was made of an image. `width` and `height` are those of the image as shown, after EXIF rotation; px."""

    content_type: str
    width: int
    height: int
    dominant_colour: str
    placeholder: str
    taken_at: datetime | None
    renditions: tuple[Rendition, ...]


def parse_presets(text: str) -> tuple[Preset, ...]:
    """Presets such as `card=320x240:cover:webp:80`, parted by spaces. Raises `ValueError` that names the wrong one."""
    presets = tuple(_parse_preset(word) for word in text.split())
    if not presets:
        raise ValueError("there must be at least one preset, e.g. card=320x240:cover:webp:80")
    names = [preset.name for preset in presets]
    if len(set(names)) < len(names):
        raise ValueError(f"preset names must differ: {' '.join(names)}")
    return presets


def _parse_preset(word: str) -> Preset:
    match = _PRESET.fullmatch(word)
    if match is None:
        raise ValueError(f"preset {word!r} is not NAME=WIDTHxHEIGHT:cover|contain:jpeg|png|webp|avif|gif[:QUALITY]")
    width, height = int(match["width"]), int(match["height"])
    quality = int(match["quality"] or DEFAULT_QUALITY)
    if not (1 <= width <= MAX_EDGE_PX and 1 <= height <= MAX_EDGE_PX):
        raise ValueError(f"preset {word!r}: width and height are 1 to {MAX_EDGE_PX} px")
    if not 1 <= quality <= 100:
        raise ValueError(f"preset {word!r}: quality is 1 to 100")
    return msgspec.convert({**match.groupdict(), "width": width, "height": height, "quality": quality}, Preset)
