"""What the Event Hubs suite runs on: the local broker, or whatever `HELIOGRAPH_CONTRACT_EVENTHUBS` connects to.

Another target needs a hub `contract` with 4 partitions and a consumer group `other`. The tests mark the ends of
the partitions before they send, so that what others left there does not disturb them.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from azure.eventhub import EventHubConsumerClient, EventHubProducerClient

HUB = "contract"
PARTITIONS = 4
_VARIABLE = "HELIOGRAPH_CONTRACT_EVENTHUBS"
_TLS_PORT = re.compile(r"TLS on port (\d+)")
_LISTENING = re.compile(r"connection string: (\S+)")


def _target() -> str:
    """Say what the suite runs on, without the key."""
    connection = os.environ.get(_VARIABLE)
    return f"Event Hubs contract: {connection.split(';')[0] if connection else 'the local broker'}"


def pytest_report_header() -> str:
    return _target()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    terminalreporter.write_line(_target())


def config() -> dict[str, Any]:
    """The hub in the form of the emulator's Config.json."""
    entity = {"Name": HUB, "PartitionCount": str(PARTITIONS), "ConsumerGroups": [{"Name": "other"}]}
    namespace = {"Type": "EventHub", "Name": "emulatorNs1", "Entities": [entity]}
    return {"UserConfig": {"NamespaceConfig": [namespace], "LoggingConfig": {"Type": "File"}}}


class BrokerProcess:
    """A broker that runs in a process of its own."""

    def __init__(self, folder: Path, *flags: str) -> None:
        path = folder / "Config.json"
        path.write_text(json.dumps(config()))
        command = [sys.executable, "-m", "local_azure.eventhubs", f"--data={folder / 'data'}", f"--config={path}"]
        # argparse takes the last of a flag that is given twice, so `flags` may name a port.
        self.process = subprocess.Popen([*command, "--port=0", *flags], stdout=subprocess.PIPE, text=True)
        self.connection_string = self._wait_for_start()
        self.port = int(re.search(r":(\d+);", self.connection_string)[1])
        self.tls_port = int(found[1]) if (found := _TLS_PORT.search(self._output)) else 0

    def _wait_for_start(self) -> str:
        self._output = ""
        for line in self.process.stdout:
            self._output += line
            if found := _LISTENING.search(line):
                return found[1]
        raise AssertionError(f"the broker did not start: {self._output}")

    def kill(self) -> None:
        self.process.kill()
        self._reap()

    def stop(self) -> int:
        self.process.terminate()
        return self._reap()

    def _reap(self) -> int:
        self.process.stdout.read()
        self.process.stdout.close()
        return self.process.wait(10)


@contextmanager
def _running(folder: Path, *flags: str) -> Iterator[BrokerProcess]:
    broker = BrokerProcess(folder, *flags)
    try:
        yield broker
    finally:
        if broker.process.poll() is None:
            broker.stop()


@pytest.fixture
def start_broker() -> Callable[..., Any]:
    """Starts a broker on a folder, as a context manager, whatever the suite runs on."""
    return _running


@pytest.fixture(scope="session")
def connection_string(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The target of the suite."""
    given = os.environ.get(_VARIABLE)
    if given:
        yield given
        return
    with _running(tmp_path_factory.mktemp("contract-broker"), "--fsync=never") as broker:
        yield broker.connection_string


@pytest.fixture
def producer(connection_string: str) -> Iterator[EventHubProducerClient]:
    """A synchronous producer of the hub."""
    with EventHubProducerClient.from_connection_string(connection_string, eventhub_name=HUB) as client:
        yield client


@pytest.fixture
def make_consumer(connection_string: str) -> Iterator[Callable[..., EventHubConsumerClient]]:
    """Makes synchronous consumers of the hub, closed at the end."""
    clients = []

    def make(group: str = "$Default", **options: Any) -> EventHubConsumerClient:
        client = EventHubConsumerClient.from_connection_string(connection_string, group, eventhub_name=HUB, **options)
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def mark(producer: EventHubProducerClient) -> Callable[[str], int]:
    """Returns the last sequence number of a partition: reading after it gives what the test sends from here on."""
    return lambda partition: producer.get_partition_properties(partition)["last_enqueued_sequence_number"]
