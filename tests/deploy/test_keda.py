"""KEDA's own arithmetic on checkpoints that our consumers wrote, against the lag that is really there."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.eventhub import EventData, EventHubProducerClient

from deploy.keda import PartitionEnds, partition_lag, replicas
from deploy.scaling import deployed_rules, waiting
from heliograph import topology, wire
from heliograph.contracts import Reading
from tests.conftest import COSMOS_KEY, running, running_azurite, running_broker, running_cosmos

PLANTS, EVENTS_EACH = 12, 5
RULES = deployed_rules()


@pytest.mark.parametrize(
    ("ends", "checkpoint", "lag"),
    [
        (PartitionEnds(0, -1), None, 0),
        (PartitionEnds(0, -1), -1, 0),
        (PartitionEnds(0, 99), None, 100),
        (PartitionEnds(40, 99), None, 60),
        (PartitionEnds(0, 99), -1, 100),
        (PartitionEnds(0, 99), 98, 1),
        (PartitionEnds(0, 99), 99, 0),
    ],
)
def test_lag_of_a_partition(ends: PartitionEnds, checkpoint: int | None, lag: int) -> None:
    """Empty counts nothing, a checkpoint counts what follows it, and none counts all that is retained."""
    assert partition_lag(ends, checkpoint) == lag


@pytest.mark.parametrize(
    ("waiting", "expected"), [(0, 0), (1, 1), (64, 1), (65, 2), (512, 8), (513, 8), (1_000_000, 8)]
)
def test_replicas_follow_the_lag_between_none_and_the_partitions(waiting: int, expected: int) -> None:
    """One replica for each 64 events that wait, none when none wait, never more than there are partitions."""
    assert replicas(waiting, threshold=64, activation=0, least=0, most=8) == expected


@dataclass
class Hubs:
    """A broker and an Azurite that only this module uses."""

    connection: str
    storage: str

    def lag(self, service: str) -> int:
        """What KEDA would compute by the service's deployed rule."""
        return asyncio.run(waiting(RULES[service], self.connection, self.storage))

    def send(self, minute: int) -> int:
        """Readings of one minute for each plant, five events a plant; how many events that is."""
        start = datetime(2026, 6, 21, 3, minute, tzinfo=UTC)
        with EventHubProducerClient.from_connection_string(
            self.connection, eventhub_name=topology.READINGS_HUB
        ) as producer:
            for plant in (f"keda-{number:02d}" for number in range(PLANTS)):
                producer.send_batch(self._events(plant, start), partition_key=topology.shard_of(plant))
        return PLANTS * EVENTS_EACH

    def _events(self, plant: str, start: datetime) -> list[EventData]:
        return [
            wire.to_event(
                wire.encode(
                    [
                        Reading(
                            v=1,
                            plant_id=plant,
                            source="keda",
                            observed_at=start + timedelta(seconds=12 * number),
                            region="KR-46",
                            capacity_kw=100.0,
                            generation_kw=50.0,
                        )
                    ]
                )
            )
            for number in range(EVENTS_EACH)
        ]


@pytest.fixture(scope="module")
def hubs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hubs]:
    folder = tmp_path_factory.mktemp("keda")
    with running_azurite(folder) as storage, running_broker(folder) as connection:
        yield Hubs(connection, storage)


def eventually(what: str, holds: Callable[[], bool], timeout_s: float = 180) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.5)


@pytest.mark.timeout(420)
def test_what_keda_computes_is_the_true_lag(hubs: Hubs, tmp_path: Path) -> None:
    """Analyzer and sink bring their lag to 0, idle and never used partitions too, so that they can go to zero; and
    what is sent while they are away is counted event by event."""
    with running_cosmos(tmp_path) as cosmos:
        env = {
            **os.environ,
            "HELIOGRAPH_EVENTHUB_CONNECTION_STRING": hubs.connection,
            "HELIOGRAPH_STORAGE_CONNECTION_STRING": hubs.storage,
            "HELIOGRAPH_COSMOS_ENDPOINT": cosmos,
            "HELIOGRAPH_COSMOS_KEY": COSMOS_KEY,
            "HELIOGRAPH_HTTP_HOST": "127.0.0.1",
            "HELIOGRAPH_HTTP_PORT": "0",
            "HELIOGRAPH_FLUSH_S": "1",
        }
        sent = hubs.send(0)
        assert hubs.lag("analyzer") == sent, "no checkpoint yet: all that is retained"
        with (
            running("analyzer", log=tmp_path / "analyzer.log", env=env),
            running("sink", log=tmp_path / "sink.log", env=env),
        ):
            hubs.send(1)
            eventually("the analyzer's lag comes to 0", lambda: hubs.lag("analyzer") == 0)
            eventually("the sink's lag comes to 0", lambda: hubs.lag("sink") == 0)
    assert hubs.lag("analyzer") == 0, "a drain leaves nothing behind"
    away = hubs.send(2)
    assert hubs.lag("analyzer") == away
