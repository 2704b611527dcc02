"""The work around the pure core, in the order that makes a crash harmless:

    send results ─▶ write the snapshot, on condition of its ETag ─▶ checkpoint

Whatever is lost between two of them is done again from the older snapshot and comes out the same, byte for byte.

Time that passes in silence is the one step that does not follow from the hub's log, so it is written down before it
is made: a snapshot that says up to when time is about to pass, then the step, then its results. The ETag lets one
replica alone write it. So a replica that slept while another took its partition publishes nothing of its own making:
what it makes of events is what the other makes of them, and before it lets time pass it finds that it was replaced.
Then it takes over what the other wrote and repeats on top the events that it has not saved itself.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from azure.eventhub import EventData

from analyzer import metrics
from analyzer.columns import Refused, to_micros
from analyzer.lane import Document
from analyzer.partition import Output, Partition
from analyzer.settings import AnalyzerSettings
from analyzer.snapshot import Restored, dump, restore
from heliograph import azure_time
from heliograph.blobs import BlobFolder, FencedError
from heliograph.contracts import PlantWindow
from heliograph.dead_letters import DeadLetter, DeadLetters
from heliograph.hub import Batch, Claimed, HubReader, HubSender, Item, Released
from heliograph.sites import SiteBook
from heliograph.telemetry import log
from heliograph.topology import READINGS_HUB
from heliograph.wire import MalformedError, body_of, encode, original_of, to_event

ASK_EVERY_S = 3.0
"""Between two questions whether a silent partition holds more."""

Step = tuple[int, Output]
"""What came of a step, with the sequence number of its event; of time passing, with that of the last event."""

MESSAGES_PER_EVENT = 400
"""Some 200 KB: well under an event's limit of 1 MB, and large enough that the SDK's cost per event is small."""


@dataclass(slots=True)
class _Held:
    """A partition that this replica owns."""

    partition: Partition
    etag: str | None
    unsaved: list[EventData] = field(default_factory=list)
    """Events taken that no snapshot covers yet."""
    last: EventData | None = None
    """The last event taken; None once the checkpoint covers it."""
    changed: bool = False
    saved_s: float = 0.0
    asked_s: float = 0.0
    """When the hub was last asked whether there is more."""
    counted_duplicates: int = 0
    saved_sequence: int = -1
    """Sequence number up to which the store has said that it holds the state."""


class Worker:
    """Takes what happens on the hub and keeps the order of work."""

    def __init__(
        self,
        settings: AnalyzerSettings,
        reader: HubReader,
        sender: HubSender,
        snapshots: BlobFolder,
        letters: DeadLetters,
        sites: SiteBook,
    ) -> None:
        self._settings = settings
        self._definitions, self._timing = settings.definitions(), settings.timing()
        self._reader, self._sender = reader, sender
        self._snapshots, self._letters, self._sites = snapshots, letters, sites
        self._surveyed = sites.version
        self._held: dict[str, _Held] = {}

    async def handle(self, item: Item) -> None:
        """One item of the reader."""
        match item:
            case Claimed(partition):
                await self._claim(partition)
            case Batch(partition, events):
                await self._analyse(partition, events)
            case Released(partition):
                self._held.pop(partition, None)
                metrics.forget(partition)
                log.info("partition released", partition=partition)

    async def drain(self) -> None:
        """Saves all partitions; the reader must have stopped."""
        for name in sorted(self._held):
            await self._save(self._held[name])

    async def _claim(self, name: str) -> None:
        started = time.monotonic()
        held, outputs = await self._restored(name)
        self._held[name] = held
        await self._say(held.partition, outputs)
        took_ms = round((time.monotonic() - started) * 1000)
        log.info("partition claimed", partition=name, sequence=held.partition.sequence, took_ms=took_ms)

    async def _restored(self, name: str) -> tuple[_Held, list[Step]]:
        """The partition as it was last saved, after the step that was then to come."""
        stored = await self._snapshots.get(_blob(name))
        if stored is None:
            blank = Partition(name, self._definitions, self._timing, self._sites.get)
            found, etag = Restored(blank, None), None
        else:
            found, etag = await asyncio.to_thread(self._restore, stored.data, name), stored.etag
        partition = found.partition
        held = _Held(partition, etag, saved_s=time.monotonic())
        held.saved_sequence, held.counted_duplicates = partition.sequence, partition.duplicates
        if found.tick_us is None:
            return held, []
        held.changed = True
        return held, [await asyncio.to_thread(_tick, partition, found.tick_us)]

    def _restore(self, data: bytes, name: str) -> Restored:
        found = restore(data, name, self._definitions, self._timing, self._sites.get)
        found.partition.survey(self._sites.get)
        return found

    async def _analyse(self, name: str, events: Sequence[EventData]) -> None:
        started = time.monotonic()
        self._survey()
        held = self._held[name]
        if events:
            outputs = await asyncio.to_thread(_steps, held.partition, events)
            held.unsaved += events
            held.last = events[-1]
            held.changed = True
        else:
            outputs = await self._let_time_pass(held)
        documents = await self._say(held.partition, outputs)
        if held.changed and time.monotonic() - held.saved_s >= self._settings.snapshot_every_s:
            await self._save(held)
        _tell(held, len(events), outputs, documents, started)

    def _survey(self) -> None:
        if self._surveyed != self._sites.version:
            self._surveyed = self._sites.version
            for one in self._held.values():
                one.partition.survey(self._sites.get)

    async def _let_time_pass(self, held: _Held) -> list[Step]:
        """The step that follows from no event: written down first, so that whoever comes after makes it too."""
        now_us = to_micros(azure_time.now())
        if not await asyncio.to_thread(held.partition.is_due, now_us) or not await self._is_at_end(held):
            return []
        if not await self._write(held, now_us):
            return []
        held.changed = True
        return [await asyncio.to_thread(_tick, held.partition, now_us)]

    async def _is_at_end(self, held: _Held) -> bool:
        """Whether the hub holds no more of the partition: while events are still on their way, time by the wall would
        call all of them late-comers and their plants silent."""
        if time.monotonic() - held.asked_s < ASK_EVERY_S:
            return False
        held.asked_s = time.monotonic()
        return await self._reader.is_at_end(held.partition.name, held.partition.sequence)

    async def _say(self, partition: Partition, outputs: Sequence[Step]) -> Sequence[Document]:
        """Publishes what steps led to; durable when it returns."""
        documents = [document for _, output in outputs for document in output.documents]
        await self._publish(partition.name, documents)
        await self._bury(partition.name, [(sequence, output.refused) for sequence, output in outputs if output.refused])
        return documents

    async def _publish(self, name: str, documents: Sequence[Document]) -> None:
        if not documents:
            return
        bodies = await asyncio.to_thread(lambda: [encode(part) for part in _chunks(documents)])
        await self._sender.send(f"p{name}", [to_event(body) for body in bodies])

    async def _bury(self, name: str, refused: Sequence[tuple[int, Sequence[Refused]]]) -> None:
        now = datetime.now(UTC)
        letters = [
            DeadLetter(
                service="analyzer",
                reason=one.reason,
                detail=f"{READINGS_HUB} partition {name}, sequence {sequence}: {one.detail}",
                source=READINGS_HUB,
                partition=name,
                sequence=sequence,
                index=one.index,
                at=now,
                original=one.original,
            )
            for sequence, group in refused
            for one in group
        ]
        if letters:
            await self._letters.put(letters)
            metrics.LATE.labels(name).inc(sum(letter.reason == "late" for letter in letters))

    async def _save(self, held: _Held) -> None:
        """Snapshot, then checkpoint. Everything that the partition said has been sent before."""
        while held.changed:
            held.changed = not await self._write(held)
        if held.last is not None and held.partition.name in self._reader.owned:
            await self._reader.checkpoint(held.partition.name, held.last)
            held.last = None

    async def _write(self, held: _Held, tick_us: int | None = None) -> bool:
        """Writes the snapshot. False if another owner had written it meanwhile: then all is as that one left it, with
        our unsaved events on top."""
        name = held.partition.name
        data = await asyncio.to_thread(dump, held.partition, tick_us)
        try:
            held.etag = await self._snapshots.put(_blob(name), data, etag=held.etag)
        except FencedError:
            metrics.FENCED.labels(name).inc()
            await self._take_over(held)
            return False
        metrics.SNAPSHOT_BYTES.labels(name).set(len(data))
        held.unsaved, held.saved_s, held.saved_sequence = [], time.monotonic(), held.partition.sequence
        return True

    async def _take_over(self, held: _Held) -> None:
        """Goes on from what another owner wrote. A snapshot older than one that the store had taken from us can only
        mean that the store lost it; then our own state holds more, and takes its place with the next write."""
        name, ours = held.partition.name, held.partition.sequence
        theirs, outputs = await self._restored(name)
        log.warning("snapshot fenced", partition=name, ours=ours, theirs=theirs.partition.sequence)
        if theirs.partition.sequence < held.saved_sequence:
            log.error("snapshot lost by the store", partition=name, saved=held.saved_sequence)
            held.etag = theirs.etag
            return
        outputs += await asyncio.to_thread(_steps, theirs.partition, held.unsaved)
        await self._say(theirs.partition, outputs)
        held.partition, held.etag = theirs.partition, theirs.etag
        held.saved_sequence = theirs.saved_sequence
        held.counted_duplicates = theirs.counted_duplicates


def _blob(partition: str) -> str:
    return f"analyzer/{partition}.snapshot"


def _steps(partition: Partition, events: Sequence[EventData]) -> list[Step]:
    """Each event's outcome."""
    return [(event.sequence_number or 0, _step(partition, event)) for event in events]


def _tick(partition: Partition, now_us: int) -> Step:
    """The outcome of time passing."""
    return partition.sequence, partition.pass_time(now_us)


def _step(partition: Partition, event: EventData) -> Output:
    sequence = event.sequence_number or 0
    enqueued_us = to_micros(event.enqueued_time or datetime.now(UTC))
    try:
        body = body_of(event)
    except MalformedError as error:
        return partition.refuse(sequence, enqueued_us, Refused(0, "malformed", str(error), original_of(event)))
    return partition.take(sequence, enqueued_us, body)


def _chunks(documents: Sequence[Document]) -> Iterator[Sequence[Document]]:
    for start in range(0, len(documents), MESSAGES_PER_EVENT):
        yield documents[start : start + MESSAGES_PER_EVENT]


def _tell(held: _Held, events: int, outputs: Sequence[Step], documents: Sequence[Document], started_s: float) -> None:
    """The canonical line of a batch, and the metrics."""
    partition = held.partition
    name = partition.name
    readings = sum(output.readings for _, output in outputs)
    took_s = time.monotonic() - started_s
    for kind, count in Counter(type(document).__name__ for document in documents).items():
        metrics.DOCUMENTS.labels(kind).inc(count)
    metrics.READINGS.labels(name).inc(readings)
    metrics.SEQUENCE.labels(name).set(partition.sequence)
    metrics.WATERMARK.labels(name).set(partition.published_us / 1e6)
    if partition.published_us:
        metrics.WATERMARK_DELAY.labels(name).set(time.time() - partition.published_us / 1e6)
    for end in {one.window_end for one in documents if isinstance(one, PlantWindow) and one.revision == 0}:
        metrics.WINDOW_DELAY.observe(time.time() - end.timestamp())
    duplicates = partition.duplicates
    metrics.DUPLICATES.labels(name).inc(max(0, duplicates - held.counted_duplicates))
    held.counted_duplicates = duplicates
    metrics.PLANTS.labels(name).set(len(partition.home))
    metrics.HELD.labels(name).set(partition.held_readings)
    metrics.BATCH_SECONDS.observe(took_s)
    if readings or documents:
        refused = sum(len(output.refused) for _, output in outputs)
        log.info("batch", partition=name, events=events, readings=readings, documents=len(documents),
                 refused=refused, sequence=partition.sequence, took_ms=round(took_s * 1000))  # fmt: skip
