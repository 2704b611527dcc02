"""Known readings in, exactly the expected documents out."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

import polars as pl
import pytest

from heliograph.contracts import PlantWindow, Reading, RegionWindow
from tests.flow import batch, readings
from tests.flow.conftest import Stack, eventually


def expect(stack: Stack, prefix: str, sent: Sequence[Reading], timeout_s: float = 60) -> None:
    """The documents of these plants and regions equal the batch computation."""
    plants = batch.plant_truth(sent)
    regions = batch.region_truth(plants)
    windows = eventually(lambda: stack.plant_windows(prefix), _told_of(plants), timeout_s)
    batch.assert_plants_equal(windows, plants)
    # The regions' documents lie under other keys, and those of a commit are not written at once.
    partials = eventually(lambda: stack.region_windows(prefix), _told_of(regions, "plants"), timeout_s)
    batch.assert_regions_equal(partials, regions)


def _told_of(
    truth: pl.DataFrame, count: str = "readings"
) -> Callable[[Sequence[PlantWindow] | Sequence[RegionWindow]], bool]:
    """As many readings (or plants of regions) as there are; whether they are the right ones is for the comparison."""
    total = sum(truth[count])
    return lambda seen: sum(getattr(one, count) for one in seen) >= total


@pytest.mark.timeout(180)
def test_documents_equal_the_batch(stack: Stack) -> None:
    """Every plant and region window of the stream equals the batch computation of the same readings, to 1e-9."""
    seed = secrets.randbelow(10**6)
    print(f"seed {seed}")
    sent = readings.fleet("exact", seed)
    for at in range(0, len(sent), 500):
        stack.send(sent[at : at + 500])
    expect(stack, "exact", sent)


@pytest.mark.timeout(240)
def test_regions_count_plants_between_their_readings(stack: Stack) -> None:
    """Where plants report each 3 to 30 seconds, with a crash of the analyzer between, each window of a region holds all
    plants whose last power is still fresh, as an as-of join of the same readings has it."""
    seed = secrets.randbelow(10**6)
    print(f"seed {seed}")
    sent = readings.slow_fleet("slow", seed)
    stack.send(sent[: len(sent) // 2], an_event=20)
    stack.kill("analyzer")
    stack.send(sent[len(sent) // 2 :], an_event=20)
    expect(stack, "slow", sent, timeout_s=120)


@pytest.mark.timeout(300)
def test_kill_each_service_in_turn(stack: Stack) -> None:
    """kill -9 on each service while readings flow, and the documents are the same: none lost, doubled or wrong."""
    seed = secrets.randbelow(10**6)
    print(f"seed {seed}")
    sent = readings.fleet("killed", seed)
    victims = iter(["analyzer", "sink", "ingest", "thumbnailer", "dashboard", "analyzer", "sink"])
    for at in range(0, len(sent), 300):
        stack.send(sent[at : at + 300])
        if victim := next(victims, None):
            stack.kill(victim)
            eventually(lambda: stack.is_ready(victim), bool, 60)
    expect(stack, "killed", sent, timeout_s=90)
