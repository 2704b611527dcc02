"""The truth: the same windows computed in one go from the same readings, by Polars."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from bench.storm.truth import WEATHER, frame_of, plant_rows, region_rows, region_truth
from bench.storm.truth import plant_truth as truth_of_frame
from heliograph.contracts import PlantWindow, Reading, RegionWindow

NUMBERS = ("capacity_kw", "utilisation_pct", "sum", "min", "max", "mean", "first", "last", *WEATHER)
__all__ = ["assert_plants_equal", "assert_regions_equal", "plant_truth", "region_truth"]
REGION_NUMBERS = ("capacity_kw", "generation_kw")


def plant_truth(readings: Sequence[Reading]) -> pl.DataFrame:
    """One row per plant and window, by plant and start."""
    return truth_of_frame(frame_of(readings))


def assert_plants_equal(windows: Sequence[PlantWindow], truth: pl.DataFrame) -> None:
    """Every window, no more and no fewer, each number to 1e-9 of its size."""
    keys = ["plant_id", "start", "readings", "region", "count"]
    assert_rows_equal(plant_rows(windows).sort("plant_id", "start"), truth, keys, NUMBERS)


def assert_regions_equal(partials: Sequence[RegionWindow], truth: pl.DataFrame) -> None:
    """The sums of the partials, region by region."""
    keys = ["region", "start", "plants", "readings"]
    assert_rows_equal(region_rows(partials).sort("region", "start"), truth, keys, REGION_NUMBERS)


def assert_rows_equal(found: pl.DataFrame, truth: pl.DataFrame, keys: Sequence[str], numbers: Sequence[str]) -> None:
    assert found.height == truth.height, f"{found.height} windows, not {truth.height}"
    for key in keys:
        assert found[key].to_list() == truth[key].to_list(), key
    for name in numbers:
        for seen, due in zip(found[name].to_list(), truth[name].to_list(), strict=True):
            same = seen is due is None or (seen is not None and due is not None and close(seen, due))
            assert same, f"{name}: {seen}, not {due}"


def close(seen: float, due: float) -> bool:
    return abs(seen - due) <= 1e-9 * max(1.0, abs(due))
