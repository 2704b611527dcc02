"""Photos and notes as documents. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heliograph.contracts import Note, Photo
from heliograph.storage import DELETED_PHOTO_TTL_S, document_id
from heliograph.wire import spelt_out


def note_document(note: Note) -> dict[str, Any]:
    """A note never changes, so that writing it again changes nothing."""
    return {"id": document_id(note.note_id), **spelt_out(note)}


def with_photo(document: Mapping[str, Any] | None, photo: Photo) -> dict[str, Any] | None:
    """The photo's document, or None where a newer state of the photo is known. A deleted photo leaves a tombstone
    for a while, so that an older event does not bring it back."""
    fresh = {"id": document_id(photo.photo_id), **spelt_out(photo)}
    if photo.deleted:
        fresh["ttl"] = DELETED_PHOTO_TTL_S
    if document is not None and (_rank(document) > _rank(fresh) or dict(document) == fresh):
        return None
    return fresh


def _rank(document: Mapping[str, Any]) -> tuple[str, bool]:
    return document["uploaded_at"], document["deleted"]
