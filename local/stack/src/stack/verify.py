"""Recomputes windows from the events that the hub still has, and says where the stored ones differ.

Independent of the analyzer: a plain fold in memory over all readings of the time asked for.
"""

from __future__ import annotations

import asyncio
import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from azure.eventhub import EventData
from azure.eventhub.aio import EventHubConsumerClient, PartitionContext

from heliograph import topology
from heliograph.blobs import open_blobs
from heliograph.contracts import PlantWindow, Reading, iso_seconds
from heliograph.cosmos import open_cosmos
from heliograph.dead_letters import REPLAYED, parse_dead_letters
from heliograph.hub import consumer_client
from heliograph.rows import plant_windows
from heliograph.settings import CosmosSettings, ServiceSettings
from heliograph.storage import TILE_S, WINDOWS
from heliograph.wire import MalformedError, body_of, readings_codec

TOLERANCE = 1e-9
Place = tuple[str, int, int]
"""Partition, sequence number, index within the event: one copy of a reading."""


@dataclass(frozen=True, slots=True)
class Span:
    """Windows that start in `[start, end)`, of tumbling windows of `window_s` seconds."""

    start: datetime
    end: datetime
    window_s: int = 10

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end

    def window_of(self, moment: datetime) -> datetime:
        """Start of the window that a moment falls into."""
        seconds = math.floor(moment.timestamp() / self.window_s) * self.window_s
        return datetime.fromtimestamp(seconds, UTC)


@dataclass(frozen=True, slots=True)
class Fold:
    """What a window must say of generation, in kW; `count` of readings with generation, `readings` of all. The rest is
    weather, of which what came when the window had settled is in none (ADR 0305)."""

    readings: int
    count: int
    total: float
    least: float
    greatest: float


def fold(readings: Iterable[Reading], span: Span) -> dict[tuple[str, datetime], Fold]:
    """The windows of the readings, each once: of repeats the first that came, as the analyzer has it."""
    unique: dict[tuple[str, str, datetime], Reading] = {}
    for one in readings:
        if one.observed_at in span:
            unique.setdefault((one.plant_id, one.source, one.observed_at), one)
    groups: dict[tuple[str, datetime], list[Reading]] = defaultdict(list)
    for one in unique.values():
        groups[one.plant_id, span.window_of(one.observed_at)].append(one)
    return {place: _folded(group) for place, group in groups.items()}


def _folded(group: Sequence[Reading]) -> Fold:
    powers = [one.generation_kw for one in group if one.generation_kw is not None]
    nothing = math.nan
    return Fold(len(group), len(powers), math.fsum(powers), min(powers, default=nothing), max(powers, default=nothing))


def differences(due: Mapping[tuple[str, datetime], Fold], stored: Iterable[PlantWindow]) -> Iterator[str]:
    """A sentence for each window that is missing, too many or wrong."""
    left = dict(due)
    for window in stored:
        name = f"{window.plant_id} {iso_seconds(window.window_start)}"
        truth = left.pop((window.plant_id, window.window_start), None)
        if truth is None:
            if window.readings:
                yield f"{name}: stored with {window.readings} readings, the hub has none"
        else:
            yield from (f"{name}: {what}" for what in _compare(truth, window))
    for plant_id, start in sorted(place for place, truth in left.items() if truth.count):
        yield f"{plant_id} {iso_seconds(start)}: missing, the hub has {left[plant_id, start].readings} readings"


def _compare(truth: Fold, window: PlantWindow) -> Iterator[str]:
    if not truth.count <= window.readings <= truth.readings:
        least = "" if truth.count == truth.readings else f"{truth.count} to "
        yield f"readings is {window.readings}, must be {least}{truth.readings}"
    stored = window.generation_kw
    if (stored.count if stored else 0) != truth.count:
        yield f"generation_kw.count is {stored.count if stored else 0}, must be {truth.count}"
    elif stored:
        pairs = {"sum": truth.total, "min": truth.least, "max": truth.greatest}
        for name, must in pairs.items():
            found = getattr(stored, name)
            if not math.isclose(found, must, rel_tol=TOLERANCE, abs_tol=TOLERANCE):
                yield f"generation_kw.{name} is {found}, must be {must}"


async def retained(settings: ServiceSettings) -> list[tuple[Place, Reading]]:
    """All readings that the hub still has, in order within each partition. What can't be read is left to the dead
    letters."""
    readings: list[tuple[Place, Reading]] = []
    async with consumer_client(settings, topology.READINGS_HUB, "$Default") as client:
        for partition in await client.get_partition_ids():
            facts = await client.get_partition_properties(partition)
            if not facts["is_empty"]:
                await _read_partition(client, partition, int(facts["last_enqueued_sequence_number"]), readings)
    return readings


async def _read_partition(
    client: EventHubConsumerClient, partition: str, last: int, readings: list[tuple[Place, Reading]]
) -> None:
    done = asyncio.Event()

    async def take(_context: PartitionContext, events: list[EventData]) -> None:
        for event in events:
            try:
                decoded = readings_codec.decode(body_of(event))
            except MalformedError:
                continue
            sequence = event.sequence_number or 0
            bad = {one.index for one in decoded.rejected}
            places = (index for index in itertools.count() if index not in bad)
            readings.extend(((partition, sequence, next(places)), one) for one in decoded.messages)
        if events and (events[-1].sequence_number or 0) >= last:
            done.set()

    receiving = asyncio.create_task(
        client.receive_batch(take, partition_id=partition, starting_position="-1", prefetch=3000)
    )
    waiting = asyncio.create_task(done.wait())
    await asyncio.wait([receiving, waiting], return_when=asyncio.FIRST_COMPLETED)
    receiving.cancel()
    waiting.cancel()


async def refused(settings: ServiceSettings) -> set[Place]:
    """The copies of readings that the analyzer dead-lettered: too late, or stamped in the future. Another copy of the
    same reading may well have been in time."""
    places: set[Place] = set()
    async with open_blobs(settings) as client:
        container = client.get_container_client(topology.DEAD_LETTERS)
        for prefix in ("analyzer/", f"{REPLAYED}analyzer/"):
            async for name in container.list_blob_names(name_starts_with=prefix):
                letters = parse_dead_letters(await (await container.download_blob(name)).readall())
                places |= {(one.partition, one.sequence, one.index) for one in letters}
    return places


async def stored(settings: CosmosSettings, span: Span) -> list[PlantWindow]:
    """The windows of the span that Cosmos DB has."""
    bounds: list[dict[str, Any]] = [
        {"name": "@from", "value": int(span.start.timestamp()) - TILE_S},
        {"name": "@to", "value": int(span.end.timestamp()) + TILE_S},
    ]
    query = "SELECT * FROM c WHERE c.first >= @from AND c.first < @to AND IS_DEFINED(c.rows)"
    async with open_cosmos(settings) as client:
        container = client.get_database_client(topology.DATABASE).get_container_client(WINDOWS.name)
        documents = [one async for one in container.query_items(query, parameters=bounds)]
    name = f"tumbling-{span.window_s}s"
    return [one for one in plant_windows(documents) if one.window_start in span and one.window == name]


def last_hour(readings: Sequence[Reading]) -> Span | None:
    """The last whole hour of the readings' own time."""
    if not readings:
        return None
    newest = max(one.observed_at for one in readings)
    end = newest.replace(minute=0, second=0, microsecond=0)
    return Span(end - timedelta(hours=1), end)
