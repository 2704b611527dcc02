"""Any of Pillow's modes and any ICC profile, brought to 8-bit sRGB."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Final

from PIL import Image, ImageCms

RESIZABLE: Final = frozenset({"L", "RGB", "RGBA", "CMYK"})
"""Modes in which an image is resized; the others are brought to one of these before, being palettes or not 8 bits."""

_SRGB = ImageCms.createProfile("sRGB")
_PROFILE_SPACES: Final = {"RGB": "RGB ", "RGBA": "RGB ", "L": "GRAY", "CMYK": "CMYK"}


def to_resizable(image: Image.Image) -> Image.Image:
    """The image in one of the modes of `RESIZABLE`: palettes resolved, 16 bits and floats brought to 8."""
    if image.mode in RESIZABLE and "transparency" not in image.info:
        return image
    if image.mode.startswith("I;16"):
        return image.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    if image.mode in ("I", "F"):
        return _stretch(image)
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _stretch(image: Image.Image) -> Image.Image:
    """Integers of 32 bits and floats have no fixed white (a thermal camera writes degrees): least to most is black to
    white."""
    low, high = (float(bound) for bound in image.getextrema()[:2])  # type: ignore[arg-type]
    scale = 255.0 / (high - low) if high > low else 0.0
    return image.convert("F").point(lambda value: value * scale + (-low * scale)).convert("L")


def to_srgb(image: Image.Image, icc_profile: bytes | None) -> Image.Image:
    """An image in a mode of `RESIZABLE` as RGB or RGBA in sRGB. A profile that makes no sense counts as none."""
    if icc_profile and (converted := _by_profile(image, icc_profile)) is not None:
        return converted
    return image if image.mode in ("RGB", "RGBA") else image.convert("RGB")


def _by_profile(image: Image.Image, icc_profile: bytes) -> Image.Image | None:
    """The image with its colours converted; alpha is carried over as it is."""
    if image.mode == "RGBA":
        opaque = _by_profile(image.convert("RGB"), icc_profile)
        if opaque is not None:
            opaque.putalpha(image.getchannel("A"))
        return opaque
    try:
        transform = _transform(icc_profile, image.mode)
        return None if transform is None else ImageCms.applyTransform(image, transform)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


@lru_cache(maxsize=16)
def _transform(icc_profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The way from the profile to sRGB, or None for a profile of another colour space than the image's."""
    profile = ImageCms.ImageCmsProfile(io.BytesIO(icc_profile))
    if profile.profile.xcolor_space != _PROFILE_SPACES[mode]:
        return None
    return ImageCms.buildTransform(profile, _SRGB, mode, "RGB")


def parse_colour(text: str) -> tuple[int, int, int]:
    """`#rrggbb` as red, green and blue, 0 to 255. Raises `ValueError`."""
    digits = text.removeprefix("#")
    if len(digits) != 6 or not text.startswith("#"):
        raise ValueError(f"a colour is #rrggbb, not {text!r}")
    value = int(digits, 16)
    return value >> 16, value >> 8 & 255, value & 255


def flatten(image: Image.Image, background: str) -> Image.Image:
    """The image over a background of one colour, as RGB."""
    if image.mode != "RGBA":
        return image.convert("RGB")
    ground = Image.new("RGB", image.size, parse_colour(background))
    ground.paste(image, mask=image.getchannel("A"))
    return ground
