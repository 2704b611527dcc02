"""Roll-ups are exact, and the same however the windows came."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from heliograph.rollups import day_totals, plant_hours, plant_points, region_points, region_totals
from heliograph.rows import epoch_s
from heliograph.storage import HOUR_S, floor_to
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


@pytest.mark.parametrize("every_s", [10, 15, 60, 300, 600, 900, 1200, 1800, 2400, 3600])
@pytest.mark.parametrize("late", [0.0, 0.3, 0.5, 0.97])
def test_hours_of_constant_power_are_its_energy_however_often_it_is_told(plant_window, every_s, late) -> None:
    """A source's interval, and the minute at which it reports, leave no hole in any hour."""
    told = range(int(every_s * late), 4 * HOUR_S, every_s)
    hours = plant_hours([plant_window(after_s=floor_to(s, 10), values=(100.0,)) for s in told])
    assert [(hour.energy_kwh, hour.observed_s) for hour in hours] == [(pytest.approx(100.0), 3600.0)] * 4


def test_a_source_that_is_not_punctual_leaves_no_holes(plant_window, rng: random.Random) -> None:
    """Readings that come up to a tenth of the interval early or late still cover their hours."""
    told = [300 * n + 150 + rng.randrange(-30, 31) for n in range(48)]
    hours = plant_hours([plant_window(after_s=floor_to(s, 10), values=(100.0,)) for s in told])
    assert [hour.observed_s for hour in hours] == [3600.0] * 4


def test_time_before_the_first_and_after_the_last_reading_is_not_made_up(plant_window) -> None:
    """A plant that begins, or stops, in the middle of an hour has the energy of the time that it was heard."""
    [hour] = plant_hours([plant_window(after_s=10 * n, values=(600.0,)) for n in range(90, 270)])
    assert hour.observed_s == 1800
    [hour] = plant_hours([plant_window(after_s=300 * n, values=(600.0,)) for n in range(4, 8)])
    assert hour.observed_s == 1200


def test_a_lone_window_stands_for_the_hour_unless_it_holds_several_readings(plant_window) -> None:
    """Several readings within ten seconds are not those of a source that reports each hour."""
    [hour] = plant_hours([plant_window(after_s=1200, values=(600.0,))])
    assert hour.observed_s == 3600
    [hour] = plant_hours([plant_window(after_s=1200, values=(600.0, 600.0))])
    assert hour.observed_s == 900


@pytest.mark.parametrize("every_s", [300, 900, 1800, 3600])
def test_an_hour_that_is_not_over_holds_no_energy_of_its_future(plant_window, every_s) -> None:
    """However often a plant reports, the open hour grows evenly to what it holds in the end."""
    start_s = epoch_s(plant_window().window_start)
    for minute in range(5, 61, 5):
        windows = [plant_window(after_s=s, values=(60.0,)) for s in range(0, 60 * minute, every_s)]
        [hour] = plant_hours(windows, until_s=start_s + 60 * minute)
        assert (hour.energy_kwh, hour.observed_s) == (pytest.approx(minute), 60 * minute)


def test_weather_between_two_readings_of_power_takes_nothing_from_it(plant_window) -> None:
    """Power that is told each half hour stands for it, though weather comes each quarter in windows of its own."""
    power = [plant_window(after_s=1800 * n, values=(600.0,)) for n in range(2)]
    weather = [plant_window(after_s=900 * n + 20, values=(), readings=1, poa_w_m2=500.0) for n in range(4)]
    [hour] = plant_hours([*power, *weather])
    assert (hour.energy_kwh, hour.windows) == (600.0, 6)


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


def test_capacity_and_region_are_those_of_the_last_hour_in_any_order(plant_window, rng: random.Random) -> None:
    """An early hour that is folded again leaves the day what a later hour said of the plant, as does any order of
    windows within the hour."""
    later = Span(HOUR.pk, HOUR.of, HOUR.start_s + HOUR_S)
    early = [plant_window(after_s=10 * n, capacity_kw=500.0 + n) for n in range(10)]
    late = [plant_window(after_s=HOUR_S, capacity_kw=1500.0, region="KR-47")]
    folds = [(HOUR, rng.sample(early, len(early))), (later, late), (HOUR, early)]

    def rolled_up(folds) -> dict[str, dict]:
        stored: dict[str, dict] = {}
        for span, windows in folds:
            stored |= {d["id"]: d for d in plant_rollups(span, windows, stored)}
        return stored

    in_order = rolled_up(folds[:2])
    assert {(d["region"], d.get("capacity_kw", 1500.0)) for d in in_order.values()} == {("KR-47", 1500.0)}
    assert rolled_up(folds) == rolled_up(folds[1:]) == in_order
    [only] = {d["capacity_kw"] for d in rolled_up(folds[:1]).values() if d["kind"] == "plant-day"}
    assert only == 509.0


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


def test_a_region_point_that_was_taken_back_goes(region_window) -> None:
    """Five minutes in which no plant counts any more lose their point; where there was none, nothing is written."""
    empty = {"plants": 0, "capacity_kw": 0.0, "generation_kw": 0.0, "expected_kw": None, "utilisation_pct": None}
    span, following = (Span("2026-06-01", "regions", HOUR.start_s + after_s) for after_s in (0, 300))
    [first] = region_rollups(span, [region_window(generation_kw=100.0)], {})
    [both] = region_rollups(following, [region_window(after_s=300, generation_kw=50.0)], {first["id"]: first})
    [after] = region_rollups(span, [region_window(revision=1, **empty)], {both["id"]: both})
    assert [point[2] for point in after["points"]] == [50.0]
    assert region_rollups(span, [region_window(revision=1, **empty)], {after["id"]: after}) == []
    assert region_rollups(span, [region_window(**empty)], {}) == []
