"""`python -m sink` between a real hub and a real Cosmos DB: killed in the middle, it ends in the same documents."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
from azure.core.exceptions import HttpResponseError
from azure.cosmos.aio import CosmosClient
from azure.eventhub import EventData
from azure.eventhub.aio import EventHubProducerClient
from azure.storage.blob.aio import BlobServiceClient

from heliograph.blobs import BlobFolder
from heliograph.dead_letters import parse_dead_letters
from heliograph.rows import plant_windows
from heliograph.storage import LATEST, WINDOWS
from heliograph.topology import DATABASE, DEAD_LETTERS, INSIGHTS_HUB, shard_of
from heliograph.wire import encode, to_event
from tests.conftest import COSMOS_KEY, HOST, free_port, running, running_broker, running_cosmos


async def documents(endpoint: str, container: str) -> list[dict]:
    async with CosmosClient(endpoint, COSMOS_KEY, enable_endpoint_discovery=False) as client:
        items = client.get_database_client(DATABASE).get_container_client(container)
        return [item async for item in items.query_items("SELECT * FROM c")]


async def until(check, what: str, timeout_s: float = 90.0):
    """The first true answer of an asynchronous check."""
    try:
        async with asyncio.timeout(timeout_s):
            while not (answer := await check()):
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise AssertionError(f"{what} did not come within {timeout_s:g} s") from None
    return answer


async def send(connection: str, events: dict[str, list[EventData]]) -> None:
    async with EventHubProducerClient.from_connection_string(connection, eventhub_name=INSIGHTS_HUB) as producer:
        for key, some in events.items():
            batch = await producer.create_batch(partition_key=key)
            for event in some:
                batch.add(event)
            await producer.send_batch(batch)


def packed(windows) -> dict[str, list[EventData]]:
    """An event a window, by partition key."""
    events: dict[str, list[EventData]] = {}
    for window in windows:
        events.setdefault(shard_of(window.plant_id), []).append(to_event(encode([window])))
    return events


@pytest.mark.timeout(240)
async def test_a_killed_sink_ends_in_the_same_documents(tmp_path: Path, azurite: str, make_plant) -> None:
    """Killed between commits and started again, the sink stores every window once; what can't be read is a letter."""
    windows = [make_plant(f"p{n % 20}", 10 * (n // 20), float(n)) for n in range(400)]
    expected = sorted(windows, key=lambda w: (w.plant_id, w.window_start))
    garbage = f"no insight, of {tmp_path.name}".encode()
    with running_broker(tmp_path) as hub, running_cosmos(tmp_path) as cosmos:
        env = os.environ | {
            "HELIOGRAPH_EVENTHUB_CONNECTION_STRING": hub,
            "HELIOGRAPH_STORAGE_CONNECTION_STRING": azurite,
            "HELIOGRAPH_COSMOS_ENDPOINT": cosmos,
            "HELIOGRAPH_COSMOS_KEY": COSMOS_KEY,
            "HELIOGRAPH_HTTP_HOST": HOST,
            "HELIOGRAPH_HTTP_PORT": str(free_port()),
            "HELIOGRAPH_FLUSH_S": "2",
            "HELIOGRAPH_OWNERSHIP_S": "3",
            "HELIOGRAPH_BALANCE_S": "0.5",
        }
        events = packed(windows[:200])
        events[shard_of("p0")].append(EventData(garbage))
        with running("sink", log=tmp_path / "sink.log", env=env) as first:
            await send(hub, events)
            await until(lambda: stored(cosmos), "the first window")
            first.send_signal(signal.SIGKILL)
        with running("sink", log=tmp_path / "sink.log", env=env) as second:
            await send(hub, packed(windows[200:]))

            async def complete() -> bool:
                return plant_windows(await documents(cosmos, WINDOWS.name)) == expected

            await until(complete, "all windows, once each")
            second.terminate()
            second.wait(25)
            assert second.returncode == 0, "the drain ended well"
        latest = {p: row for d in await documents(cosmos, LATEST.name) for p, row in d["rows"].items()}
    assert {p: row[1] for p, row in latest.items()} == {
        w.plant_id: int(w.window_start.timestamp()) for w in windows[-20:]
    }
    async with BlobServiceClient.from_connection_string(azurite) as blobs:
        folder = BlobFolder(blobs, DEAD_LETTERS)
        names = [name async for name in folder.names(f"sink/{INSIGHTS_HUB}/")]
        letters = [one for name in names for one in parse_dead_letters((await folder.get(name)).data)]
    assert [one.reason for one in letters if one.original == garbage] == ["malformed"]


async def stored(cosmos: str) -> list[dict]:
    """The documents of windows, none while the container is not there yet."""
    try:
        return await documents(cosmos, WINDOWS.name)
    except HttpResponseError:
        return []
