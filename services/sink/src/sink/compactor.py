"""Rolls up the marked spans: reads the span's windows, writes its points, hours and days, deletes the mark.

Spans of one partition key and day share their roll-up documents, so they are taken together: read once, folded one
after the other, written once. Each by itself would only make the others' writes fail.

Why the result is exact however often it is interrupted, and whoever else does the same: the roll-up is worked out
from all windows of a span; the roll-up documents are read before the windows and written on condition of their
ETags, so that a slower replica can't write what it worked out from fewer windows; and whoever has written windows of a
span rolls it up after the last of them, and deletes its own mark, only if it has not marked the span anew.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from azure.core.exceptions import HttpResponseError

from heliograph.rows import moment_of, plant_windows, region_windows
from heliograph.storage import ROLLUPS, TILE_S, WINDOWS, day_of, span_id
from heliograph.telemetry import log
from sink import metrics
from sink.journal import Span
from sink.marks import Marks
from sink.rollup import Document, plant_rollups, region_rollups
from sink.store import LOST_RACE, MAX_OPERATIONS, Operation, Store, write_over

MAX_TOGETHER = {"plants": 4, "regions": 48}
"""Spans taken together: four hours of a cell, or of all regions, are some 60,000 rows."""
_AT_A_TIME = 4

Marked = dict[Span, list[str]]
"""Spans to roll up, and the ids of the marks that are done with then."""


class Compactor:
    """Keeps the roll-ups up with the windows."""

    def __init__(self, store: Store, marks: Marks, commits: asyncio.Lock) -> None:
        self._store = store
        self._marks = marks
        self._commits = commits
        self._slots = asyncio.Semaphore(_AT_A_TIME)
        self._in_hand = 0

    async def roll_up_due(self) -> None:
        """Rolls up what is due now."""
        await self.roll_up(self._marks.due(time.monotonic()))
        self._tell()

    async def adopt_orphans(self, before_s: float) -> None:
        """Rolls up what replicas that are gone have left: marks that, by Cosmos's own clock, were written before that
        time, in seconds since the epoch."""
        found = await self._store.query(
            WINDOWS,
            "SELECT c.id, c.pk, c.of, c.span FROM c WHERE c.span >= 0 AND c._ts < @before",
            {"before": int(before_s)},
        )
        marks: Marked = defaultdict(list)
        for mark in found:
            marks[Span(mark["pk"], mark["of"], mark["span"])].append(mark["id"])
        await self._roll_up_all(marks)

    async def roll_up(self, spans: Sequence[Span]) -> None:
        """Rolls up spans that this process has marked."""
        await self._roll_up_all({span: [span_id(span.start_s, self._marks.writer)] for span in spans})

    async def _roll_up_all(self, marks: Marked) -> None:
        """A few groups at a time."""
        self._in_hand += len(marks)
        self._tell()
        async with asyncio.TaskGroup() as tasks:
            for group in _groups(marks):
                tasks.create_task(self._roll_up(group, marks))

    def _tell(self) -> None:
        metrics.ROLLUPS_WAITING.set(len(self._marks) + self._in_hand)

    async def _roll_up(self, group: Sequence[Span], marks: Marked) -> None:
        """Rolls up spans of one partition key and day, in their order."""
        size = MAX_TOGETHER[group[0].of]
        for start in range(0, len(group), size):
            spans = group[start : start + size]
            async with self._slots:
                async with self._commits:  # a commit under way has its windows durable before the marks are taken
                    for span in spans:
                        self._marks.take(span)
                while not await self._try(spans, marks):
                    log.info("roll-up again", spans=spans, reason="another replica wrote meanwhile")
            self._in_hand -= len(spans)
            self._tell()

    async def _try(self, spans: Sequence[Span], marks: Marked) -> bool:
        """True when the spans are rolled up. That another has taken a mark for an orphan's is no reason to leave its
        span: windows may have come since."""
        found = [await self._store.read(WINDOWS, name, span.pk) for span in spans for name in marks[span]]
        stored = await self._stored(spans[0])
        fresh: dict[str, Document] = {}
        for span in spans:
            fresh |= {document["id"]: document for document in await self._fold(span, {**stored, **fresh})}
        try:
            await self._write(spans[0].pk, fresh, stored)
        except HttpResponseError as error:
            if error.status_code in LOST_RACE:
                return False
            raise
        for mark in found:
            if mark is not None:
                await self._unmark(mark)
        metrics.ROLLED_UP.labels(spans[0].of).inc(len(spans))
        return True

    async def _stored(self, span: Span) -> dict[str, Document]:
        """The roll-ups of the span's partition key and day."""
        day = day_of(moment_of(span.start_s))
        found = await self._store.query(ROLLUPS, "SELECT * FROM c WHERE c.day = @day", {"day": day}, span.pk)
        return {document["id"]: document for document in found}

    async def _fold(self, span: Span, stored: Mapping[str, Document]) -> list[Document]:
        documents = await self._store.query(
            WINDOWS,
            "SELECT * FROM c WHERE c.first > @tile AND c.first < @end AND (c.first >= @start OR c.until >= @start)",
            {"tile": span.start_s - TILE_S, "start": span.start_s, "end": span.end_s},
            span.pk,
        )
        return await asyncio.to_thread(_folded, span, documents, stored)

    async def _write(self, pk: str, documents: Mapping[str, Document], stored: Mapping[str, Document]) -> None:
        operations: list[Operation] = [
            write_over(stored[name]["_etag"] if name in stored else None, document)
            for name, document in documents.items()
        ]
        for start in range(0, len(operations), MAX_OPERATIONS):
            await self._store.batch(ROLLUPS, pk, operations[start : start + MAX_OPERATIONS])

    async def _unmark(self, mark: Document) -> None:
        deletion: Operation = ("delete", (mark["id"],), {"if_match_etag": mark["_etag"]})
        try:
            await self._store.batch(WINDOWS, mark["pk"], [deletion])
        except HttpResponseError as error:
            if error.status_code not in LOST_RACE | {404}:
                raise


def _groups(spans: Iterable[Span]) -> list[list[Span]]:
    """The spans that share roll-up documents, each group in order of time."""
    groups: dict[tuple[str, str, str], list[Span]] = defaultdict(list)
    for span in sorted(set(spans)):
        groups[span.pk, span.of, day_of(moment_of(span.start_s))].append(span)
    return list(groups.values())


def mark_document(span: Span, writer: str) -> dict[str, Any]:
    """A writer's mark of a span."""
    return {"id": span_id(span.start_s, writer), "pk": span.pk, "of": span.of, "span": span.start_s}


def _folded(span: Span, documents: Sequence[Document], stored: Mapping[str, Document]) -> list[Document]:
    start, end = moment_of(span.start_s), moment_of(span.end_s)
    if span.of == "plants":
        windows = [window for window in plant_windows(documents) if start <= window.window_start < end]
        return plant_rollups(span, windows, stored)
    partials = [window for window in region_windows(documents) if start <= window.window_start < end]
    return region_rollups(span, partials, stored)
