"""Notes, photos and thumbnails of a plant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Depends, HTTPException, Request, Response, UploadFile
from pydantic import BaseModel, Field

from dashboard.access import User, actor
from dashboard.answers import json_answer
from dashboard.doors import refusals
from dashboard.parts import Parts, known_plant, parts_of
from dashboard.routes_alerts import name_of, publish
from heliograph.blobs import FencedError
from heliograph.contracts import Note
from heliograph.storage import NOTES, PHOTOS
from heliograph.wire import spelt_out

routes = APIRouter(tags=["records"], responses=refusals(400, 403, 404))
TheParts = Annotated[Parts, Depends(parts_of)]
Actor = Annotated[User, Depends(actor)]

_IMAGE_TYPES: Mapping[bytes, str] = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF8": "image/gif",
    b"II*\x00": "image/tiff",
    b"MM\x00*": "image/tiff",
}
_SAFE_TYPES = frozenset({"image/jpeg", "image/png", "image/webp", "image/avif", "image/gif"})
_UNSAFE = re.compile(r"[^\w.\- ]+")


class NoteBody(BaseModel):
    """A note; the author only where nobody signs in."""

    text: str = Field(min_length=1, max_length=4000)
    author: str = Field("", max_length=64)


@routes.get("/plants/{plant_id:path}/notes", summary="A plant's notes, the newest first")
async def notes(request: Request, parts: TheParts, plant_id: str) -> Response:
    known_plant(parts, plant_id)
    found = await parts.store.query(
        "notes", NOTES, "SELECT * FROM c ORDER BY c.at DESC OFFSET 0 LIMIT 500", pk=plant_id
    )
    return json_answer(request, {"notes": [_without_system(note) for note in found]})


@routes.post("/plants/{plant_id:path}/notes", status_code=202, summary="Writes a note")
async def add_note(request: Request, user: Actor, parts: TheParts, plant_id: str, body: NoteBody) -> Response:
    known_plant(parts, plant_id)
    author = name_of(user, body.author)
    note = Note(v=1, note_id=uuid4().hex, plant_id=plant_id, author=author, text=body.text, at=datetime.now(UTC))
    await publish(parts, plant_id, note)
    return json_answer(request, spelt_out(note), status=202)


@routes.get("/plants/{plant_id:path}/photos", summary="A plant's photos, the newest first")
async def photos(request: Request, parts: TheParts, plant_id: str) -> Response:
    known_plant(parts, plant_id)
    found = await parts.store.query(
        "photos", PHOTOS, "SELECT * FROM c ORDER BY c.uploaded_at DESC OFFSET 0 LIMIT 500", pk=plant_id
    )
    return json_answer(request, {"photos": [_without_system(photo) for photo in found if not photo["deleted"]]})


@routes.post(
    "/plants/{plant_id:path}/photos",
    status_code=202,
    summary="Uploads a photo; its thumbnails follow",
    responses=refusals(409, 413, 415),
)
async def add_photo(request: Request, _user: Actor, parts: TheParts, plant_id: str, file: UploadFile) -> Response:
    known_plant(parts, plant_id)
    limit = int(parts.settings.max_photo_mb * 1024 * 1024)
    data = await file.read(limit + 1)
    if len(data) > limit:
        raise HTTPException(413, f"a photo may have {parts.settings.max_photo_mb:g} MB")
    content_type = image_type(data)
    if content_type is None:
        raise HTTPException(415, "this is no photo: JPEG, PNG, WebP, HEIC, GIF and TIFF are taken")
    name = f"{plant_id}/{blob_file(file.filename or 'photo', datetime.now(UTC))}"
    try:
        await parts.uploads.put(name, data, etag=None, content_type=content_type)
    except FencedError as error:
        raise HTTPException(409, f"{name} is there already") from error
    return json_answer(request, {"blob": name}, status=202)


@routes.get("/thumbnails/{blob:path}", summary="A thumbnail", response_class=Response)
async def thumbnail(parts: TheParts, blob: str) -> Response:
    stored = await parts.thumbnails.get(blob)
    content_type = image_type(stored.data) if stored else None
    if stored is None or content_type not in _SAFE_TYPES:
        raise HTTPException(404, f"no thumbnail is called {blob}")
    headers = {"cache-control": "private, max-age=31536000, immutable", "etag": f'"{stored.etag}"'}
    return Response(stored.data, media_type=content_type, headers=headers)


def image_type(data: bytes) -> str | None:
    """The media type of an image by its first bytes; what the sender says it is counts for nothing."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data[4:8] == b"ftyp":
        return "image/avif" if data[8:12] in (b"avif", b"avis") else "image/heic"
    return next((media for magic, media in _IMAGE_TYPES.items() if data.startswith(magic)), None)


def blob_file(name: str, now: datetime) -> str:
    """A file's name that is new and safe in a blob's name and in a URL."""
    path = PurePosixPath(name.replace("\\", "/"))
    stem = _UNSAFE.sub("-", path.stem).strip(" .-")[:60] or "photo"
    suffix = _UNSAFE.sub("", path.suffix.lower())[:8]
    return f"{now:%Y%m%dT%H%M%S}-{uuid4().hex[:8]}-{stem}{suffix}"


def _without_system(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if not name.startswith("_") and name not in ("id", "ttl")}
