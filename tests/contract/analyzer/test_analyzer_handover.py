"""Two analyzers that both believe that a partition is theirs, on real hubs and blobs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from azure.eventhub import EventData
from azure.eventhub.aio import EventHubConsumerClient, EventHubProducerClient
from prometheus_client import REGISTRY
from pydantic import SecretStr

from analyzer.settings import AnalyzerSettings
from analyzer.worker import Worker
from heliograph.blobs import ANY, BlobFolder, open_blobs
from heliograph.contracts import PlantWindow, Reading
from heliograph.dead_letters import DeadLetters
from heliograph.hub import Batch, Claimed, HubReader, HubSender, Released, open_sender
from heliograph.sites import SiteBook
from heliograph.topology import DEAD_LETTERS, HUB_PARTITIONS, INSIGHTS_HUB, READINGS_HUB, SNAPSHOTS
from heliograph.wire import body_of, encode, insights_codec, to_event
from local_azure.eventhubs.partition_key import partition_of_key
from tests.conftest import running_broker

PARTITION = "5"
SAID_IN = str(partition_of_key(f"p{PARTITION}", HUB_PARTITIONS))
"""Where the insights of the partition go."""
IDLE_S = 0.4
START = datetime(2026, 6, 21, 3, 0, tzinfo=UTC)


@dataclass
class Desk:
    """Stands for the reader, so that the test says who sees what and when."""

    owned: set[str] = field(default_factory=lambda: {PARTITION})
    checkpoints: list[int] = field(default_factory=list)

    async def checkpoint(self, _partition: str, event: EventData) -> None:
        self.checkpoints.append(event.sequence_number or 0)

    async def is_at_end(self, _partition: str, _sequence: int) -> bool:
        """The answer of a replica that asked just before it fell asleep."""
        return True


class Crashed(Exception):  # noqa: N818 - what the test makes happen
    """The replica dies here."""


@dataclass
class Place:
    """A partition of both hubs, and replicas that work on it."""

    settings: AnalyzerSettings
    stack: AsyncExitStack

    async def replica(self, *, dies_on_send: bool = False) -> Worker:
        blobs = await self.stack.enter_async_context(open_blobs(self.settings))
        sender = await self.stack.enter_async_context(open_sender(self.settings, INSIGHTS_HUB))
        if dies_on_send:
            sender = cast("HubSender", Dying())
        letters = DeadLetters(BlobFolder(blobs, DEAD_LETTERS), "analyzer")
        snapshots = BlobFolder(blobs, SNAPSHOTS)
        worker = Worker(self.settings, cast("HubReader", Desk()), sender, snapshots, letters, SiteBook())
        await worker.handle(Claimed(PARTITION))
        return worker

    @property
    def hubs(self) -> str:
        assert self.settings.eventhub_connection_string is not None
        return self.settings.eventhub_connection_string.get_secret_value()

    async def events(self, *seconds: Sequence[int]) -> list[EventData]:
        """Each group of seconds as an event of readings, as the hub gives it back."""
        bodies = [to_event(encode([reading(second) for second in group])) for group in seconds]
        async with EventHubProducerClient.from_connection_string(self.hubs, eventhub_name=READINGS_HUB) as producer:
            await producer.send_batch(bodies, partition_id=PARTITION)
        return await self.read(READINGS_HUB, PARTITION)

    async def read(self, hub: str, partition: str) -> list[EventData]:
        """All events of a partition."""
        client = EventHubConsumerClient.from_connection_string(self.hubs, "$Default", eventhub_name=hub)
        async with client:
            facts = await client.get_partition_properties(partition)
            return [] if facts["is_empty"] else await _all(client, partition, facts["last_enqueued_sequence_number"])

    async def stored(self) -> dict[datetime, int]:
        """What the sink would hold: of each window the readings at the highest revision, of equal ones the last."""
        held: dict[datetime, PlantWindow] = {}
        for event in await self.read(INSIGHTS_HUB, SAID_IN):
            for one in insights_codec.decode(body_of(event)).messages:
                if isinstance(one, PlantWindow):
                    known = held.get(one.window_start)
                    if known is None or known.revision <= one.revision:
                        held[one.window_start] = one
        return {start: one.readings for start, one in held.items()}


class Dying:
    async def send(self, _key: str, _events: Sequence[EventData]) -> None:
        raise Crashed


async def _all(client: EventHubConsumerClient, partition: str, last: int) -> list[EventData]:
    found: list[EventData] = []
    done = asyncio.Event()

    async def take(_context: Any, events: list[EventData]) -> None:
        found.extend(events)
        if found and (found[-1].sequence_number or 0) >= last:
            done.set()

    receiving = asyncio.create_task(client.receive_batch(take, partition_id=partition, starting_position="-1"))
    await asyncio.wait_for(done.wait(), 20)
    receiving.cancel()
    return found


def reading(second: int) -> Reading:
    at = START + timedelta(seconds=second)
    return Reading(
        v=1, plant_id="p", source="test", observed_at=at, region="r", capacity_kw=100.0, generation_kw=float(second)
    )


@pytest.fixture
async def place(tmp_path: Path, azurite: str) -> AsyncIterator[Place]:
    with running_broker(tmp_path) as broker:
        settings = AnalyzerSettings(
            eventhub_connection_string=SecretStr(broker),
            storage_connection_string=SecretStr(azurite),
            source_idle_s=IDLE_S,
            out_of_order_s=0,
            snapshot_every_s=0.001,
        )
        async with AsyncExitStack() as stack, open_blobs(settings) as blobs:
            await BlobFolder(blobs, SNAPSHOTS).delete(f"analyzer/{PARTITION}.snapshot")
            yield Place(settings, stack)


def silence() -> None:
    """Until the watermark has passed the end of a window whose last second was heard of."""
    time.sleep(IDLE_S + 1.2)


async def test_who_slept_through_the_loss_of_a_partition_publishes_nothing(place: Place) -> None:
    """A replica that wakes up after another took its partition finds that out before it lets time pass: it does not
    publish half of a window over the whole one."""
    half, rest, later = await place.events(range(5, 10), range(5), [30])
    sleeper = await place.replica()
    await sleeper.handle(Batch(PARTITION, [half]))
    heir = await place.replica()
    await heir.handle(Batch(PARTITION, [rest, later]))
    assert (await place.stored())[START] == 10
    silence()
    await sleeper.handle(Batch(PARTITION, []))
    assert (await place.stored())[START] == 10


async def test_who_was_replaced_goes_on_from_the_other_ones_state(place: Place) -> None:
    """Two replicas that take turns, each unaware of the other, end in the same windows as one alone."""
    events = await place.events(range(5, 10), range(5), range(15, 20), range(10, 15), [40])
    one, other = await place.replica(), await place.replica()
    await one.handle(Batch(PARTITION, events[:1]))
    silence()
    await one.handle(Batch(PARTITION, []))
    await other.handle(Batch(PARTITION, events[:3]))
    await one.handle(Batch(PARTITION, events[1:4]))
    silence()
    await other.handle(Batch(PARTITION, []))
    await one.handle(Batch(PARTITION, events[4:]))
    stored = await place.stored()
    assert stored[START] == stored[START + timedelta(seconds=10)] == 10


async def test_a_store_that_loses_a_snapshot_gets_it_again(place: Place) -> None:
    """A store that comes back from a crash with an older snapshot than it had taken costs no reading: the owner, which
    knows more, writes its own."""
    first, second, third, later = await place.events(range(3), range(3, 6), range(6, 10), [30])
    owner = await place.replica()
    await owner.handle(Batch(PARTITION, [first]))
    async with open_blobs(place.settings) as blobs:
        folder = BlobFolder(blobs, SNAPSHOTS)
        old = await folder.get(f"analyzer/{PARTITION}.snapshot")
        assert old is not None
        await owner.handle(Batch(PARTITION, [second]))
        await folder.put(f"analyzer/{PARTITION}.snapshot", old.data, etag=ANY)
    await owner.handle(Batch(PARTITION, [third]))
    heir = await place.replica()
    await heir.handle(Batch(PARTITION, [later]))
    assert (await place.stored())[START] == 10


async def test_a_step_that_was_written_down_is_made_by_the_heir(place: Place) -> None:
    """A replica that dies between writing down that time passes and publishing what comes of it leaves that to the
    next one, and the window's later corrections count on from it."""
    half, rest, later = await place.events(range(5, 10), range(5), [30])
    dead = await place.replica(dies_on_send=True)
    await dead.handle(Batch(PARTITION, [half]))
    silence()
    with pytest.raises(Crashed):
        await dead.handle(Batch(PARTITION, []))
    assert await place.stored() == {}
    heir = await place.replica()
    assert await place.stored() == {START: 5}
    await heir.handle(Batch(PARTITION, [half, rest, later]))
    assert (await place.stored())[START] == 10


async def test_of_a_partition_that_was_let_go_another_tells(place: Place) -> None:
    """A replica's gauges of a partition end with its ownership; they would show an old watermark for ever."""
    [event] = await place.events(range(5))
    owner = await place.replica()
    await owner.handle(Batch(PARTITION, [event]))
    assert "heliograph_analyzer_watermark_seconds" in gauges()
    await owner.handle(Released(PARTITION))
    assert gauges() == set()


def gauges() -> set[str]:
    """Those of the analyzer that tell of the partition."""
    return {
        sample.name
        for family in REGISTRY.collect()
        for sample in family.samples
        if family.type == "gauge"
        and family.name.startswith("heliograph_analyzer")
        and PARTITION in sample.labels.values()
    }
