"""Where the scan is and who does it: one blob, written on condition of what was read, so that one replica scans."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import msgspec

from heliograph import azure_time
from heliograph.blobs import BlobFolder

CURSOR_BLOB: Final = "thumbnailer/scan.json"
HOLD_S: Final = 20
"""A scanner that has not moved for so long has died; another takes its place."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A place in both listings. The tokens lead to the pages that it is in, `after` is the last name compared."""

    upload_token: str = ""
    receipt_token: str = ""
    after: str = ""


class _Held(msgspec.Struct, frozen=True, kw_only=True):
    holder: str
    until: datetime
    place: Place = Place()


class ScanCursor:
    """This replica's hold on the scan."""

    def __init__(self, folder: BlobFolder, holder: str, now: Callable[[], datetime] = azure_time.now) -> None:
        self._folder = folder
        self._holder = holder
        self._now = now
        self._etag: str | None = None

    async def claim(self) -> Place | None:
        """Where to go on, or None while another replica scans. Raises `FencedError` if another was faster."""
        stored = await self._folder.get(CURSOR_BLOB)
        self._etag = stored.etag if stored else None
        held = msgspec.json.decode(stored.data, type=_Held) if stored else _Held(holder="", until=self._now())
        if held.holder != self._holder and held.until > self._now():
            return None
        await self.note(held.place)
        return held.place

    async def note(self, place: Place) -> None:
        """Notes how far the scan is. Raises `FencedError` if another has taken over."""
        await self._write(_Held(holder=self._holder, until=self._now() + timedelta(seconds=HOLD_S), place=place))

    async def release(self) -> None:
        """Lets another replica go on from the place at once, if the scan is ours."""
        stored = await self._folder.get(CURSOR_BLOB)
        if stored is None:
            return
        held = msgspec.json.decode(stored.data, type=_Held)
        if held.holder == self._holder:
            self._etag = stored.etag
            await self._write(_Held(holder="", until=self._now(), place=held.place))

    async def _write(self, held: _Held) -> None:
        self._etag = await self._folder.put(
            CURSOR_BLOB, msgspec.json.encode(held), etag=self._etag, content_type="application/json"
        )
