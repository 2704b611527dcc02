"""Roll-ups are exact, and the same however the windows came."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from heliograph.rollups import day_totals, plant_hours, plant_points, region_points, region_totals
from heliograph.rows import epoch_s
from heliograph.storage import HOUR_S
from sink.journal import Span
from sink.rollup import plant_rollups, region_rollups

HOUR = Span("c0001", "plants", int(epoch_s(datetime(2026, 6, 1, 3, tzinfo=UTC))))


def test_a_full_hour_of_constant_power_is_its_energy(plant_window) -> None:
    """600 kW in every window of an hour are 600 kWh, and the ratio follows from the expectation."""
    [hour] = plant_hours([plant_window(after_s=10 * n, values=(600.0,), expected_kw=800.0) for n in range(360)])
    assert (hour.energy_kwh, hour.expected_kwh, hour.observed_s, hour.windows) == (600.0, 800.0, 3600.0, 360)
    assert day_totals([hour])["performance_ratio"] == 0.75


def test_sparse_readings_stand_until_the_next(plant_window) -> None:
    """A plant that reports each five minutes has the energy of its power, not of its ten-second windows."""
    [hour] = plant_hours([plant_window(after_s=300 * n, values=(600.0,)) for n in range(12)])
    assert hour.energy_kwh == pytest.approx(600.0)


def test_a_gap_is_a_gap(plant_window) -> None:
    """After a quarter of an hour without a reading, nothing is assumed any more."""
    [hour] = plant_hours([plant_window(after_s=s, values=(600.0,)) for s in (0, 10, 3590)])
    assert hour.observed_s == 10 + 900 + 10


def test_compared_energy_counts_only_with_an_expectation(plant_window) -> None:
    """Where there is no expectation, the energy counts but is not compared."""
    windows = [plant_window(after_s=10 * n, values=(360.0,), expected_kw=360.0 if n % 2 else None) for n in range(360)]
    [hour] = plant_hours(windows)
    assert (hour.energy_kwh, hour.compared_kwh, hour.expected_kwh) == (360.0, 180.0, 180.0)


def test_points_hold_the_worst_state_and_the_highest_power(plant_window) -> None:
    """A fault of ten seconds is seen in its five minutes."""
    windows = [plant_window(after_s=10 * n, values=(float(n),), state="fault" if n == 7 else "ok") for n in range(60)]
    first, second = plant_points(windows)
    assert (first.state, first.max_kw, first.mean_kw, first.windows) == ("fault", 29.0, 14.5, 30)
    assert (second.state, second.index) == ("ok", first.index + 1)


def test_several_window_definitions_count_once(plant_window) -> None:
    """Where a minute's windows overlap the ten seconds', only the finest are folded."""
    fine = [plant_window(after_s=10 * n, values=(600.0,)) for n in range(360)]
    coarse = [plant_window(after_s=0, values=(600.0,), window="1h", window_end=fine[-1].window_end)]
    assert plant_hours([*coarse, *fine]) == plant_hours(fine)


def test_order_and_corrections_change_nothing(plant_window, rng: random.Random) -> None:
    """A roll-up over a stale one, or in any order of windows, is the same to the bit as the one from scratch."""
    windows = [plant_window(after_s=10 * n, values=(rng.uniform(0, 900),), expected_kw=700.1) for n in range(360)]
    fresh = plant_rollups(HOUR, windows, {})
    stale = plant_rollups(HOUR, [plant_window(after_s=0, values=(1.0,))], {})
    shuffled = rng.sample(windows, len(windows))
    assert plant_rollups(HOUR, shuffled, {d["id"]: d for d in stale}) == fresh


def test_other_hours_stay(plant_window) -> None:
    """Rolling up an hour leaves the day's other hours as they are and sums all of them."""
    first = plant_rollups(HOUR, [plant_window(after_s=10 * n, values=(600.0,)) for n in range(360)], {})
    stored = {d["id"]: d for d in first}
    later = Span(HOUR.pk, HOUR.of, HOUR.start_s + HOUR_S)
    windows = [plant_window(after_s=HOUR_S + 10 * n, values=(300.0,)) for n in range(360)]
    day = next(d for d in plant_rollups(later, windows, stored) if d["kind"] == "plant-day")
    assert [hour[0] for hour in day["hours"]] == [3, 4]
    assert day["energy_kwh"] == 900.0


def test_region_partials_are_summed_and_then_averaged(region_window) -> None:
    """The total of a region is the sum over partitions; its point is the mean of the totals."""
    partials = [region_window(partition=p, after_s=10 * n, generation_kw=100.0) for p in "012" for n in range(30)]
    [total, *_] = region_totals(partials)
    assert (total.generation_kw, total.plants, total.expected_kw) == (300.0, 6, 1500.0)
    [point] = region_points(partials)["KR-46"]
    assert (point.generation_kw, point.windows, point.capacity_kw) == (300.0, 30, 3000.0)


def test_windows_without_plants_are_no_zeros(region_window) -> None:
    """A window of weather alone, and one that was taken back, say nothing about a region's power."""
    empty = {"plants": 0, "capacity_kw": 0.0, "generation_kw": 0.0, "expected_kw": None, "utilisation_pct": None}
    partials = [region_window(after_s=10 * n, generation_kw=100.0) for n in range(3)]
    partials += [region_window(after_s=10 * n, **empty) for n in range(3, 30)]
    [point] = region_points(partials)["KR-46"]
    assert (point.generation_kw, point.windows) == (100.0, 3)


def test_region_rollup_replaces_its_five_minutes_only(region_window) -> None:
    """A correction changes its own point and no other."""
    span = Span("2026-06-01", "regions", HOUR.start_s)
    first = region_rollups(span, [region_window(generation_kw=100.0)], {})
    stored = {d["id"]: d for d in first}
    following = Span(span.pk, span.of, span.start_s + 300)
    [after] = region_rollups(following, [region_window(after_s=300, generation_kw=50.0)], stored)
    [corrected] = region_rollups(span, [region_window(generation_kw=70.0)], {after["id"]: after})
    assert [point[2] for point in corrected["points"]] == [70.0, 50.0]
