"""Windows for the sink's tests."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from heliograph.contracts import Aggregate, PlantWindow, RegionWindow

START = datetime(2026, 6, 1, 3, tzinfo=UTC)

MakePlant = Callable[..., PlantWindow]
MakeRegion = Callable[..., RegionWindow]


def aggregate(values: Sequence[float]) -> Aggregate:
    """Of values in order of time."""
    return Aggregate(
        count=len(values),
        sum=sum(values),
        min=min(values),
        max=max(values),
        mean=sum(values) / len(values),
        first=values[0],
        last=values[-1],
    )


@pytest.fixture
def plant_window() -> MakePlant:
    """Makes a plant window that starts so many seconds after `START`."""

    def make(plant_id: str = "p1", after_s: float = 0, revision: int = 0, values=(512.25,), **fields) -> PlantWindow:
        start = START + timedelta(seconds=after_s)
        power = aggregate(values) if values else None
        known = {
            "region": "KR-46",
            "capacity_kw": 990.5,
            "utilisation_pct": power.mean / 990.5 * 100 if power else None,
            "state": "ok",
            "readings": len(values),
            "window": "10s",
            "window_end": start + timedelta(seconds=10),
        }
        return PlantWindow(
            v=1, plant_id=plant_id, window_start=start, revision=revision, generation_kw=power, **{**known, **fields}
        )

    return make


@pytest.fixture
def region_window() -> MakeRegion:
    """Makes one partition's partial of a region window."""

    def make(region: str = "KR-46", partition: str = "0", after_s: float = 0, revision: int = 0, **fields):
        start = START + timedelta(seconds=after_s)
        known = {"readings": 3, "plants": 2, "capacity_kw": 1000.0, "generation_kw": 400.0, "expected_kw": 500.0}
        return RegionWindow(
            v=1,
            region=region,
            partition=partition,
            window="10s",
            window_start=start,
            window_end=start + timedelta(seconds=10),
            revision=revision,
            **{**known, **fields},
        )

    return make


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """Random numbers whose seed is printed."""
    seed = random.randrange(2**32)
    print(f"{request.node.name}: seed {seed}")
    return random.Random(seed)
