"""Ingest as a process, and what it leaves in hubs and blobs."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import msgspec
from azure.eventhub import EventData, EventHubConsumerClient, LoadBalancingStrategy
from azure.storage.blob import BlobServiceClient

from heliograph import topology
from heliograph.wire import body_of

SITES = [
    {
        "plant_id": f"plant-{number}",
        "name": f"Plant {number}",
        "region": "KR-46",
        "latitude": 34.8,
        "longitude": 126.9,
        "capacity_kw": 1000,
    }
    for number in range(20)
]


API_KEY, MASTER_KEY = "a key for tests", "the master key for tests"
CLIENT = httpx.Client(verify=False, timeout=30, headers={"X-Api-Key": API_KEY, "x-functions-key": MASTER_KEY})
"""One for all tests: making one reads the certificates of the machine, which takes longer than a call."""


@dataclass(slots=True)
class Ingest:
    """A running service."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def metric(self, name: str, **labels: str) -> float:
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        total = 0.0
        for line in CLIENT.get(f"{self.url}/metrics", timeout=20).text.splitlines():
            if line.startswith((f"{name}{{", f"{name} ")) and all(one in line for one in wanted):
                total += float(line.rsplit(" ", 1)[1])
        return total

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(40)


def until(condition: Callable[[], Any], what: str, timeout_s: float = 100.0) -> Any:
    deadline = time.monotonic() + timeout_s
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come within {timeout_s:g} s")
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_ready(service: Ingest) -> bool:
    assert service.process.poll() is None, service.log.read_text()
    try:
        return CLIENT.get(f"{service.url}/readyz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def running_ingest(folder: Path, env: dict[str, str], **settings: object) -> Iterator[Ingest]:
    """Settings by their names, e.g. `sources="fleet"`."""
    port = free_port()
    given = {f"HELIOGRAPH_{name.upper()}": str(value) for name, value in settings.items()}
    log = folder / f"ingest-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "ingest"],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={
                **{name: value for name, value in os.environ.items() if not name.startswith("HELIOGRAPH_")},
                **env,
                "HELIOGRAPH_HTTP_HOST": "127.0.0.1",
                "HELIOGRAPH_HTTP_PORT": str(port),
                "HELIOGRAPH_OUTBOX_DIR": str(folder / "outbox"),
                "HELIOGRAPH_SOURCES": "",
                "HELIOGRAPH_API_KEYS": json.dumps({"tests": sha256(API_KEY.encode()).hexdigest()}),
                "HELIOGRAPH_MASTER_KEY": MASTER_KEY,
                **given,
            },
        )
        service = Ingest(f"http://127.0.0.1:{port}", process, log)
        try:
            until(lambda: is_ready(service), f"ingest (see {log})")
            yield service
        finally:
            process.kill()
            process.wait()


@dataclass(slots=True)
class Tail:
    """What a hub has held since its beginning, with partition, shard and how often it was sent."""

    _found: dict[bytes, dict[str, Any]] = field(default_factory=dict)

    def on_batch(self, context: Any, events: list[EventData]) -> None:
        for event in events:
            messages = json.loads(body_of(event))
            for message in messages if isinstance(messages, list) else [messages]:
                shard = (event.partition_key or b"").decode()
                place = {"partition": context.partition_id, "shard": shard, "copies": 0}
                self._found.setdefault(msgspec.json.encode(message), message | place)["copies"] += 1

    def take(self, wanted: Callable[[dict[str, Any]], bool], count: int) -> list[dict[str, Any]]:
        """The messages that are wanted, once there are so many."""

        def found() -> list[dict[str, Any]]:
            return [message for message in list(self._found.values()) if wanted(message)]

        until(lambda: len(found()) >= count, f"{count} messages")
        return found()


@contextmanager
def tail(broker: str, hub: str) -> Iterator[Tail]:
    """Reads a hub in a thread. Making a reader takes seconds, so the tests share one.

    It takes all partitions at once and then balances no more: each round draws from the global `random`, which
    Hypothesis, in whatever test of the process is at work, takes for a strategy that isn't repeatable.
    """
    client, found = (
        EventHubConsumerClient.from_connection_string(
            broker,
            "$Default",
            eventhub_name=hub,
            load_balancing_interval=86400,
            load_balancing_strategy=LoadBalancingStrategy.GREEDY,
        ),
        Tail(),
    )
    reader = threading.Thread(
        target=client.receive_batch,
        kwargs={"on_event_batch": found.on_batch, "starting_position": "-1", "max_wait_time": 1},
        daemon=True,
    )
    reader.start()
    try:
        yield found
    finally:
        client.close()
        reader.join(15)


def dead_letters(blobs: BlobServiceClient, source: str) -> list[dict[str, Any]]:
    """All letters of ingest from one source."""
    container = blobs.get_container_client(topology.DEAD_LETTERS)
    return [
        json.loads(line)
        for name in container.list_blob_names(name_starts_with=f"ingest/{source}/")
        for line in container.download_blob(name).readall().splitlines()
    ]
