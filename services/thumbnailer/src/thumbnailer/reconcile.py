"""Makes what there is of a photo agree with the photo, whatever the event said.

    look at photo and receipt ─▶ make thumbnails ─▶ tell the hub ─▶ file the receipt ─▶ remove old thumbnails

Each step may be repeated, so a crash between any two costs nothing but time. Events that come twice, late or out
of order find nothing left to do. Of two replicas at the same photo, the one that files its receipt first wins; the
other looks again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final, Literal

import msgspec

from heliograph import azure_time
from heliograph.blobs import ANY, BlobFolder, FencedError
from heliograph.contracts import Photo
from heliograph.hub import HubSender
from heliograph.topology import shard_of
from heliograph.wire import encode, to_event
from thumbnailer.imaging.recipe import ImageRefusedError, Made, Recipe
from thumbnailer.metrics import DELAY_SECONDS, THUMBNAILS
from thumbnailer.photos import (
    Upload,
    bare_message,
    is_addressable,
    photo_message,
    plant_of,
    recipe_digest,
    thumbnail_metadata,
)
from thumbnailer.receipts import Filed, Receipt, Receipts
from thumbnailer.sandbox import Sandbox
from thumbnailer.uploads import Uploads

Outcome = Literal["made", "current", "removed", "gone"]

MAX_LOOKS: Final = 10
"""So often may a photo change under our hands before the message goes back to the queue."""


class ContestedError(RuntimeError):
    """The photo, or its receipt, changed each time that it was worked on."""


class PhotoRefusedError(Exception):
    """No thumbnail can be made of the photo, as long as it has this ETag."""

    def __init__(self, etag: str, refusal: ImageRefusedError) -> None:
        super().__init__(str(refusal))
        self.etag = etag
        self.reason = refusal.reason
        self.detail = refusal.detail


class Reconciler:
    """Works on one photo at a time; any number may be in hand at once."""

    def __init__(
        self,
        *,
        uploads: Uploads,
        thumbnails: BlobFolder,
        receipts: Receipts,
        insights: HubSender,
        sandbox: Sandbox,
        recipe: Recipe,
        max_age_s: int,
        photos_in_memory: int,
        now: Callable[[], datetime] = azure_time.now,
    ) -> None:
        self._uploads = uploads
        self._thumbnails = thumbnails
        self._receipts = receipts
        self._insights = insights
        self._sandbox = sandbox
        self._recipe = recipe
        self._digest = recipe_digest(recipe)
        self._cache_control = f"public, max-age={max_age_s}, immutable"
        self._in_memory = asyncio.Semaphore(photos_in_memory)
        self._now = now

    async def reconcile(self, name: str, *, force: bool = False) -> Outcome:
        """Brings thumbnails, receipt and hub up to date with a photo.

        Raises `PhotoRefusedError` when no thumbnail can be made of it, `ContestedError` when others would not leave
        it alone, and what hub and storage raise.
        """
        if not is_addressable(name):
            raise PhotoRefusedError("", ImageRefusedError("bad-name", f"no photo can have the name {name!r}"))
        beaten = False
        for _ in range(MAX_LOOKS):
            filed, upload = await asyncio.gather(self._receipts.get(name), self._uploads.stat(name))
            try:
                if upload is None:
                    return await self._remove(name, filed)
                if filed.receipt is not None and filed.receipt.settles(upload.etag, self._digest) and not force:
                    if beaten and filed.receipt.photo is not None:
                        await self._tell(filed.receipt.photo)  # the winner's word must be the last
                    return "current"
                if await self._make(upload, filed):
                    return "made"
            except FencedError:
                beaten, force = True, False
        raise ContestedError(f"{name} changed {MAX_LOOKS} times while it was worked on")

    async def _make(self, upload: Upload, filed: Filed) -> bool:
        """Makes the thumbnails; False when the photo changed meanwhile."""
        try:
            made = await self._decode(upload)
        except ImageRefusedError as refusal:
            raise PhotoRefusedError(upload.etag, refusal) from refusal
        if made is None:
            return False
        photo = photo_message(upload, made, self._recipe)
        await self._store(photo, made)
        try:
            await self._settle(upload, filed, "done", photo)
        except FencedError:
            await self._drop_outdated(upload, photo)
            raise
        DELAY_SECONDS.observe(max(0.0, (self._now() - upload.modified).total_seconds()))
        return True

    async def _decode(self, upload: Upload) -> Made | None:
        """The thumbnails of a photo; None when it is no longer the one that was looked at. So many photos may be in
        hand that their files would not fit into memory: only those are fetched that are decoded now or next."""
        plant_of(upload.name)
        if upload.size > self._recipe.limits.max_bytes:
            raise ImageRefusedError(
                "too-many-bytes", f"{upload.size} bytes, the limit is {self._recipe.limits.max_bytes}"
            )
        async with self._in_memory:
            data = await self._uploads.fetch(upload)
            return None if data is None else await self._sandbox.make(data)

    async def _drop_outdated(self, upload: Upload, photo: Photo) -> None:
        """Removes thumbnails that no receipt will ever name, because their photo was replaced while they were made."""
        if await self.etag(upload.name) != upload.etag:
            await self._sweep(_blobs_of(photo), keep=_blobs(await self._receipts.get(upload.name)))

    async def _store(self, photo: Photo, made: Made) -> None:
        async with asyncio.TaskGroup() as tasks:
            for thumbnail, rendition in zip(photo.thumbnails, made.renditions, strict=True):
                writing = self._thumbnails.put(
                    thumbnail.blob,
                    rendition.data,
                    etag=ANY,
                    content_type=rendition.content_type,
                    cache_control=self._cache_control,
                    metadata=thumbnail_metadata(photo, rendition),
                )
                tasks.create_task(writing)
                THUMBNAILS.labels(rendition.preset).inc()

    async def refuse(self, name: str, etag: str, reason: str) -> None:
        """Settles a photo that no thumbnail can be made of: those of its former content go.

        Nothing is done about a photo that has another ETag by now, since it is another photo, nor about one whose
        thumbnails were made after all.
        """
        for _ in range(MAX_LOOKS):
            if (upload := await self._stat(name)) is None or upload.etag != etag:
                return None
            filed = await self._receipts.get(name)
            if filed.receipt is not None and filed.receipt.settles(etag, self._digest):
                return None
            try:
                photo = None if reason == "bad-name" else bare_message(upload)
                return await self._settle(upload, filed, "poison", photo, reason)
            except FencedError:
                continue
        raise ContestedError(f"{name} changed {MAX_LOOKS} times while it was refused")

    async def etag(self, name: str) -> str:
        """The photo's ETag now; empty when it is gone."""
        upload = await self._stat(name)
        return upload.etag if upload else ""

    async def _stat(self, name: str) -> Upload | None:
        return await self._uploads.stat(name) if is_addressable(name) else None

    async def _settle(
        self, upload: Upload, filed: Filed, state: Literal["done", "poison"], photo: Photo | None, reason: str = ""
    ) -> None:
        if photo is not None:
            await self._tell(photo)
        receipt = Receipt(
            state=state, etag=upload.etag, recipe=self._digest, at=self._now(), photo=photo, reason=reason
        )
        await self._receipts.put(upload.name, receipt, filed)
        await self._sweep(_blobs(filed), keep=_blobs(Filed(receipt, None)))

    async def _remove(self, name: str, filed: Filed) -> Outcome:
        """Removes the thumbnails of a photo that is gone."""
        if filed.receipt is None:
            return "gone"
        if filed.receipt.photo is not None:
            await self._tell(msgspec.structs.replace(filed.receipt.photo, thumbnails=(), deleted=True))
        await self._sweep(_blobs(filed), keep=())
        await self._receipts.remove(name, filed)
        return "removed"

    async def _sweep(self, blobs: Iterable[str], *, keep: Iterable[str]) -> None:
        for blob in sorted(set(blobs) - set(keep)):
            await self._thumbnails.delete(blob)

    async def _tell(self, photo: Photo) -> None:
        await self._insights.send(shard_of(photo.plant_id), [to_event(encode([photo]))])


def _blobs(filed: Filed) -> tuple[str, ...]:
    return _blobs_of(filed.receipt.photo if filed.receipt else None)


def _blobs_of(photo: Photo | None) -> tuple[str, ...]:
    return tuple(thumbnail.blob for thumbnail in photo.thumbnails) if photo else ()
