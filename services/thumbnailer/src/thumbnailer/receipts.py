"""What was done about each photo: one small blob beside it, of the same name, in the container of receipts.

A receipt is written on condition of the one that was read, so of two who work on a photo only one can finish. Its
state and the photo's ETag are also in the blob's metadata, so that a listing of receipts tells what is missing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec

from heliograph.blobs import BlobFolder, FencedError
from heliograph.contracts import Photo

State = Literal["queued", "done", "poison", "replay"]


class Receipt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was done about a photo."""

    state: State
    """`queued` by the scan, `done`, `poison` when no thumbnail can be made, `replay` when it is to be done again."""
    etag: str
    """Of the photo that this is about."""
    recipe: str
    """Digest of the recipe that it was done by."""
    at: datetime
    photo: Photo | None = None
    """What the hub was last told, and with it the thumbnails that there are."""
    reason: str = ""

    def settles(self, etag: str, recipe: str) -> bool:
        """Whether nothing is left to do about a photo of this ETag."""
        return self.state in ("done", "poison") and self.etag == etag and self.recipe == recipe

    def metadata(self) -> Mapping[str, str]:
        """The part that a listing shows."""
        return {"state": self.state, "etag": self.etag, "recipe": self.recipe, "at": self.at.isoformat()}


class Filed(msgspec.Struct, frozen=True):
    """A receipt, and the ETag of the blob that it lies in; None and None where there is none."""

    receipt: Receipt | None
    blob_etag: str | None


class Receipts:
    """The receipts of one service."""

    def __init__(self, folder: BlobFolder, service: str) -> None:
        self._folder = folder
        self.prefix = f"{service}/"

    def _name(self, photo: str) -> str:
        return self.prefix + photo

    async def get(self, photo: str) -> Filed:
        """The receipt of the photo in the blob of this name."""
        stored = await self._folder.get(self._name(photo))
        if stored is None:
            return Filed(None, None)
        return Filed(msgspec.json.decode(stored.data, type=Receipt), stored.etag)

    async def put(self, photo: str, receipt: Receipt, known: Filed) -> None:
        """Files a receipt. Raises `FencedError` if another has finished with the photo since `known` was read; that
        the scan has marked it as queued meanwhile is no reason."""
        while True:
            try:
                await self._put(photo, receipt, known.blob_etag)
            except FencedError:
                known = await self.get(photo)
                if known.receipt is not None and known.receipt.state != "queued":
                    raise
            else:
                return

    async def mark_queued(self, photo: str, etag: str, blob_etag: str | None, recipe: str, at: datetime) -> None:
        """Marks a photo as queued, unless its receipt is no longer the one of `blob_etag`: then it has been worked
        on since. What the former receipt says about thumbnails is kept."""
        filed = await self.get(photo) if blob_etag else Filed(None, None)
        if filed.blob_etag != blob_etag:
            return
        told = filed.receipt.photo if filed.receipt else None
        receipt = Receipt(state="queued", etag=etag, recipe=recipe, at=at, photo=told)
        with contextlib.suppress(FencedError):
            await self._put(photo, receipt, blob_etag)

    async def reopen(self, photo: str) -> None:
        """Makes a settled photo one that is to be done again."""
        filed = await self.get(photo)
        while filed.receipt is not None and filed.receipt.state != "replay":
            with contextlib.suppress(FencedError):
                await self._put(photo, msgspec.structs.replace(filed.receipt, state="replay"), filed.blob_etag)
            filed = await self.get(photo)

    async def _put(self, photo: str, receipt: Receipt, blob_etag: str | None) -> None:
        await self._folder.put(
            self._name(photo),
            msgspec.json.encode(receipt),
            etag=blob_etag,
            content_type="application/json",
            metadata=receipt.metadata(),
        )

    async def remove(self, photo: str, known: Filed) -> None:
        """Forgets a photo. Raises `FencedError` if another has worked on it since `known` was read."""
        if known.blob_etag is not None:
            await self._folder.delete(self._name(photo), etag=known.blob_etag)
