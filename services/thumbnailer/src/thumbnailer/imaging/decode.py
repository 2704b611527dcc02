"""Opens an image of a known format within its limits, without decoding more of it than the thumbnails need."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

import pi_heif  # type: ignore[import-untyped]
from PIL import AvifImagePlugin, ExifTags, Image, ImageFile, JpegImagePlugin

from thumbnailer.imaging.geometry import Size, decode_size
from thumbnailer.imaging.recipe import ImageRefusedError, Limits, Preset
from thumbnailer.imaging.sniff import CONTENT_TYPES, sniff

SIDEWAYS: Final = frozenset({5, 6, 7, 8})
"""EXIF orientations that swap width and height."""
MAX_EDGE_PX: Final = 65_535

_EXIF_TIME = "%Y:%m:%d %H:%M:%S%z"

Image.MAX_IMAGE_PIXELS = None  # `check_pixels` is ours: it refuses, Pillow's own first warns
ImageFile.LOAD_TRUNCATED_IMAGES = False
AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # a worker may not start threads
pi_heif.register_heif_opener(decode_threads=1, thumbnails=False)


@contextmanager
def open_image(data: bytes, limits: Limits) -> Iterator[Image.Image]:
    """The image behind the bytes, its header read and found within the limits, its pixels not yet decoded.

    Raises `ImageRefusedError` for an unknown format or one over a limit, and whatever Pillow raises for a broken one.
    """
    if len(data) > limits.max_bytes:
        raise ImageRefusedError("too-many-bytes", f"{len(data)} bytes, the limit is {limits.max_bytes}")
    name = sniff(data)
    if name is None:
        raise ImageRefusedError("unknown-format", f"begins with {data[:12]!r}; known are {', '.join(CONTENT_TYPES)}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a broken EXIF block or palette is Pillow's to tolerate
        with Image.open(io.BytesIO(data), formats=[name]) as image:
            check_pixels(image.size, 1, limits)
            yield image


def check_pixels(size: Size, frames: int, limits: Limits) -> None:
    """Raises `ImageRefusedError` when so many frames of this size are over a limit."""
    width, height = size
    if width < 1 or height < 1:
        raise ImageRefusedError("broken", f"the header says {width}x{height} px")
    if max(size) > MAX_EDGE_PX:
        raise ImageRefusedError("too-many-pixels", f"{width}x{height} px, an edge may have {MAX_EDGE_PX}")
    if frames > limits.max_frames:
        raise ImageRefusedError("too-many-frames", f"{frames} frames, the limit is {limits.max_frames}")
    if width * height * frames > limits.max_pixels:
        raise ImageRefusedError(
            "too-many-pixels", f"{width}x{height} px in {frames} frame(s), the limit is {limits.max_pixels} px"
        )


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation that is left to apply, 1 to 8; 1 where there is none or a senseless one. Pillow turns a
    TIFF itself when it decodes it, and pi-heif a HEIC."""
    if image.format == "TIFF":
        return 1
    value = image.getexif().get(ExifTags.Base.Orientation, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def taken_at(image: Image.Image) -> datetime | None:
    """When the photo was taken, if its EXIF block says so with a UTC offset; a local time alone says too little."""
    block = image.getexif().get_ifd(ExifTags.IFD.Exif)
    stamp, offset = block.get(ExifTags.Base.DateTimeOriginal), block.get(ExifTags.Base.OffsetTimeOriginal)
    if not (isinstance(stamp, str) and isinstance(offset, str)):
        return None
    try:
        return datetime.strptime(f"{stamp.strip(chr(0)).strip()}{offset.strip(chr(0)).strip()}", _EXIF_TIME).astimezone(
            UTC
        )
    except (ValueError, OverflowError):
        return None


def draft(image: Image.Image, presets: Sequence[Preset], *, sideways: bool) -> None:
    """Tells a JPEG decoder to decode at the smallest of its scales (1/2, 1/4, 1/8) that is enough for all presets.

    The decoder then never computes the pixels that resizing would throw away: at 1/8 it needs only the mean of each
    block of 8x8 px.
    """
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        image.draft(None, decode_size(image.size, presets, sideways=sideways))
