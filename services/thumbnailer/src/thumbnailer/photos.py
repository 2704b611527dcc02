"""Names and messages of photos and their thumbnails. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Final
from urllib.parse import quote

import msgspec

from heliograph.contracts import Photo, Thumbnail
from thumbnailer.imaging.recipe import EXTENSIONS, ImageRefusedError, Made, Preset, Recipe, Rendition

LOOK: Final = "1"
"""Raised when the same recipe makes other thumbnails than before, so that all are made again."""

MAX_NAME: Final = 900
"""A blob's name may have 1,024 characters, and that of a thumbnail is longer than its photo's."""
MAX_ADDRESSABLE: Final = 1000
"""The name of a receipt is longer, too."""


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """What the storage says about an uploaded photo."""

    name: str
    etag: str
    size: int
    modified: datetime
    """When it was last written; whole seconds."""


def plant_of(name: str) -> str:
    """The plant that a photo belongs to, from its blob's name `plant_id/file`. Raises `ImageRefusedError`."""
    plant_id, separator, file = name.partition("/")
    if not (separator and file and 1 <= len(plant_id) <= 64 and len(name) <= MAX_NAME):
        raise ImageRefusedError("bad-name", f"the name must be PLANT_ID/FILE of {MAX_NAME} characters, not {name!r}")
    return plant_id


def is_addressable(name: str) -> bool:
    """Whether blob and receipt of this name can be asked for. With `..` in it, a URL would lead to another blob."""
    return len(name) <= MAX_ADDRESSABLE and not {".", ".."} & set(name.split("/"))


def photo_id(name: str) -> str:
    """The id of the photo in the blob of this name, for as long as it is overwritten and made again."""
    return blake2b(name.encode(), digest_size=12).hexdigest()


def recipe_digest(recipe: Recipe) -> str:
    """Changes when thumbnails would look different."""
    return blake2b(LOOK.encode() + msgspec.json.encode(recipe), digest_size=6).hexdigest()


def thumbnail_name(name: str, etag: str, digest: str, preset: Preset) -> str:
    """The blob of a thumbnail: `plant/file/version/preset.ext`. The version is made of the photo's ETag and the
    recipe, so what a name shows never changes and a browser may keep it."""
    version = blake2b(f"{etag}\n{digest}".encode(), digest_size=6).hexdigest()
    return f"{name}/{version}/{preset.name}.{EXTENSIONS[preset.format]}"


def photo_message(upload: Upload, made: Made, recipe: Recipe) -> Photo:
    """What the hub is told about a photo whose thumbnails were made."""
    digest = recipe_digest(recipe)
    return Photo(
        v=1,
        photo_id=photo_id(upload.name),
        plant_id=plant_of(upload.name),
        blob=upload.name,
        etag=upload.etag,
        content_type=made.content_type,
        width=made.width,
        height=made.height,
        bytes=upload.size,
        uploaded_at=upload.modified,
        taken_at=made.taken_at,
        dominant_colour=made.dominant_colour,
        placeholder=made.placeholder,
        thumbnails=tuple(
            Thumbnail(
                preset=rendition.preset,
                blob=thumbnail_name(upload.name, upload.etag, digest, preset),
                width=rendition.width,
                height=rendition.height,
                content_type=rendition.content_type,
            )
            for preset, rendition in zip(recipe.presets, made.renditions, strict=True)
        ),
    )


def bare_message(upload: Upload) -> Photo:
    """What the hub is told about a photo that no thumbnail can be made of."""
    return Photo(
        v=1,
        photo_id=photo_id(upload.name),
        plant_id=plant_of(upload.name),
        blob=upload.name,
        etag=upload.etag,
        bytes=upload.size,
        uploaded_at=upload.modified,
    )


def thumbnail_metadata(photo: Photo, rendition: Rendition) -> Mapping[str, str]:
    """What a thumbnail's blob says about itself and its photo; ASCII, as metadata must be."""
    return {
        "width": str(rendition.width),
        "height": str(rendition.height),
        "photowidth": str(photo.width),
        "photoheight": str(photo.height),
        "dominantcolour": photo.dominant_colour,
        "placeholder": photo.placeholder,
        "photo": quote(photo.blob),
        "photoetag": photo.etag,
    }
