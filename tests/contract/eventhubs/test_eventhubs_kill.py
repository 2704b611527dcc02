"""`kill -9` under load: what was acknowledged is there, in order, once.

`HELIOGRAPH_KILL_ROUNDS` sets how often the broker is killed; the full run is 200.
"""

import asyncio
import contextlib
import os
import random
from pathlib import Path
from typing import Any

import pytest
from azure.eventhub import EventData
from azure.eventhub.aio import EventHubConsumerClient, EventHubProducerClient
from azure.eventhub.exceptions import EventHubError

HUB = "contract"
PARTITIONS = ("0", "1", "2")
ROUNDS = int(os.environ.get("HELIOGRAPH_KILL_ROUNDS", "6"))
_ROUND_TIMEOUT_S = 30


class Load:
    """Sends numbered batches to one partition, each once, and remembers which were acknowledged."""

    def __init__(self, partition: str, seed: int) -> None:
        self.partition = partition
        self.acknowledged: list[int] = []
        self.batches: list[range] = []
        self._chance = random.Random(seed)
        self._next = 0

    async def run(self, connection_string: str) -> None:
        """Send until cancelled or cut off; nothing is ever sent again."""
        client = EventHubProducerClient.from_connection_string(connection_string, eventhub_name=HUB, retry_total=0)
        with contextlib.suppress(EventHubError, OSError):
            async with client:
                while True:
                    await self._send(client)

    async def _send(self, client: EventHubProducerClient) -> None:
        numbers = range(self._next, self._next + self._chance.randint(1, 20))
        self._next = numbers.stop
        self.batches.append(numbers)
        padding = "x" * self._chance.choice((0, 10, 5000))
        await client.send_batch([EventData(f"{number} {padding}") for number in numbers], partition_id=self.partition)
        self.acknowledged += numbers


async def _stored(connection_string: str, partition: str) -> list[int]:
    """The numbers of all events of a partition, in the order that a consumer gets them."""
    found: list[int] = []
    async with EventHubConsumerClient.from_connection_string(
        connection_string, "$Default", eventhub_name=HUB
    ) as client:
        last = (await client.get_partition_properties(partition))["last_enqueued_sequence_number"]
        complete = asyncio.Event()
        if last < 0:
            return found

        async def on_batch(_: Any, events: list[Any]) -> None:
            found.extend(int(event.body_as_str().partition(" ")[0]) for event in events)
            if events and events[-1].sequence_number >= last:
                complete.set()

        receiving = asyncio.create_task(
            client.receive_batch(
                on_batch, partition_id=partition, starting_position="-1", prefetch=3000, max_batch_size=1000
            )
        )
        await asyncio.wait_for(complete.wait(), 300)
        receiving.cancel()
        await asyncio.gather(receiving, return_exceptions=True)
    return found


@pytest.mark.timeout(60 + 15 * ROUNDS)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
async def test_nothing_acknowledged_is_lost_when_the_broker_is_killed(tmp_path: Path, start_broker: Any) -> None:
    """Killed at random moments of a load of batches, the broker keeps each acknowledged batch whole, in order, once."""
    seed = random.randrange(2**32)
    print(f"seed {seed}, {ROUNDS} rounds")
    chance = random.Random(seed)
    loads = [Load(partition, chance.randrange(2**32)) for partition in PARTITIONS]
    port = 0
    for _ in range(ROUNDS):
        with start_broker(tmp_path, "--fsync=never", f"--port={port}", "--segment-mb=0.25") as broker:
            port = broker.port
            tasks = [asyncio.create_task(load.run(broker.connection_string)) for load in loads]
            target = sum(len(load.batches) for load in loads) + chance.randint(3, 150)
            async with asyncio.timeout(_ROUND_TIMEOUT_S):
                while sum(len(load.batches) for load in loads) < target:
                    await asyncio.sleep(0.002)
            broker.kill()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    with start_broker(tmp_path, "--fsync=never", f"--port={port}") as broker:
        for load in loads:
            stored = await _stored(broker.connection_string, load.partition)
            assert len(set(stored)) == len(stored), f"partition {load.partition}: an event is there twice"
            assert stored == sorted(stored), f"partition {load.partition}: the order is broken"
            missing = set(load.acknowledged) - set(stored)
            assert not missing, f"partition {load.partition}: {len(missing)} acknowledged events are lost"
            kept = set(stored)
            assert all(kept.issuperset(batch) or kept.isdisjoint(batch) for batch in load.batches), "a batch is torn"
            print(f"partition {load.partition}: {len(load.acknowledged)} acknowledged, {len(stored)} stored")
        assert all(load.acknowledged for load in loads)
