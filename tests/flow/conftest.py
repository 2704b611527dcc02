"""The whole stack, started as a user starts it, with sources that the test itself feeds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest
from azure.cosmos import CosmosClient
from azure.eventhub import EventData, EventHubProducerClient

from heliograph import topology
from heliograph.contracts import PlantWindow, Reading, RegionWindow
from heliograph.rows import plant_windows, region_windows
from heliograph.storage import WINDOWS
from heliograph.wire import encode, to_event
from stack.layout import COSMOS_KEY, HOST, hub_connection, storage_connection
from stack.state import StackState, running_stack
from tests.conftest import answers

T = TypeVar("T")


@dataclass
class Stack:
    """A running stack and the ways into it."""

    data: Path

    @property
    def state(self) -> StackState:
        state = running_stack(self.data)
        assert state is not None, f"the stack in {self.data} has ended"
        return state

    @property
    def ports(self) -> dict[str, int]:
        return self.state.plan.ports

    @property
    def hubs(self) -> str:
        return hub_connection(self.ports)

    @property
    def storage(self) -> str:
        return storage_connection(self.ports)

    def url(self, service: str) -> str:
        return f"http://{HOST}:{self.ports[service]}"

    def heliograph(self, *words: str) -> str:
        return heliograph(*words, f"--data={self.data}")

    def status(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(self.heliograph("status", "--json"))
        return report

    def is_ready(self, service: str) -> bool:
        return answers(f"{self.url(service)}/readyz")

    def kill(self, name: str) -> None:
        """kill -9; the supervisor starts it again."""
        os.kill(self.state.pids[name], signal.SIGKILL)

    def send(self, readings: Sequence[Reading], *, an_event: int = 100) -> None:
        """Readings to the hub as ingest sends them: packed by shard, the shard as partition key, in order."""
        shards: dict[str, list[Reading]] = {}
        for reading in readings:
            shards.setdefault(topology.shard_of(reading.plant_id), []).append(reading)
        with EventHubProducerClient.from_connection_string(self.hubs, eventhub_name=topology.READINGS_HUB) as producer:
            for shard, group in shards.items():
                events = [to_event(encode(group[at : at + an_event])) for at in range(0, len(group), an_event)]
                producer.send_batch(events, partition_key=shard)

    def send_raw(self, *events: EventData) -> None:
        """Events as they are, all to one partition."""
        with EventHubProducerClient.from_connection_string(self.hubs, eventhub_name=topology.READINGS_HUB) as producer:
            producer.send_batch(list(events), partition_key="s00")

    def documents(self, container: str = WINDOWS.name) -> list[dict[str, Any]]:
        client = CosmosClient(f"http://{HOST}:{self.ports['cosmos']}", COSMOS_KEY, enable_endpoint_discovery=False)
        found = client.get_database_client(topology.DATABASE).get_container_client(container)
        return list(found.query_items("SELECT * FROM c", enable_cross_partition_query=True))

    def journal(self) -> list[dict[str, Any]]:
        """The documents that hold windows."""
        return [document for document in self.documents() if "rows" in document]

    def plant_windows(self, prefix: str) -> list[PlantWindow]:
        return [window for window in plant_windows(self.journal()) if window.plant_id.startswith(prefix)]

    def region_windows(self, prefix: str) -> list[RegionWindow]:
        return [window for window in region_windows(self.journal()) if window.region.startswith(prefix)]


def heliograph(*words: str, timeout_s: float = 240) -> str:
    """The command as a user gives it; its standard output."""
    answer = subprocess.run(["heliograph", *words], capture_output=True, text=True, timeout=timeout_s, check=False)
    assert answer.returncode == 0, f"heliograph {' '.join(words)}: {answer.stdout}{answer.stderr}"
    return answer.stdout


@contextmanager
def running_stack_in(folder: Path, *words: str) -> Iterator[Stack]:
    """`heliograph up` in the folder, down at the end."""
    heliograph("up", "--detach", "--free-ports", f"--data={folder}", *words)
    stack = Stack(folder.absolute())
    supervisor = psutil.Process(stack.state.pid)
    try:
        yield stack
    finally:
        heliograph("down", f"--data={folder}")
        assert not supervisor.is_running()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One stack for the session, without sources of its own. Tests use plants and regions of their own."""
    with running_stack_in(tmp_path_factory.mktemp("stack"), "--sources=none") as running:
        yield running


def eventually(look: Callable[[], T], good: Callable[[T], bool], timeout_s: float = 60, every_s: float = 0.5) -> T:
    """Looks until what is seen is good; the last sight otherwise, for the assertion to show."""
    deadline = time.monotonic() + timeout_s
    while not good(seen := look()) and time.monotonic() < deadline:
        time.sleep(every_s)
    return seen
