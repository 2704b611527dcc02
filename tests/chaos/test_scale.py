"""Analyzers come and go with what waits, by the very rules that are deployed, and no result changes."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from azure.cosmos.aio import CosmosClient
from azure.eventhub.aio import EventHubProducerClient

from bench.storm import truth
from bench.storm.stack import Stack, plan_of, running
from bench.storm.world import World, now
from deploy.scaling import Controller, Decider, Rule, deployed_rules
from heliograph.contracts import Reading
from heliograph.rows import plant_windows
from heliograph.storage import WINDOWS
from heliograph.topology import DATABASE, READINGS_HUB, shard_of
from heliograph.wire import encode, to_event

RULE = Rule(
    "azure-eventhub", {"unprocessedEventThreshold": "64", "activationUnprocessedEventThreshold": "0"}, least=0, most=8
)
QUIET, BUSY = 5, 110
"""Plants that send an event each second: what waits between two checkpoints asks for one analyzer, or for several."""


def test_up_at_once_and_down_in_time() -> None:
    """More replicas at once, fewer only when the peak lies back far enough, none when nothing waited for long."""
    decider = Decider(RULE, stabilise_s=10, cooldown_s=20)
    said = [
        decider.decide(amount, at) for at, amount in ((0, 0), (1, 10), (2, 250), (5, 10), (13, 10), (20, 0), (33, 0))
    ]
    assert said == [0, 1, 4, 4, 1, 1, 0]


def test_the_deployed_rules_are_read() -> None:
    """Analyzer, sink and thumbnailer have a rule each, with a positive threshold and at most a replica a partition."""
    rules = deployed_rules()
    assert set(rules) == {"analyzer", "sink", "thumbnailer"}
    assert all(rule.threshold > 0 and rule.activation == 0 for rule in rules.values())
    assert rules["analyzer"].wanted(10_000) == rules["analyzer"].most == 8


@pytest.mark.skipif("CHAOS_MINUTES" not in os.environ, reason="three minutes of load: `make chaos` runs it")
@pytest.mark.timeout(600)
async def test_analyzers_follow_the_lag_and_no_result_changes(tmp_path: Path) -> None:
    """1 → 4 or more → 1 → 0 analyzers over eight partitions under changing load; the windows equal the batch."""
    world = World(11, 20, 1, now(), now())
    plan = plan_of(tmp_path, world, {"HELIOGRAPH_SOURCES": ""}, {"analyzer": 1, "thumbnailer": 0, "dashboard": 0})
    async with running(plan) as stack:
        stopping = asyncio.Event()
        controller = Controller(
            {"analyzer": deployed_rules()["analyzer"]}, stack.supervisor.scale,
            hubs=stack.hubs, storage=stack.storage, poll_s=2, stabilise_s=20, cooldown_s=30,
        )  # fmt: skip
        controlling = asyncio.create_task(controller.run(stopping))
        sent: list[Reading] = []
        peaks = [await load(stack, sent, plants, seconds) for plants, seconds in ((QUIET, 25), (BUSY, 45))]
        deadline = time.monotonic() + 150
        while (now_running := len(stack.supervisor.replicas("analyzer"))) > 1 and time.monotonic() < deadline:
            await load(stack, sent, QUIET, 5)
        await until_none(stack)
        stopping.set()
        await controlling
        print([(service, amount, count) for _, service, amount, count in controller.history])
        due = truth.plant_truth(truth.frame_of(sent))
        verdict = await compared(stack, due)
    assert (peaks[0], now_running) == (1, 1)
    assert peaks[1] >= 4
    assert verdict.is_clean, verdict


async def load(stack: Stack, sent: list[Reading], plants: int, seconds: int) -> int:
    """An event a plant and second, as time goes by; the most analyzers that ran meanwhile."""
    most = 0
    async with EventHubProducerClient.from_connection_string(stack.hubs, eventhub_name=READINGS_HUB) as producer:
        begun_s, offset = time.monotonic(), len({one.observed_at for one in sent})
        for second in range(seconds):
            await asyncio.sleep(max(0.0, begun_s + second - time.monotonic()))
            group = list(readings(offset + second, plants))
            sent += group
            for one in group:
                await producer.send_batch([to_event(encode([one]))], partition_key=shard_of(one.plant_id))
            most = max(most, len(stack.supervisor.replicas("analyzer")))
    return most


STARTED = now()


def readings(second: int, plants: int) -> Iterator[Reading]:
    for number in range(plants):
        yield Reading(
            v=1,
            plant_id=f"scaled-{number}",
            source="scale",
            observed_at=STARTED + timedelta(seconds=second),
            region="KR-46",
            capacity_kw=100.0,
            generation_kw=float(number + second % 7),
        )


async def until_none(stack: Stack) -> None:
    deadline = time.monotonic() + 120
    while stack.supervisor.replicas("analyzer"):
        assert time.monotonic() < deadline, "the analyzers do not go to zero"
        await asyncio.sleep(1)


async def compared(stack: Stack, due: truth.pl.DataFrame) -> truth.Verdict:
    endpoint, key = stack.cosmos
    deadline = time.monotonic() + 60
    while True:
        async with CosmosClient(endpoint, key, enable_endpoint_discovery=False) as client:
            container = client.get_database_client(DATABASE).get_container_client(WINDOWS.name)
            documents = [one async for one in container.query_items("SELECT * FROM c")]
        found = truth.plant_rows(plant_windows(documents))
        verdict = truth.compare("window", due, found, "plant_id", ("region", "count", *truth.NUMBERS))
        if verdict.is_clean or time.monotonic() > deadline:
            return verdict
        await asyncio.sleep(3)
