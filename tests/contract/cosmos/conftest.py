"""What the Cosmos suite runs on: the local server, or the account in `HELIOGRAPH_CONTRACT_COSMOS`.

The same test bodies drive the sync and the aio SDK: `Cosmos` awaits what has to be awaited.
"""

import inspect
import os
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.cosmos import CosmosClient, PartitionKey
from azure.cosmos.aio import CosmosClient as AioClient

from local_azure.cosmos import EMULATOR_KEY

_VARIABLE = "HELIOGRAPH_CONTRACT_COSMOS"
_LISTENING = re.compile(r"listening endpoint=(\S+)")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cosmos-kills", type=int, default=5, help="how often kill -9 strikes the Cosmos server")


def _target() -> str:
    """Say what the suite runs on, without the key."""
    connection = os.environ.get(_VARIABLE)
    return f"Cosmos DB contract: {connection.split(';')[0] if connection else 'the local server'}"


def pytest_report_header() -> str:
    return _target()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    terminalreporter.write_line(_target())


class ServerProcess:
    """The local server in a process of its own."""

    def __init__(self, folder: Path, *flags: str, port: int = 0) -> None:
        command = [sys.executable, "-m", "local_azure.cosmos", f"--data={folder}", f"--port={port}", *flags]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.endpoint = self._wait_for_start()
        self.connection_string = f"AccountEndpoint={self.endpoint};AccountKey={EMULATOR_KEY};"

    def _wait_for_start(self) -> str:
        lines = []
        for line in self.process.stderr:
            lines.append(line)
            if found := _LISTENING.search(line):
                return found[1]
        self._forget()
        raise AssertionError("the server did not start: " + "".join(lines))

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self._forget()

    def stop(self) -> int:
        self.process.terminate()
        return self._forget()

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def _forget(self) -> int:
        status = self.process.wait(15)
        self.process.stderr.close()
        return status


@pytest.fixture(scope="session")
def connection_string(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    given = os.environ.get(_VARIABLE)
    if given:
        yield given
        return
    server = ServerProcess(tmp_path_factory.mktemp("cosmos"))
    yield server.connection_string
    assert server.stop() == 0


@pytest.fixture
def server_process() -> Iterator[Callable[..., ServerProcess]]:
    """Starts servers of one's own; those still running at the end are killed."""
    started: list[ServerProcess] = []

    def start(folder: Path, *flags: str, port: int = 0) -> ServerProcess:
        started.append(ServerProcess(folder, *flags, port=port))
        return started[-1]

    yield start
    for server in started:
        if server.is_running:
            server.kill()


@pytest.fixture
def local_only(connection_string: str) -> None:
    if os.environ.get(_VARIABLE):
        pytest.skip("needs a server of its own; the suite runs on another target")


class Cosmos:
    """One client, sync or aio, with one way to call both, and a database of its own."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.is_aio = isinstance(client, AioClient)
        self.database: Any = None

    async def call(self, function: Any, *arguments: Any, **options: Any) -> Any:
        result = function(*arguments, **options)
        return await result if inspect.isawaitable(result) else result

    async def all(self, iterable: Any) -> list[Any]:
        if hasattr(iterable, "__aiter__"):
            return [item async for item in iterable]
        return list(iterable)

    async def pages(self, pages: Any) -> list[list[Any]]:
        return [await self.all(page) for page in await self.all(pages)]

    async def container(self, path: Any = "/pk", **options: Any) -> Any:
        name = f"c{uuid.uuid4().hex}"
        return await self.call(self.database.create_container, name, PartitionKey(path), **options)

    async def query(self, container: Any, text: str, **options: Any) -> list[Any]:
        return await self.all(self.querying(container, text, **options))

    def querying(self, container: Any, text: str, **options: Any) -> Any:
        if not self.is_aio and "partition_key" not in options:
            options["enable_cross_partition_query"] = True
        return container.query_items(text, **options)

    async def add(self, container: Any, *documents: dict[str, Any]) -> None:
        for document in documents:
            await self.call(container.create_item, document)


@pytest.fixture(params=["sync", "aio"])
async def cosmos(request: pytest.FixtureRequest, connection_string: str) -> AsyncIterator[Cosmos]:
    kind = AioClient if request.param == "aio" else CosmosClient
    client = kind.from_connection_string(connection_string, enable_endpoint_discovery=False)
    opened = await client.__aenter__() if request.param == "aio" else client.__enter__()
    cosmos = Cosmos(opened)
    cosmos.database = await cosmos.call(opened.create_database, f"contract{uuid.uuid4().hex}")
    yield cosmos
    await cosmos.call(opened.delete_database, cosmos.database.id)
    await cosmos.call(client.__aexit__ if cosmos.is_aio else client.__exit__, None, None, None)
