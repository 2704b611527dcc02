"""The broker as a whole: starting, stopping, and when it may acknowledge."""

import asyncio
import base64
import contextlib
import threading
from pathlib import Path

import httpx
import pytest
from azure.eventhub import EventData
from azure.eventhub.aio import EventHubProducerClient

from local_azure.eventhubs import Broker, BrokerConfig, DataDirectoryInUseError, FsyncPolicy, HubConfig
from local_azure.eventhubs.durability import GroupSync

HUB = "readings"
CONFIG = BrokerConfig(hubs=(HubConfig(HUB, 2),), fsync=FsyncPolicy.ALWAYS, idle_timeout_ms=1000)


async def test_a_broker_lives_as_long_as_its_block(tmp_path: Path) -> None:
    """It serves health and faults on ports of its own, keeps what was sent, and gives its folder back at the end."""
    for expected in (0, 1):
        async with Broker(data_dir=tmp_path, config=CONFIG, port=0, health_port=0, admin_port=0) as broker:
            with pytest.raises(DataDirectoryInUseError, match=str(tmp_path)):
                await Broker(data_dir=tmp_path, config=CONFIG, port=0).__aenter__()
            async with httpx.AsyncClient() as http:
                health = await http.get(f"http://127.0.0.1:{broker.health_port}/health")
                assert (health.status_code, health.json()) == (200, {"status": "healthy", "hubs": [HUB]})
                armed = await http.post(f"http://127.0.0.1:{broker.admin_port}/faults", json={"kind": "latency"})
                assert (armed.status_code, len(broker.faults.armed())) == (201, 1)
                broker.faults.clear()
            async with EventHubProducerClient.from_connection_string(
                broker.connection_string, eventhub_name=HUB
            ) as producer:
                await producer.send_batch([EventData("x")], partition_id="0")
                properties = await producer.get_partition_properties("0")
                assert properties["last_enqueued_sequence_number"] == expected


async def test_an_idle_client_is_closed_and_comes_back(tmp_path: Path) -> None:
    """After the idle time-out the broker closes the connection; the SDK's next send opens another by itself."""
    async with Broker(data_dir=tmp_path, config=CONFIG, port=0) as broker:
        client = EventHubProducerClient.from_connection_string(broker.connection_string, eventhub_name=HUB)
        async with client:
            await client.send_batch([EventData("x")], partition_id="0")
            while broker.connection_count:
                await asyncio.sleep(0.05)
            await client.send_batch([EventData("y")], partition_id="0")


_HANDSHAKE = (
    b"GET /$servicebus/websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Protocol: AMQPWSB10\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n"
) % base64.b64encode(bytes(16))


async def test_sockets_that_never_speak_are_cut(tmp_path: Path) -> None:
    """After the idle time-out nobody holds a socket who sent nothing, half a header or half a handshake."""
    async with Broker(data_dir=tmp_path, config=CONFIG, port=0) as broker:
        for start in (b"", b"AM", b"GET / HT"):
            reader, writer = await asyncio.open_connection("127.0.0.1", broker.port)
            writer.write(start)
            with contextlib.suppress(ConnectionResetError):
                await asyncio.wait_for(reader.read(), 10)
            writer.close()
        assert broker.connection_count == 0


async def test_a_websocket_message_has_a_bound(tmp_path: Path) -> None:
    """One that says it is a terabyte long is refused at once (1009), before any of it is collected."""
    async with Broker(data_dir=tmp_path, config=CONFIG, port=0) as broker:
        reader, writer = await asyncio.open_connection("127.0.0.1", broker.port)
        writer.write(_HANDSHAKE)
        assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
        writer.write(b"\x82\xff" + (1 << 40).to_bytes(8, "big") + bytes(4))
        closing = await asyncio.wait_for(reader.readexactly(4), 10)
        assert (closing[0], int.from_bytes(closing[2:])) == (0x88, 1009)
        writer.close()


async def test_publications_that_wait_together_share_an_fsync() -> None:
    """While one fsync runs, all that come are acknowledged by the next one; none before it has ended."""
    release, started, syncs = threading.Event(), threading.Event(), 0

    def pending_sync() -> object:
        nonlocal syncs
        syncs += 1
        started.set()
        return release.wait

    sync = GroupSync(pending_sync, FsyncPolicy.ALWAYS)
    done = [asyncio.get_running_loop().create_future() for _ in range(5)]
    for future in done:
        sync.when_durable(future.set_result)
    assert started.is_set()
    assert (syncs, [future.done() for future in done]) == (1, [False] * 5)
    release.set()
    assert await asyncio.gather(*done) == [None] * 5
    assert syncs == 2


async def test_an_fsync_that_fails_acknowledges_nothing() -> None:
    """What the disk refused is reported to each publication that waited for it."""

    def refuse() -> None:
        raise OSError(5, "Input/output error")

    sync = GroupSync(lambda: refuse, FsyncPolicy.ALWAYS)
    done = asyncio.get_running_loop().create_future()
    sync.when_durable(done.set_result)
    assert isinstance(await done, OSError)


@pytest.mark.parametrize("policy", [FsyncPolicy.NEVER, FsyncPolicy.INTERVAL])
def test_the_other_policies_acknowledge_at_once(policy: FsyncPolicy) -> None:
    """Without a promise about power cuts, the page cache is enough; the interval owes one sync."""
    sync = GroupSync(lambda: lambda: None, policy)
    outcomes: list[OSError | None] = []
    for _ in range(3):
        sync.when_durable(outcomes.append)
    assert outcomes == [None] * 3
    assert sync.take_dirty() is not None
    assert sync.take_dirty() is None
