"""Faults on demand, as the official SDK feels them, and the two protocols of the one port."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from azure.core.exceptions import AzureError
from azure.cosmos import PartitionKey, exceptions
from azure.cosmos.aio import CosmosClient

from local_azure.cosmos import CosmosServer
from local_azure.faults import Fault, FaultKind


@pytest.fixture
async def server(local_only: None, tmp_path: Path) -> AsyncIterator[CosmosServer]:
    async with CosmosServer(tmp_path, admin_port=0) as server:
        yield server


@pytest.fixture
async def container(server: CosmosServer) -> AsyncIterator[Any]:
    """A container, through a client that does not retry."""
    no_retry = dict.fromkeys(("retry_total", "retry_connect", "retry_read", "retry_status"), 0)
    async with CosmosClient(server.endpoint, server.key, enable_endpoint_discovery=False, **no_retry) as client:
        database = await client.create_database("d")
        yield await database.create_container("c", PartitionKey("/pk"))


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (FaultKind.UNAVAILABLE, 503),
        (FaultKind.TIMEOUT, 408),
        (FaultKind.DISK_FULL, 503),
        (FaultKind.REFUSE_CLAIMS, 401),
    ],
)
async def test_refusals_strike_as_often_as_asked(
    server: CosmosServer, container: Any, kind: FaultKind, status: int
) -> None:
    """The request fails with the fault's status and does no work; nothing else is touched."""
    server.faults.add(Fault(kind, container="c", operation="create", duration_s=60))
    with pytest.raises(exceptions.CosmosHttpResponseError) as failed:
        await container.create_item({"id": "1", "pk": "a"})
    assert failed.value.status_code == status
    await container.upsert_item({"id": "2", "pk": "a"})
    server.faults.clear()
    await container.create_item({"id": "1", "pk": "a"})


async def test_a_fault_may_name_one_partition(server: CosmosServer, container: Any) -> None:
    """Requests under other keys go on; a key of several parts, or not a string, is named by its JSON."""
    server.faults.add(Fault(FaultKind.DISK_FULL, partition="a", duration_s=60))
    with pytest.raises(exceptions.CosmosHttpResponseError):
        await container.create_item({"id": "1", "pk": "a"})
    await container.create_item({"id": "1", "pk": "b"})
    server.faults.add(Fault(FaultKind.UNAVAILABLE, partition="[7]", operation="read", duration_s=60))
    await container.create_item({"id": "1", "pk": 7})
    with pytest.raises(exceptions.CosmosHttpResponseError):
        await container.read_item("1", 7)


async def test_throttling_says_how_long_to_wait(server: CosmosServer, container: Any) -> None:
    """429 with retry-after: the SDK waits that long and goes on."""
    server.faults.add(Fault(FaultKind.THROTTLE, container="c", count=1, retry_after_s=0.3))
    started = time.monotonic()
    await container.upsert_item({"id": "1", "pk": "a"})
    assert time.monotonic() - started >= 0.3


async def test_latency_delays_the_answer(server: CosmosServer, container: Any) -> None:
    """The answer comes, later."""
    server.faults.add(Fault(FaultKind.LATENCY, container="c", count=1, latency_s=0.3))
    started = time.monotonic()
    await container.upsert_item({"id": "1", "pk": "a"})
    assert time.monotonic() - started >= 0.3


@pytest.mark.parametrize(("kind", "is_done"), [(FaultKind.DROP_CONNECTION, False), (FaultKind.LOST_ACK, True)])
async def test_connections_are_cut(server: CosmosServer, container: Any, kind: FaultKind, is_done: bool) -> None:
    """A dropped connection did nothing; a lost acknowledgement did its work. The client sees the same."""
    server.faults.add(Fault(kind, container="c", operation="create", duration_s=60))
    with pytest.raises(AzureError):
        await container.create_item({"id": "1", "pk": "a"}, retry_write=0)
    server.faults.clear()
    found = [one async for one in container.query_items("SELECT VALUE c.id FROM c", partition_key="a")]
    assert found == (["1"] if is_done else [])


async def test_faults_are_armed_over_http(server: CosmosServer, container: Any) -> None:
    """The admin port takes a fault as JSON."""
    body = json.dumps({"kind": "unavailable", "server": "cosmos", "operation": "read", "count": 1}).encode()
    url = f"http://127.0.0.1:{server.admin_port}/faults"
    request = Request(url, body, {"content-type": "application/json"}, method="POST")
    assert (await asyncio.to_thread(urlopen, request, timeout=10)).status == 201
    assert [fault.kind for fault in server.faults.armed()] == [FaultKind.UNAVAILABLE]


async def test_https_is_spoken_on_the_same_port(server: CosmosServer, container: Any) -> None:
    """One port, one account, two protocols; the account names the address that was called."""
    options = {"enable_endpoint_discovery": False, "connection_verify": False}
    async with CosmosClient(server.https_endpoint, server.key, **options) as client:
        secure = client.get_database_client("d").get_container_client("c")
        await secure.create_item({"id": "1", "pk": "a"})
        account = await client._get_database_account()
        assert account.WritableLocations[0]["databaseAccountEndpoint"] == server.https_endpoint
    assert (await container.read_item("1", "a"))["id"] == "1"
