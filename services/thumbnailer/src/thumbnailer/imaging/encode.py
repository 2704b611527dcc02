"""Encodes a rendition. Nothing of the original's metadata comes along but what the recipe lets through."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any, Final

from PIL import ExifTags, Image

from thumbnailer.imaging.colour import flatten
from thumbnailer.imaging.recipe import OutputFormat, Preset, Recipe

OPAQUE: Final[frozenset[str]] = frozenset({"jpeg"})
ANIMATED: Final[frozenset[str]] = frozenset({"webp", "gif", "png", "avif"})

_TAGS: Final = {tag.name: int(tag) for tag in ExifTags.Base}


def exif_tag(name: str) -> int:
    """The number of an EXIF tag. Raises `ValueError` for a name that EXIF doesn't know."""
    try:
        return _TAGS[name]
    except KeyError:
        raise ValueError(f"EXIF has no tag {name!r}; names are like Copyright, Artist, DateTime") from None


def kept_exif(image: Image.Image, names: Sequence[str]) -> bytes | None:
    """An EXIF block with only the named tags that the image has; None when that leaves nothing."""
    original, kept = image.getexif(), Image.Exif()
    for tag in map(exif_tag, names):
        if tag in original:
            kept[tag] = original[tag]
    return kept.tobytes() if len(kept) else None


def finish(image: Image.Image, preset: Preset, recipe: Recipe) -> Image.Image:
    """The sRGB image ready for its format: flattened where that is asked for or needed, and without metadata."""
    if recipe.alpha == "flatten" or preset.format in OPAQUE:
        image = flatten(image, recipe.background)
    image.info = {}  # Pillow would write a profile, a comment or XMP that it finds here
    return image


def encode(frames: Sequence[Image.Image], preset: Preset, exif: bytes | None, timing: Mapping[str, Any]) -> bytes:
    """The frames as one file; several only for a format that can be animated. `timing` as Pillow's `save` has it."""
    options: dict[str, Any] = dict(_OPTIONS[preset.format])
    if preset.format in ("jpeg", "webp", "avif"):
        options["quality"] = preset.quality
    if exif is not None and preset.format != "gif":
        options["exif"] = exif
    if len(frames) > 1:
        options |= {"save_all": True, "append_images": frames[1:], **timing}
    output = io.BytesIO()
    frames[0].save(output, format=preset.format.upper(), **options)
    return output.getvalue()


_OPTIONS: Final[Mapping[OutputFormat, Mapping[str, Any]]] = {
    "jpeg": {"optimize": True, "progressive": False},
    "png": {"optimize": False, "compress_level": 6},
    "webp": {"method": 4},
    "avif": {"speed": 8, "max_threads": 1},
    "gif": {"optimize": False},
}
