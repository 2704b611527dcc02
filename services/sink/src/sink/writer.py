"""Makes insights durable in Cosmos DB, in an order that no crash can hurt.

    a batch of events ─▶ marks and windows ─▶ alerts, notes, photos       (commit)
    every few seconds ─▶ latest state of the plants ─▶ checkpoint         (flush, by `worker`)

Each step is idempotent, and a crash between two of them only means that the events are delivered again.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial

from azure.core.exceptions import HttpResponseError
from azure.cosmos.exceptions import CosmosBatchOperationError

from heliograph.contracts import Alert, AlertAction, Insight, Note, Photo, PlantWindow, RegionWindow
from heliograph.dead_letters import DeadLetter, DeadLetters
from heliograph.rows import plant_windows, region_windows
from heliograph.storage import ALERTS, NOTES, PHOTOS, WINDOWS, ContainerSpec, document_id, subject_of
from heliograph.topology import INSIGHTS_HUB
from heliograph.wire import encode
from sink import metrics
from sink.alerts import with_action, with_alert
from sink.compactor import mark_document
from sink.journal import Commit, Journal, journal
from sink.marks import Marks
from sink.records import note_document, with_photo
from sink.store import MAX_OPERATIONS, Document, Operation, Store

MAX_ROWS_IN_BATCH = 8000
"""Of windows; mostly about 1 MB, where a batch may have 2 MB. One with longer rows is written in halves."""
MAX_WINDOWS_IN_LETTER = 1000
"""Some 700 KB as the hub carries them, where an event may have 1 MB."""
POISON = frozenset({400, 413})
"""Answers that say that the document itself is wrong."""

Change = Callable[[Document | None], Document | None]
Place = tuple[ContainerSpec, str, str]
"""Container, partition key and id of a document."""


class Writer:
    """Writes what one replica of the sink reads."""

    def __init__(self, store: Store, letters: DeadLetters, marks: Marks, commits: asyncio.Lock, *, cells: int) -> None:
        self._store = store
        self._letters = letters
        self._marks = marks
        self._commits = commits
        self._cells = cells

    async def commit(self, insights: Sequence[Insight], commit: Commit) -> None:
        """Makes the insights of a commit durable. What Cosmos refuses goes to the dead letters with its error."""
        windows = [insight for insight in insights if isinstance(insight, PlantWindow | RegionWindow)]
        refused: list[DeadLetter] = []
        async with self._commits:
            await self._write_windows(windows, commit, refused)
        async with asyncio.TaskGroup() as tasks:
            for place, changes in _changes(insights).items():
                tasks.create_task(self._change(place, changes, commit, refused))
        await self._letters.put(refused)
        for insight in insights:
            metrics.WRITTEN.labels(type(insight).__name__).inc()

    async def _write_windows(
        self, windows: Sequence[PlantWindow | RegionWindow], commit: Commit, refused: list[DeadLetter]
    ) -> None:
        if not windows:
            return
        written = journal(windows, commit, self._cells)
        async with asyncio.TaskGroup() as tasks:
            now_s = time.monotonic()
            for pk, operations in self._operations(written, now_s):
                tasks.create_task(self._write(pk, operations, commit, refused))
        for pk, spans in written.spans.items():
            self._marks.touch(spans, now_s)
            newest = max(document.get("until", document["first"]) for document in written.documents[pk])
            self._marks.saw(max(spans, key=lambda span: span.start_s), newest)

    def _operations(self, written: Journal, now_s: float) -> Iterable[tuple[str, list[Operation]]]:
        """Batches of one partition key. A mark is never later than the windows that it marks."""
        for pk, documents in written.documents.items():
            unmarked = self._marks.unmarked(written.spans[pk], now_s)
            marks = [mark_document(span, self._marks.writer) for span in unmarked]
            for batch in _batches([*marks, *documents]):
                yield pk, [("upsert", (document,)) for document in batch]

    async def _write(self, pk: str, operations: Sequence[Operation], commit: Commit, refused: list[DeadLetter]) -> None:
        """Writes a batch without the documents that Cosmos refuses. One that it refuses as a whole, as too big, is
        written in halves one after the other, so that no mark is later than its windows."""
        parts: list[Sequence[Operation]] = [operations]
        while parts:
            batch = parts.pop(0)
            try:
                await self._store.batch(WINDOWS, pk, batch)
            except HttpResponseError as error:
                culprit = _culprit(error, batch)
                if culprit is None:
                    middle = len(batch) // 2
                    parts[:0] = batch[:middle], batch[middle:]
                else:
                    for insights in _held(batch[culprit][1][0]):
                        refused.append(_letter(insights, error, commit, len(refused)))
                    if rest := [*batch[:culprit], *batch[culprit + 1 :]]:
                        parts.insert(0, rest)

    async def _change(
        self, place: Place, changes: Sequence[tuple[Insight, Change]], commit: Commit, refused: list[DeadLetter]
    ) -> None:
        def change(document: Document | None) -> Document | None:
            changed = document
            for _, one in changes:
                changed = one(changed) or changed
            return None if changed == document else changed

        spec, pk, name = place
        try:
            await self._store.update(spec, name, pk, change)
        except HttpResponseError as error:
            if error.status_code not in POISON:
                raise
            for insight, _ in changes:
                refused.append(_letter([insight], error, commit, len(refused)))


def _held(document: Document) -> Iterable[Sequence[Insight]]:
    """The insights that a document of `windows` holds, as many together as one event carries; none for a mark."""
    windows: Sequence[Insight] = [*plant_windows([document]), *region_windows([document])]
    for start in range(0, max(len(windows), 1), MAX_WINDOWS_IN_LETTER):
        yield windows[start : start + MAX_WINDOWS_IN_LETTER]


def _letter(insights: Sequence[Insight], error: HttpResponseError, commit: Commit, index: int) -> DeadLetter:
    """The letter for insights that came in a commit; its original is what the hub would carry, so it can be sent
    again."""
    return DeadLetter(
        service="sink",
        reason="cosmos-refused",
        detail=f"{error.status_code}: {error.message}"[:2000],
        source=INSIGHTS_HUB,
        partition=commit.partition,
        sequence=commit.first,
        index=index,
        at=datetime.now(UTC),
        original=encode(insights),
    )


def _changes(insights: Iterable[Insight]) -> dict[Place, list[tuple[Insight, Change]]]:
    """What the insights change in single documents, in their order."""
    changes: dict[Place, list[tuple[Insight, Change]]] = defaultdict(list)
    for insight in insights:
        match insight:
            case Alert() | AlertAction():
                place = (ALERTS, subject_of(insight.alert_id), document_id(insight.alert_id))
                changes[place].append((insight, _alert_change(insight)))
            case Note():
                place = (NOTES, insight.plant_id, document_id(insight.note_id))
                changes[place].append((insight, partial(_with_note, note=insight)))
            case Photo():
                place = (PHOTOS, insight.plant_id, document_id(insight.photo_id))
                changes[place].append((insight, partial(with_photo, photo=insight)))
    return changes


def _alert_change(insight: Alert | AlertAction) -> Change:
    if isinstance(insight, Alert):
        return partial(with_alert, alert=insight)
    return partial(with_action, action=insight)


def _with_note(_known: Document | None, note: Note) -> Document:
    return note_document(note)


def _batches(documents: Sequence[Document]) -> Iterable[list[Document]]:
    batch: list[Document] = []
    rows = 0
    for document in documents:
        held = sum(map(len, document.get("rows", {}).values()))
        if batch and (len(batch) == MAX_OPERATIONS or rows + held > MAX_ROWS_IN_BATCH):
            yield batch
            batch, rows = [], 0
        batch.append(document)
        rows += held
    if batch:
        yield batch


def _culprit(error: HttpResponseError, operations: Sequence[Operation]) -> int | None:
    """The place of the document that Cosmos refused; None where it may be any, or all of them together. Raises the
    error again where no document is to blame."""
    if error.status_code not in POISON:
        raise error
    if isinstance(error, CosmosBatchOperationError):
        return int(error.error_index)
    return 0 if len(operations) == 1 else None
