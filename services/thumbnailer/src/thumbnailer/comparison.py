"""Which photos were missed, told from two listings. Pure but for the reading of pages, which is handed in."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

What = Literal["new", "changed", "deleted"]

GONE: Final = "gone"
"""Stands for the ETag of a photo that is no longer there."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A blob as a listing has it."""

    name: str
    etag: str
    size: int
    modified: datetime
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a listing, in the order of names; `token` leads to the next one and is empty at the end."""

    blobs: Sequence[Listed]
    token: str


@dataclass(frozen=True, slots=True)
class Missed:
    """A photo that no settled receipt accounts for."""

    what: What
    name: str
    upload: Listed | None
    receipt: Listed | None


@dataclass(frozen=True, slots=True)
class Patience:
    """When a photo counts as missed. `grace_s` is how long its event may take, `requeue_s` how long the queue may."""

    recipe: str
    grace_s: float
    requeue_s: float

    def missed(self, name: str, upload: Listed | None, receipt: Listed | None, now: datetime) -> Missed | None:
        """What was missed about a photo, if anything."""
        if upload is None:
            return (
                None
                if receipt is None or self._is_queued(GONE, receipt, now)
                else Missed("deleted", name, None, receipt)
            )
        if now - upload.modified < timedelta(seconds=self.grace_s):
            return None
        if receipt is None:
            return Missed("new", name, upload, None)
        return None if self._is_settled(upload, receipt, now) else Missed("changed", name, upload, receipt)

    def _is_settled(self, upload: Listed, receipt: Listed, now: datetime) -> bool:
        facts = receipt.metadata
        done = facts.get("state") in ("done", "poison") and facts.get("recipe") == self.recipe
        return (done and facts.get("etag") == upload.etag) or self._is_queued(upload.etag, receipt, now)

    def _is_queued(self, etag: str, receipt: Listed, now: datetime) -> bool:
        """Whether a message about this state of the photo was queued so lately that it may still be on its way."""
        facts = receipt.metadata
        if (facts.get("state"), facts.get("etag")) != ("queued", etag):
            return False
        return now - datetime.fromisoformat(facts["at"]) < timedelta(seconds=self.requeue_s)


class Pages:
    """A listing as a stream of blobs that remembers the token of the page it is in."""

    def __init__(self, read: Callable[[str], Awaitable[Page]], token: str) -> None:
        self._read = read
        self._next: str | None = token
        self.token = token
        self._blobs: deque[Listed] = deque()

    async def head(self) -> Listed | None:
        """The next blob, left in its place; None at the end."""
        while not self._blobs and self._next is not None:
            self.token = self._next
            page = await self._read(self._next)
            self._blobs.extend(page.blobs)
            self._next = page.token or None
        return self._blobs[0] if self._blobs else None

    def drop(self) -> None:
        """Passes the blob that `head` gave."""
        self._blobs.popleft()


Pair = tuple[str, Listed | None, Listed | None]


async def side_by_side(uploads: Pages, receipts: Pages, receipt_prefix: str, after: str) -> AsyncIterator[Pair]:
    """Each name after `after` that there is an upload or a receipt of, in order, with both where there are both."""
    while True:
        upload, receipt = await uploads.head(), await receipts.head()
        names = [blob.name for blob in (upload,) if blob] + [
            blob.name.removeprefix(receipt_prefix) for blob in (receipt,) if blob
        ]
        if not names:
            return
        name = min(names)
        has_upload = upload is not None and upload.name == name
        has_receipt = receipt is not None and receipt.name == receipt_prefix + name
        if has_upload:
            uploads.drop()
        if has_receipt:
            receipts.drop()
        if name > after:
            yield name, upload if has_upload else None, receipt if has_receipt else None
