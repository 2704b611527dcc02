"""The sink's loop: takes batches from the hub, has them written, and checkpoints what is durable."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime

from azure.eventhub import EventData

from heliograph.contracts import Insight, PlantWindow
from heliograph.dead_letters import DeadLetter, DeadLetters
from heliograph.hub import Batch, Claimed, HubReader, Item, Released
from heliograph.storage import cell_of
from heliograph.telemetry import log
from heliograph.topology import INSIGHTS_HUB
from heliograph.wire import MalformedError, body_of, insights_codec, original_of
from sink import metrics
from sink.journal import Commit
from sink.latest import Rows, merged, newest
from sink.states import LatestStates
from sink.writer import Writer


@dataclass(slots=True)
class _Partition:
    """What is durable of a partition but not yet flushed."""

    flushed_s: float
    newest: Rows = field(default_factory=dict)
    last: EventData | None = None


class Worker:
    """Owns the order of work: durable in Cosmos, then the plants' latest state, then the checkpoint."""

    def __init__(
        self,
        reader: HubReader,
        writer: Writer,
        states: LatestStates,
        letters: DeadLetters,
        *,
        cells: int,
        flush_s: float,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._states = states
        self._letters = letters
        self._cells = cells
        self._flush_s = flush_s
        self._partitions: dict[str, _Partition] = {}

    async def run(self, stopping: asyncio.Event) -> None:
        """Works until `stopping` is set, then flushes what it holds."""
        async with aclosing(self._reader.items(stopping)) as items:
            async for item in items:
                await self._handle(item)
        for partition in self._partitions:
            await self._flush(partition)

    async def _handle(self, item: Item) -> None:
        match item:
            case Claimed(partition):
                self._partitions[partition] = _Partition(time.monotonic())
            case Released(partition):
                self._partitions.pop(partition, None)
            case Batch(partition, events):
                if events:
                    await self._commit(partition, events)
                if time.monotonic() >= self._partitions[partition].flushed_s + self._flush_s:
                    await self._flush(partition)

    async def _commit(self, partition: str, events: Sequence[EventData]) -> None:
        began_s = time.monotonic()
        insights, letters = _decoded(partition, events)
        await self._letters.put(letters)
        await self._writer.commit(insights, _commit_of(partition, events))
        state = self._partitions[partition]
        state.newest = merged(state.newest, newest(one for one in insights if isinstance(one, PlantWindow)))
        state.last = events[-1]
        took_s = time.monotonic() - began_s
        metrics.COMMIT_S.observe(took_s)
        for event in events:
            if event.enqueued_time:
                metrics.DOCUMENT_DELAY.observe(time.time() - event.enqueued_time.timestamp())
        log.info(
            "committed",
            partition=partition,
            events=len(events),
            insights=len(insights),
            refused=len(letters),
            took_ms=round(took_s * 1000),
        )

    async def _flush(self, partition: str) -> None:
        state = self._partitions[partition]
        state.flushed_s = time.monotonic()
        if state.last is None:
            return
        cells: dict[str, Rows] = defaultdict(dict)
        for plant_id, row in state.newest.items():
            cells[cell_of(plant_id, self._cells)][plant_id] = row
        async with asyncio.TaskGroup() as tasks:
            for cell, rows in cells.items():
                tasks.create_task(self._states.merge(cell, rows))
        await self._reader.checkpoint(partition, state.last)
        state.newest, state.last = {}, None


def _commit_of(partition: str, events: Sequence[EventData]) -> Commit:
    taken = events[0].enqueued_time or datetime.now(UTC)
    return Commit(partition, _sequence(events[0]), _sequence(events[-1]), int(taken.timestamp() * 1000))


def _sequence(event: EventData) -> int:
    return -1 if event.sequence_number is None else event.sequence_number


def _decoded(partition: str, events: Sequence[EventData]) -> tuple[list[Insight], list[DeadLetter]]:
    """The insights of the events, and letters for what can't be understood."""
    insights: list[Insight] = []
    letters: list[DeadLetter] = []
    for event in events:
        try:
            decoded = insights_codec.decode(body_of(event))
        except MalformedError as error:
            letters.append(_malformed(partition, event, str(error), 0, original_of(event)))
            continue
        insights.extend(decoded.messages)
        letters.extend(
            _malformed(partition, event, rejected.reason, rejected.index, rejected.original)
            for rejected in decoded.rejected
        )
    return insights, letters


def _malformed(partition: str, event: EventData, detail: str, index: int, original: bytes) -> DeadLetter:
    return DeadLetter(
        service="sink",
        reason="malformed",
        detail=detail,
        source=INSIGHTS_HUB,
        partition=partition,
        sequence=_sequence(event),
        index=index,
        at=datetime.now(UTC),
        original=original,
    )
