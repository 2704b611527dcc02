"""Recomputes windows from the events that the hub still has, and says where the stored ones differ.

Independent of the analyzer: a plain fold in memory over the readings of the time asked for, and no others are kept.
"""

from __future__ import annotations

import asyncio
import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from azure.eventhub import EventData
from azure.eventhub.aio import EventHubConsumerClient, PartitionContext

from heliograph import topology
from heliograph.blobs import SOON, open_blobs
from heliograph.contracts import PlantWindow, Reading, iso_seconds
from heliograph.cosmos import open_cosmos
from heliograph.dead_letters import REPLAYED, parse_dead_letters
from heliograph.hub import consumer_client
from heliograph.rows import plant_windows
from heliograph.settings import CosmosSettings, ServiceSettings
from heliograph.storage import TILE_S, WINDOWS
from heliograph.wire import MalformedError, body_of, readings_codec

TOLERANCE = 1e-9
HOUR = timedelta(hours=1)
SETTLING = timedelta(minutes=5)
"""An hour is whole once a reading is this much later: windows wait for stragglers, and take their way to Cosmos DB."""
EPOCH = datetime.fromtimestamp(0, UTC)
LONGEST_S = 7 * 86_400
"""A window of the analyzer is no longer."""
Place = tuple[str, int, int]
"""Partition, sequence number, index within the event: one copy of a reading."""


@dataclass(frozen=True, slots=True)
class Tumbling:
    """Windows back to back from the epoch on; `name` is what documents call them."""

    name: str
    size: timedelta

    def start_of(self, moment: datetime) -> datetime:
        """Start of the window that a moment falls into."""
        return EPOCH + (moment - EPOCH) // self.size * self.size


TEN_SECONDS = Tumbling("tumbling-10s", timedelta(seconds=10))


def parse_tumbling(text: str) -> Tumbling:
    """The window that a name such as `tumbling-60s` means, as in HELIOGRAPH_WINDOWS. Raises `ValueError` for others."""
    size = text.removeprefix("tumbling-")
    try:
        seconds = float(size.removesuffix("s"))
    except ValueError:
        seconds = math.nan
    if size == text or not size.endswith("s") or not 1e-6 <= seconds <= LONGEST_S:
        raise ValueError(f"{text!r}, it must be a tumbling window of at most {LONGEST_S} s, such as tumbling-60s")
    return Tumbling(text, timedelta(seconds=seconds))


@dataclass(frozen=True, slots=True)
class Span:
    """Windows that start in `[start, end)`."""

    start: datetime
    end: datetime
    window: Tumbling = TEN_SECONDS

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end

    def covers(self, moment: datetime) -> bool:
        """Whether a moment falls into one of the windows."""
        return self.window.start_of(moment) in self


def last_hour(newest: datetime, window: Tumbling) -> Span:
    """The last whole hour before the newest reading, by the readings' own time."""
    end = (newest - SETTLING).replace(minute=0, second=0, microsecond=0)
    return Span(end - HOUR, end, window)


class Kept:
    """Of all readings that come, those that are to be verified: all that the span asked for covers, or without one
    those from the last whole hour on, which moves with the newest; so little more than two hours of them."""

    def __init__(self, asked: Span | None, window: Tumbling = TEN_SECONDS) -> None:
        self.span = asked
        """What is to be verified; None while no reading has come that would tell."""
        self.readings: list[Reading] = []
        self._window = window
        self._moves = asked is None

    def add(self, one: Reading) -> None:
        """Keeps a reading, and drops those that it leaves behind."""
        if self._moves and (self.span is None or one.observed_at - SETTLING >= self.span.end + HOUR):
            self.span = last_hour(one.observed_at, self._window)
            self.readings = [earlier for earlier in self.readings if self._wants(earlier, self.span)]
        if self.span and self._wants(one, self.span):
            self.readings.append(one)

    def _wants(self, one: Reading, span: Span) -> bool:
        return one.observed_at >= span.start if self._moves else span.covers(one.observed_at)


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
        if span.covers(one.observed_at):
            unique.setdefault((one.plant_id, one.source, one.observed_at), one)
    groups: dict[tuple[str, datetime], list[Reading]] = defaultdict(list)
    for one in unique.values():
        groups[one.plant_id, span.window.start_of(one.observed_at)].append(one)
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


async def read_retained(settings: ServiceSettings, refused: Set[Place], kept: Kept) -> None:
    """Gives `kept` the readings that the hub has as it begins, in order within each partition, without the refused
    copies. What can't be read is left to the dead letters."""
    async with consumer_client(settings, topology.READINGS_HUB, "$Default") as client:
        facts = [await client.get_partition_properties(one) for one in await client.get_partition_ids()]
        for one in facts:
            if not one["is_empty"]:
                await _read_partition(client, one["id"], int(one["last_enqueued_sequence_number"]), refused, kept)


async def _read_partition(
    client: EventHubConsumerClient, partition: str, last: int, refused: Set[Place], kept: Kept
) -> None:
    done = asyncio.Event()

    async def take(_context: PartitionContext, events: list[EventData]) -> None:
        for event in events:
            sequence = event.sequence_number or 0
            if sequence > last:
                break
            try:
                decoded = readings_codec.decode(body_of(event))
            except MalformedError:
                continue
            bad = {one.index for one in decoded.rejected}
            places = (index for index in itertools.count() if index not in bad)
            for one in decoded.messages:
                if (partition, sequence, next(places)) not in refused:
                    kept.add(one)
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
    async with open_blobs(settings, SOON) as client:
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
    return [one for one in plant_windows(documents) if one.window_start in span and one.window == span.window.name]
