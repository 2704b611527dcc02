"""Compares the uploads with their receipts and queues what no event has told of.

Both containers are listed in the order of names and read side by side, a page at a time: an upload without a settled
receipt is new or was overwritten, a receipt without an upload is of a photo that was deleted. The place is noted on
the way (`cursor.py`), so that a scan of millions goes on where it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final

from heliograph import azure_time
from heliograph.blobs import FencedError
from heliograph.resilience import is_transient
from heliograph.telemetry import log
from thumbnailer.comparison import GONE, Listed, Missed, Pages, Patience, side_by_side
from thumbnailer.cursor import Place, ScanCursor
from thumbnailer.events import Replay, created_message, deleted_message, replay_message
from thumbnailer.metrics import SCAN_FOUND, SCAN_SUCCESS, SCANNED
from thumbnailer.photos import is_addressable
from thumbnailer.queue import WorkQueue
from thumbnailer.receipts import Receipts
from thumbnailer.uploads import Listing

AT_ONCE: Final = 16
"""Messages that are put into the queue at the same time."""
STEP: Final = 1000
"""Names that are compared between two notes of the place."""
SHARE_OF_TIME: Final = 0.25
"""A scan that takes long is followed by a longer pause, so that listing stays a quarter of the time."""


class Scan:
    """The reconciling scan of one replica. `nudged` is set when something was put into the queue."""

    def __init__(
        self,
        *,
        uploads: Listing,
        filed: Listing,
        receipts: Receipts,
        cursor: ScanCursor,
        queue: WorkQueue,
        patience: Patience,
        nudged: asyncio.Event,
        now: Callable[[], datetime] = azure_time.now,
    ) -> None:
        self._uploads = uploads
        self._filed = filed
        self._receipts = receipts
        self._cursor = cursor
        self._queue = queue
        self._patience = patience
        self._nudged = nudged
        self._now = now
        self._places = asyncio.Semaphore(AT_ONCE)

    async def run(self, stopping: asyncio.Event, pause: Callable[[float], Awaitable[bool]], interval_s: float) -> None:
        """Scans again and again until `stopping` is set; `pause` waits, and tells whether it is. A scan that fails
        for its neighbours' sake goes on from its place after a pause."""
        pause_s = 0.0
        while not await pause(pause_s):
            started = time.monotonic()
            try:
                await self.once(stopping)
            except FencedError:
                log.info("scan taken over by another")
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning("scan broken off", error=f"{type(error).__name__}: {error}")
            pause_s = max(interval_s, (time.monotonic() - started) / SHARE_OF_TIME)
        with contextlib.suppress(FencedError):
            await self._cursor.release()

    async def once(self, stopping: asyncio.Event) -> int:
        """Scans from where the last scan stopped to the end; how many photos were queued. Stops early, noting its
        place, when `stopping` is set. Does nothing while another replica scans."""
        start = await self._cursor.claim()
        if start is None:
            return 0
        uploads = Pages(lambda token: self._uploads.page("", token), start.upload_token)
        receipts = Pages(lambda token: self._filed.page(self._receipts.prefix, token), start.receipt_token)
        queued = compared = 0
        found: list[Missed] = []
        async for name, upload, receipt in side_by_side(uploads, receipts, self._receipts.prefix, start.after):
            compared += 1
            if is_addressable(name) and (missed := self._patience.missed(name, upload, receipt, self._now())):
                found.append(missed)
            if compared % STEP == 0 or stopping.is_set():
                queued += await self._queue_all(found)
                found = []
                await self._cursor.note(Place(upload_token=uploads.token, receipt_token=receipts.token, after=name))
            if stopping.is_set():
                return queued
        queued += await self._queue_all(found)
        await self._cursor.note(Place())
        SCANNED.inc(compared)
        SCAN_SUCCESS.set(self._now().timestamp())
        return queued

    async def _queue_all(self, found: Sequence[Missed]) -> int:
        """Queues what was missed, and marks it as queued."""
        async with asyncio.TaskGroup() as tasks:
            for missed in found:
                tasks.create_task(self._queue_one(missed))
        if found:
            self._nudged.set()
            log.info("scan found photos", photos=len(found))
        return len(found)

    async def _queue_one(self, missed: Missed) -> None:
        """The message first and the mark after: a crash between the two queues a photo twice, never not at all."""
        async with self._places:
            if missed.upload is None:
                await self._queue.send(deleted_message(self._uploads.container, missed.name, self._now()))
            else:
                await self._send(missed.upload)
            etag = missed.upload.etag if missed.upload else GONE
            filed = missed.receipt.etag if missed.receipt else None
            await self._receipts.mark_queued(missed.name, etag, filed, self._patience.recipe, self._now())
        SCAN_FOUND.labels(missed.what).inc()

    async def _send(self, upload: Listed) -> None:
        await self._queue.send(
            created_message(self._uploads.container, upload.name, upload.etag, upload.size, self._now())
        )

    async def ask_for_replay(self, prefix: str) -> None:
        """Queues the wish that all photos whose names begin so are made again."""
        await self._queue.send(replay_message(prefix))
        self._nudged.set()

    async def replay(self, wish: Replay) -> None:
        """Queues a page of the uploads that a wish is about, whether done, poisoned or not, and the wish for the next
        page. The mark comes first: a photo that was marked and not queued is found by the next scan."""
        page = await self._uploads.page(wish.prefix, wish.token)
        async with asyncio.TaskGroup() as tasks:
            for upload in page.blobs:
                if is_addressable(upload.name):
                    tasks.create_task(self._replay_one(upload))
        if page.token:
            await self._queue.send(replay_message(wish.prefix, page.token))
        self._nudged.set()
        log.info("replay", prefix=wish.prefix, photos=len(page.blobs), ended=not page.token)

    async def _replay_one(self, upload: Listed) -> None:
        async with self._places:
            await self._receipts.reopen(upload.name)
            await self._send(upload)
