"""The asynchronous Python SDK against the hub."""

import asyncio
from collections import Counter
from typing import Any
from uuid import uuid4

import pytest
from azure.eventhub import EventData
from azure.eventhub.aio import EventHubConsumerClient, EventHubProducerClient
from azure.eventhub.exceptions import EventHubError
from azure.eventhub.extensions.checkpointstoreblobaio import BlobCheckpointStore

HUB = "contract"
WAIT_S = 20


async def read(connection_string: str, count: int, *, client: Any = None, **options: Any) -> list[Any]:
    """Receive from one partition until `count` events are there."""
    client = client or EventHubConsumerClient.from_connection_string(
        connection_string, options.pop("group", "$Default"), eventhub_name=HUB
    )
    events: list[Any] = []
    enough = asyncio.Event()

    async def on_event(_: Any, event: Any) -> None:
        events.append(event)
        if len(events) >= count:
            enough.set()

    async with client:
        receiving = asyncio.create_task(client.receive(on_event, **options))
        try:
            await asyncio.wait_for(enough.wait(), WAIT_S)
        finally:
            receiving.cancel()
            await asyncio.gather(receiving, return_exceptions=True)
    return events


def producer_of(connection_string: str, **options: Any) -> EventHubProducerClient:
    return EventHubProducerClient.from_connection_string(connection_string, eventhub_name=HUB, **options)


async def test_a_thousand_events_in_order(connection_string: str) -> None:
    """Batches of many sizes come back whole and in order, in every consumer group."""
    async with producer_of(connection_string) as producer:
        start = (await producer.get_partition_properties("0"))["last_enqueued_sequence_number"]
        sent = 0
        for size in (1, 9, 90, 900):
            batch = await producer.create_batch(partition_id="0")
            for number in range(sent, sent + size):
                batch.add(EventData(f"{number}"))
            await producer.send_batch(batch)
            sent += size
    for group in ("$Default", "other"):
        events = await read(
            connection_string, sent, group=group, partition_id="0", starting_position=start, prefetch=300
        )
        assert [event.body_as_str() for event in events] == [str(number) for number in range(sent)]


async def test_fat_events_pass_whole(connection_string: str) -> None:
    """Events near the size limit need many frames and come back to the byte."""
    body = bytes(range(256)) * 1000
    async with producer_of(connection_string) as producer:
        start = (await producer.get_partition_properties("1"))["last_enqueued_sequence_number"]
        for _ in range(4):
            await producer.send_batch([EventData(body)], partition_id="1")
    events = await read(connection_string, 4, partition_id="1", starting_position=start)
    assert all(b"".join(event.body) == body for event in events)


async def test_a_sixth_receiver_waits_for_a_place(connection_string: str) -> None:
    """Five consumers share a partition in one group; a sixth gets events only when one of them has left."""
    clients = [
        EventHubConsumerClient.from_connection_string(connection_string, "other", eventhub_name=HUB, retry_total=0)
        for _ in range(6)
    ]
    served = [asyncio.Event() for _ in clients]

    async def receive(index: int) -> None:
        async def on_event(*_: Any) -> None:
            served[index].set()

        await clients[index].receive(on_event, partition_id="3", starting_position="-1")

    async with producer_of(connection_string) as producer:
        await producer.send_batch([EventData("x")], partition_id="3")
    receiving = []
    for index in range(5):
        receiving.append(asyncio.create_task(receive(index)))
        await asyncio.wait_for(served[index].wait(), WAIT_S)
    receiving.append(asyncio.create_task(receive(5)))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(served[5].wait(), 2)
    await clients[0].close()
    await asyncio.wait_for(served[5].wait(), WAIT_S)
    for task, client in zip(receiving, clients, strict=True):
        task.cancel()
        await client.close()
    await asyncio.gather(*receiving, return_exceptions=True)


async def test_a_group_that_is_not_there_gives_nothing(connection_string: str) -> None:
    """An unknown consumer group is refused: no event ever comes."""
    client = EventHubConsumerClient.from_connection_string(
        connection_string, "absent", eventhub_name=HUB, retry_total=0
    )
    with pytest.raises((TimeoutError, EventHubError)):
        await asyncio.wait_for(read(connection_string, 1, client=client, partition_id="0", starting_position="-1"), 2)


@pytest.mark.timeout(240)
async def test_two_processors_share_the_partitions_by_checkpoints(connection_string: str, azurite: str) -> None:
    """Processors with a blob checkpoint store share the load; a later one goes on where they checkpointed."""
    container = f"contract-{uuid4().hex[:12]}"
    store = BlobCheckpointStore.from_connection_string(azurite, container)
    async with store._container_client as blobs:
        await blobs.create_container()
    run = uuid4().hex
    seen: Counter[str] = Counter()
    owners: dict[str, set[int]] = {"0": set(), "1": set(), "2": set(), "3": set()}
    async with producer_of(connection_string) as producer:

        async def send_round(tag: str) -> None:
            for partition in owners:
                await producer.send_batch([EventData(f"{run}-{tag}-{partition}")], partition_id=partition)

        async def process(index: int, changed: asyncio.Event, starting: Any) -> None:
            checkpoints = BlobCheckpointStore.from_connection_string(azurite, container)
            client = EventHubConsumerClient.from_connection_string(
                connection_string,
                "$Default",
                eventhub_name=HUB,
                checkpoint_store=checkpoints,
                load_balancing_interval=1,
            )

            async def on_event(context: Any, event: Any) -> None:
                if event.body_as_str().startswith(run):
                    owners[context.partition_id].add(index)
                    await context.update_checkpoint(event)
                    # Counted last: with the fourth this processor is cancelled, and must have checkpointed it.
                    seen[event.body_as_str()] += 1
                    changed.set()

            async with checkpoints, client:
                await client.receive(on_event, starting_position=starting)

        async def run_until(indices: list[int], condition: Any, starting: Any) -> None:
            changed = asyncio.Event()
            tasks = [asyncio.create_task(process(index, changed, starting)) for index in indices]
            try:
                async with asyncio.timeout(90):
                    while not condition():
                        changed.clear()
                        await changed.wait()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

        ends = {
            partition: (await producer.get_partition_properties(partition))["last_enqueued_sequence_number"]
            for partition in owners
        }
        await send_round("one")
        await run_until([1], lambda: len(seen) == 4, ends)
        await send_round("two")
        await run_until([2], lambda: len(seen) == 8, "@latest")
    assert all(count == 1 for count in seen.values()), seen
    assert {index for group in owners.values() for index in group} == {1, 2}
