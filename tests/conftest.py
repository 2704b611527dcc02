"""The local Azure for tests: three real servers, each a process on a free port, started once when first asked for."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient
from xdist.scheduler import LoadScopeScheduling

from heliograph import topology
from local_azure.azurite import connection_string
from stack import layout
from stack.ports import free_ports

HOST = layout.HOST
COSMOS_KEY = layout.COSMOS_KEY


ALONE = ("browser", "chaos")
"""Folders of tests that look at how soon something is seen, or bring the machine to its limits."""
LONG = ("flow", "contract/thumbnailer", "contract/dashboard", "contract/ingest", "contract/eventhubs", "deploy")
"""Folders whose tests wait a lot: those that run side by side begin with them."""


OF_ONE_STACK = ("tests/flow/test_bad_readings.py", "tests/flow/test_exact.py", "tests/flow/test_photo.py")
"""Modules that share the stack of their session."""


class SharedStack(LoadScopeScheduling):  # type: ignore[misc]
    """Tests of a module stay together, and so do the modules that share a stack: it starts once."""

    def _split_scope(self, nodeid: str) -> str:
        return "shared stack" if nodeid.startswith(OF_ONE_STACK) else str(super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return SharedStack(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins, and what needs the machine for itself is marked."""
    here = Path(__file__).parent
    places = {item: item.path.relative_to(here).as_posix() for item in items}
    for item, place in places.items():
        if place.startswith(ALONE):
            item.add_marker("alone")
    items.sort(key=lambda item: next((rank for rank, name in enumerate(LONG) if places[item].startswith(name)), 99))


def free_port() -> int:
    return free_ports(["test"])["test"]


def wait_for(condition: Callable[[], bool], what: str, timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come within {timeout_s:g} s")
        time.sleep(0.05)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except HTTPError as error:
        error.close()
        return False
    except OSError:
        return False


@contextmanager
def running(
    module: str, *arguments: str, log: Path, env: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A Python module as a process, with its output in a file; terminated, and killed if that does not help."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments], stdout=output, stderr=subprocess.STDOUT, env=env
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def running_azurite(folder: Path) -> Iterator[str]:
    """Azurite with the containers and queues of the topology; yields its connection string."""
    blob, queue, table = free_port(), free_port(), free_port()
    flags = [f"--{kind}-port={port}" for kind, port in (("blob", blob), ("queue", queue), ("table", table))]
    with running("local_azure.azurite", f"--data={folder / 'azurite'}", *flags, log=folder / "azurite.log"):
        wait_for(lambda: listens(blob) and listens(queue), f"Azurite (see {folder / 'azurite.log'})", 120)
        connection = connection_string(HOST, blob, queue)
        with BlobServiceClient.from_connection_string(connection) as blobs:
            for name in topology.BLOB_CONTAINERS:
                blobs.create_container(name)
        with QueueServiceClient.from_connection_string(connection) as queues:
            for name in topology.QUEUES:
                queues.create_queue(name)
        yield connection


@contextmanager
def running_broker(folder: Path, pids: list[int] | None = None) -> Iterator[str]:
    """The Event Hubs broker with the topology's hubs, empty; yields its connection string, and adds its process id."""
    config = folder / "hubs.json"
    config.write_text(layout.hub_config())
    port, health = free_port(), free_port()
    flags = [f"--data={folder / 'hubs'}", f"--port={port}", f"--health-port={health}", f"--config={config}"]
    with running("local_azure.eventhubs", *flags, log=folder / "hubs.log") as process:
        if pids is not None:
            pids.append(process.pid)
        wait_for(lambda: answers(f"http://{HOST}:{health}/health"), f"the broker (see {folder / 'hubs.log'})")
        yield layout.hub_connection({"eventhubs": port})


@contextmanager
def running_cosmos(folder: Path) -> Iterator[str]:
    """The Cosmos DB server, empty; yields its endpoint."""
    port = free_port()
    with running("local_azure.cosmos", f"--data={folder / 'cosmos'}", f"--port={port}", log=folder / "cosmos.log"):
        wait_for(lambda: listens(port), f"Cosmos (see {folder / 'cosmos.log'})")
        yield f"http://{HOST}:{port}"


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Connection string of an Azurite shared by the session: use names of your own in it."""
    with running_azurite(tmp_path_factory.mktemp("azurite")) as connection:
        yield connection


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Connection string of a broker shared by the session."""
    with running_broker(tmp_path_factory.mktemp("broker")) as connection:
        yield connection


@pytest.fixture(scope="session")
def cosmos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Endpoint of a Cosmos DB server shared by the session."""
    with running_cosmos(tmp_path_factory.mktemp("cosmos")) as endpoint:
        yield endpoint
