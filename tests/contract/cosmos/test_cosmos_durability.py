"""What was acknowledged is there after kill -9 and after a restart, once."""

import os
import random
import resource
import socket
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import AzureError
from azure.cosmos import CosmosClient, PartitionKey
from azure.cosmos.exceptions import CosmosHttpResponseError, CosmosResourceNotFoundError


def _client(server: Any) -> CosmosClient:
    return CosmosClient.from_connection_string(
        server.connection_string, enable_endpoint_discovery=False, retry_total=0, retry_connect=0, retry_read=0
    )


def _write_until_killed(server: Any, acknowledged: list[str], prefix: str) -> None:
    """Single writes and batches in turn, until the server is gone; remembers what was acknowledged."""
    try:
        with _client(server) as client:
            container = client.get_database_client("d").get_container_client("c")
            for number in range(100_000):
                if number % 3:
                    container.create_item({"id": f"{prefix}-{number}", "pk": "a"})
                    acknowledged.append(f"{prefix}-{number}")
                else:
                    ids = [f"{prefix}-{number}-{part}" for part in range(5)]
                    container.execute_item_batch([("create", ({"id": one, "pk": "a"},)) for one in ids], "a")
                    acknowledged += ids
    except AzureError:
        return


@pytest.mark.timeout(1800)
def test_kill_9_under_load_loses_nothing(
    local_only: None, tmp_path: Path, request: pytest.FixtureRequest, server_process: Callable[..., Any]
) -> None:
    """Killed at random moments while writing: what was acknowledged is there, once, in order, and no batch in part."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    moments, acknowledged = random.Random(seed), list[str]()
    server = server_process(tmp_path)
    with _client(server) as client:
        client.create_database("d").create_container("c", PartitionKey("/pk"))
    for kill in range(request.config.getoption("--cosmos-kills")):
        writer = threading.Thread(target=_write_until_killed, args=(server, acknowledged, f"k{kill}"))
        writer.start()
        time.sleep(moments.uniform(0.05, 0.4))
        server.kill()
        writer.join()
        server = server_process(tmp_path)
    with _client(server) as client:
        container = client.get_database_client("d").get_container_client("c")
        found = list(container.query_items("SELECT VALUE c.id FROM c", partition_key="a", max_item_count=5000))
    assert server.stop() == 0
    print(f"{len(acknowledged)} acknowledged, {len(found)} stored")
    assert len(found) == len(set(found))
    known = set(acknowledged)
    assert [one for one in found if one in known] == acknowledged
    batches: dict[str, int] = {}
    for one in found:
        if one.count("-") == 2:
            whole = one.rpartition("-")[0]
            batches[whole] = batches.get(whole, 0) + 1
    assert set(batches.values()) <= {5}


def test_sigterm_closes_and_a_restart_keeps_all(
    local_only: None, tmp_path: Path, server_process: Callable[..., Any]
) -> None:
    """Databases, containers, documents, TTL, offers and the change feed's place survive a restart."""
    server = server_process(tmp_path)
    with _client(server) as client:
        container = client.create_database("d").create_container("c", PartitionKey("/pk"), offer_throughput=700)
        container.create_item({"id": "1", "pk": "a"})
        container.create_item({"id": "2", "pk": "a"})
        container.delete_item("2", "a")
        list(container.query_items_change_feed(start_time="Beginning"))
        place = container.client_connection.last_response_headers["etag"]
    assert server.stop() == 0
    server = server_process(tmp_path)
    with _client(server) as client:
        container = client.get_database_client("d").get_container_client("c")
        assert container.get_throughput().offer_throughput == 700
        container.create_item({"id": "3", "pk": "a"})
        changes = container.query_items_change_feed(continuation=place)
        assert [change["id"] for change in changes] == ["3"]
        assert list(container.query_items("SELECT VALUE c.id FROM c", partition_key="a")) == ["1", "3"]
    assert server.stop() == 0


def test_a_taken_port_is_named(local_only: None, tmp_path: Path, server_process: Callable[..., Any]) -> None:
    """A server whose port is taken says which, and ends with 1."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(AssertionError, match=f"cannot listen on 127.0.0.1:{port}"):
            server_process(tmp_path, port=port)


def test_a_folder_takes_one_server(local_only: None, tmp_path: Path, server_process: Callable[..., Any]) -> None:
    """A second server on the same folder says so and ends with 1: two would number documents alike."""
    first = server_process(tmp_path)
    with pytest.raises(AssertionError, match=f"another Cosmos server works in {tmp_path}"):
        server_process(tmp_path)
    first.kill()
    assert server_process(tmp_path).stop() == 0


def test_a_folder_that_is_none_is_named(local_only: None, tmp_path: Path, server_process: Callable[..., Any]) -> None:
    """What keeps the server from its data is said with its path, and not blamed on the port."""
    (tmp_path / "file").touch()
    with pytest.raises(AssertionError, match=f"{tmp_path / 'file'}: File exists"):
        server_process(tmp_path / "file")
    (tmp_path / "cosmos.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(AssertionError, match=f"the store in {tmp_path} cannot be used: file is not a database"):
        server_process(tmp_path)


def test_too_many_connections_end_nothing(local_only: None, tmp_path: Path, server_process: Callable[..., Any]) -> None:
    """A server without a descriptor left for one more client serves on, and takes others once some have gone."""
    server = server_process(tmp_path)
    with _client(server) as client:
        client.create_database("d")
    port = int(server.endpoint.rstrip("/").rpartition(":")[2])
    in_use = len(os.listdir(f"/proc/{server.process.pid}/fd"))
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (in_use + 8, in_use + 8))
    clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(12)]
    time.sleep(1)
    for one in clients:
        one.close()
    with _client(server) as client:
        assert [one["id"] for one in client.list_databases()] == ["d"]
    assert server.stop() == 0


def test_a_full_disk_ends_nothing(local_only: None, tmp_path: Path, server_process: Callable[..., Any]) -> None:
    """Where nothing can be written, writes are refused, reads go on, and what expires is gone; then all goes on."""
    server = server_process(tmp_path)
    with _client(server) as client:
        container = client.create_database("d").create_container("c", PartitionKey("/pk"), default_ttl=1)
        container.create_item({"id": "kept", "pk": "a", "ttl": -1})
        container.create_item({"id": "brief", "pk": "a"})
        _, most = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
        time.sleep(3)
        assert server.is_running
        assert container.read_item("kept", "a")["id"] == "kept"
        with pytest.raises(CosmosResourceNotFoundError):
            container.read_item("brief", "a")
        with pytest.raises(CosmosHttpResponseError):
            container.create_item({"id": "late", "pk": "a"})
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (most, most))
        container.create_item({"id": "brief", "pk": "a"})
    assert server.stop() == 0


def test_what_has_expired_is_removed_as_fast_as_it_comes(
    local_only: None, tmp_path: Path, server_process: Callable[..., Any]
) -> None:
    """A sweep takes all that is over, however much: else the store would grow for ever under a steady load."""
    server = server_process(tmp_path)
    with _client(server) as client:
        container = client.create_database("d").create_container("c", PartitionKey("/pk"), default_ttl=2)
        for batch in range(15):
            documents = [("create", ({"id": f"{batch}-{number}", "pk": "a"},)) for number in range(100)]
            container.execute_item_batch(documents, "a")
    store = sqlite3.connect(tmp_path / "cosmos.sqlite")
    deadline = time.monotonic() + 3.6
    while left := store.execute("SELECT COUNT(*) FROM docs_1").fetchone()[0]:
        assert time.monotonic() < deadline, f"{left} are left"
        time.sleep(0.05)
    store.close()
    assert server.stop() == 0
