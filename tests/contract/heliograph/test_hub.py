"""The shared reader and sender, against the broker and Azurite."""

import asyncio
import time
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from azure.core.exceptions import HttpResponseError
from azure.eventhub import EventData
from azure.eventhub.extensions.checkpointstoreblobaio import BlobCheckpointStore
from prometheus_client import REGISTRY
from pydantic import SecretStr

from heliograph import azure_time, hub
from heliograph.azure_time import AzureClock
from heliograph.hub import Batch, Claimed, HubReader, ReaderSettings, Released, open_reader, open_sender
from heliograph.topology import CHECKPOINTS, READINGS_HUB

HUB, GROUP = READINGS_HUB, "analyzer"


@pytest.fixture
def settings(own_broker: str, azurite: str) -> ReaderSettings:
    return ReaderSettings(
        eventhub_connection_string=SecretStr(own_broker),
        storage_connection_string=SecretStr(azurite),
        balance_s=0.3,
        ownership_s=3,
        idle_s=0.3,
    )


async def send(settings: ReaderSettings, key: str, *bodies: str) -> None:
    async with open_sender(settings, HUB) as sender:
        await sender.send(key, [EventData(body) for body in bodies])


async def batches(reader: HubReader, stop: asyncio.Event) -> AsyncIterator[Batch]:
    async for item in reader.items(stop):
        if isinstance(item, Batch) and item.events:
            yield item


async def read(settings: ReaderSettings, count: int, *, checkpoint: bool = True) -> list[str]:
    """The bodies of the next `count` events."""
    bodies: list[str] = []
    stop = asyncio.Event()
    async with asyncio.timeout(20), open_reader(settings, HUB, GROUP) as reader:
        async for batch in batches(reader, stop):
            bodies += [event.body_as_str() for event in batch.events]
            if checkpoint:
                await reader.checkpoint(batch.partition, batch.events[-1])
            if len(bodies) >= count:
                stop.set()
    return bodies


async def test_events_of_a_key_come_in_order(settings: ReaderSettings) -> None:
    """What is sent under one key comes from one partition, in the order sent."""
    sent = [f"event {number}" for number in range(500)]
    await send(settings, "s01", *sent)
    assert await read(settings, 500) == sent


async def test_reading_goes_on_from_the_checkpoint(settings: ReaderSettings) -> None:
    """After a restart what was checkpointed does not come again, and what was not does."""
    await send(settings, "s01", "first")
    assert await read(settings, 1) == ["first"]
    await send(settings, "s01", "second")
    assert await read(settings, 1, checkpoint=False) == ["second"]
    assert await read(settings, 1) == ["second"]


async def test_a_failure_in_the_loop_surfaces(settings: ReaderSettings) -> None:
    """An exception in the loop's body is raised out of it; the SDK does not swallow it."""
    await send(settings, "s02", "poison")
    stop = asyncio.Event()
    with pytest.RaisesGroup(ZeroDivisionError):
        async with asyncio.timeout(20), open_reader(settings, HUB, GROUP) as reader:
            async for _ in batches(reader, stop):
                raise ZeroDivisionError


async def test_every_partition_gets_a_first_checkpoint(settings: ReaderSettings, own_broker: str, azurite: str) -> None:
    """A claimed partition has a checkpoint although nothing came, so that KEDA sees no false lag."""
    stop = asyncio.Event()
    claimed: set[str] = set()
    async with asyncio.timeout(20), open_reader(settings, HUB, GROUP) as reader:
        async for item in reader.items(stop):
            if isinstance(item, Claimed):
                claimed.add(item.partition)
            if len(claimed) == 8:
                stop.set()
    namespace = own_broker.split("sb://")[1].split(";", maxsplit=1)[0]
    async with BlobCheckpointStore.from_connection_string(azurite, CHECKPOINTS) as store:
        known = {row["partition_id"]: row for row in await store.list_checkpoints(namespace, HUB, GROUP)}
    assert set(known) == claimed
    assert {int(row["sequence_number"]) for row in known.values()} == {-1}


async def test_a_claim_that_failed_is_made_again(settings: ReaderSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK goes on receiving where a claim failed: nothing of it may be dropped, and it is claimed anew."""
    refusals = iter([HttpResponseError("refused")] * 8)
    update = BlobCheckpointStore.update_checkpoint

    async def sometimes(store: BlobCheckpointStore, *given: object, **options: object) -> None:
        if refusal := next(refusals, None):
            raise refusal
        await update(store, *given, **options)

    monkeypatch.setattr(BlobCheckpointStore, "update_checkpoint", sometimes)
    sent = [f"event {number}" for number in range(20)]
    await send(settings, "s01", *sent)
    assert await read(settings, 20) == sent
    assert next(refusals, None) is None


async def test_a_silent_partition_is_reported(settings: ReaderSettings) -> None:
    """A partition without events yields empty batches, so that time goes on for its reader."""
    stop = asyncio.Event()
    async with asyncio.timeout(20), open_reader(settings, HUB, GROUP) as reader:
        async for item in reader.items(stop):
            if isinstance(item, Batch):
                assert item.events == []
                stop.set()


async def test_two_replicas_share_the_partitions(settings: ReaderSettings) -> None:
    """A second replica takes half of the partitions from the first, and each is told."""
    stop = asyncio.Event()
    owned: dict[str, set[str]] = {"a": set(), "b": set()}
    released: set[str] = set()

    async def replica(name: str) -> None:
        async with open_reader(settings, HUB, GROUP) as reader:
            async for item in reader.items(stop):
                owned[name] = set(reader.owned)
                if isinstance(item, Released):
                    released.add(item.partition)
                if len(owned["a"]) == len(owned["b"]) == 4:
                    stop.set()

    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        tasks.create_task(replica("a"))
        while len(owned["a"]) < 8:
            await asyncio.sleep(0.05)
        tasks.create_task(replica("b"))
    assert owned["a"] | owned["b"] == {str(number) for number in range(8)}
    assert released


async def test_lag_grows_while_work_on_a_batch_hangs(settings: ReaderSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits behind a batch that does not end is counted although no further batch is taken."""
    monkeypatch.setattr(hub, "LAG_EVERY_S", 0.2)
    await send(settings, "s03", "first")
    async with asyncio.timeout(30), open_reader(settings, HUB, GROUP) as reader:
        async for batch in batches(reader, asyncio.Event()):
            await send(settings, "s03", *["more"] * 7)
            while lag(batch.partition) != 7:
                await asyncio.sleep(0.05)
            break


async def test_lag_is_told_of_a_partition_that_nothing_came_from(
    settings: ReaderSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A receiver that has been silent since its claim shows the lag behind its checkpoint."""
    monkeypatch.setattr(hub, "LAG_EVERY_S", 0.2)
    await send(settings, "s03", "first", "second")
    assert len(await read(settings, 2)) == 2
    await send(settings, "s03", *["more"] * 7)
    async with asyncio.timeout(30), open_reader(settings, HUB, GROUP) as reader:
        async for item in reader.items(asyncio.Event()):
            assert not isinstance(item, Batch) or not item.events
            if isinstance(item, Claimed) and await reader._last_enqueued(item.partition) == 8:
                while lag(item.partition) != 7:
                    await asyncio.sleep(0.05)
                break


async def rival(
    settings: ReaderSettings, start: asyncio.Event, stop: asyncio.Event, has_half: asyncio.Event | None = None
) -> None:
    """A second replica, from `start` on."""
    await start.wait()
    async with open_reader(settings, HUB, GROUP) as reader:
        async for _ in reader.items(stop):
            if has_half and len(reader.owned) == 4:
                has_half.set()


async def test_no_batch_comes_of_a_partition_that_was_lost_meanwhile(settings: ReaderSettings) -> None:
    """Batches that wait while the work hangs are dropped when another replica takes their partition."""
    stop, hanging, taken = asyncio.Event(), asyncio.Event(), asyncio.Event()
    for number in range(32):
        await send(settings, f"s{number:02d}", "event")

    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        tasks.create_task(rival(settings, hanging, stop, taken))
        async with open_reader(settings, HUB, GROUP) as reader:
            async for item in reader.items(stop):
                if isinstance(item, Batch) and len(reader.owned) == 8 and not hanging.is_set():
                    hanging.set()
                    await taken.wait()
                elif isinstance(item, Batch) and taken.is_set():
                    assert item.partition in reader._claimed
                    if len(reader.owned) == 4:
                        stop.set()


async def test_the_lag_of_a_lost_partition_is_told_no_more(settings: ReaderSettings) -> None:
    """Once a partition is another replica's, this one's metrics do not go on about what it last saw."""
    stop, started = asyncio.Event(), asyncio.Event()
    for number in range(32):
        await send(settings, f"s{number:02d}", "event")

    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        tasks.create_task(rival(settings, started, stop))
        async with open_reader(settings, HUB, GROUP) as reader:
            async for item in reader.items(stop):
                if isinstance(item, Batch) and item.events:
                    await reader.checkpoint(item.partition, item.events[-1])
                    if all(lag(str(number)) is not None for number in range(8)):
                        started.set()
                if started.is_set() and isinstance(item, Released):
                    assert lag(item.partition) is None
                    stop.set()


def lag(partition: str) -> float | None:
    return REGISTRY.get_sample_value("heliograph_hub_lag_events", {"hub": HUB, "partition": partition})


@pytest.mark.parametrize("ahead_s", [240, -240])
async def test_a_replica_with_a_wrong_clock_takes_no_partition_from_one_that_lives(
    settings: ReaderSettings, monkeypatch: pytest.MonkeyPatch, ahead_s: float
) -> None:
    """Owners show as old as they are to the SDK, which compares their stamps with this machine's clock."""
    monkeypatch.setattr(azure_time, "_CLOCK", AzureClock(lambda: time.time() + ahead_s))
    stop = asyncio.Event()
    async with asyncio.timeout(20), open_reader(settings, HUB, GROUP) as reader:
        async for item in reader.items(stop):
            if isinstance(item, Claimed):
                place = (reader._contexts[item.partition].fully_qualified_namespace, HUB, GROUP)
                stop.set()
        stamps = [one["last_modified_time"] for one in await reader._store.list_ownership(*place)]
    assert stamps
    assert all(abs(one - ahead_s - time.time()) < 5 for one in stamps)


async def test_an_event_over_the_limit_is_refused(settings: ReaderSettings) -> None:
    """An event that no batch can hold is refused at once and by name, not tried for ever."""
    with pytest.raises(ValueError, match="size"):
        await send(settings, uuid4().hex, "x" * 1_100_000)
