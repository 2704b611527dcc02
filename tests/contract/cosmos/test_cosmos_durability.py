"""What was acknowledged is there after kill -9 and after a restart, once."""

import random
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import AzureError
from azure.cosmos import CosmosClient, PartitionKey


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
