"""What the rules call a fault, seen through the alerts that they lead to."""

from __future__ import annotations

import math
import random
from datetime import timedelta

import pytest
from replay import NOON, TIMING, definitions, events_of, flush, reading, reborn, run

from analyzer.partition import Partition
from heliograph.contracts import Alert, Reading
from heliograph.sites import Site

STEP = timedelta(seconds=10)


def alerts(readings: list[Reading], *, sites: list[Site] | None = None, idle: bool = False) -> list[Alert]:
    book = {site.plant_id: site for site in sites or []}
    target = Partition("3", definitions(), TIMING, book.get)
    batches: dict[object, list[Reading]] = {}
    for one in readings:
        batches.setdefault(one.observed_at, []).append(one)
    documents = run(target, events_of([batches[at] for at in sorted(batches, key=str)]))  # type: ignore[arg-type]
    return [one for one in documents + (flush(target) if idle else []) if isinstance(one, Alert)]


def series(powers: list[float | None], plant: str = "p", **values: object) -> list[Reading]:
    return [reading(plant, NOON + number * STEP, generation_kw=power, **values) for number, power in enumerate(powers)]


def told(found: list[Alert]) -> list[tuple[str, str]]:
    return [(one.rule, one.state) for one in found]


def test_no_power_under_a_strong_sun_is_a_trip_and_power_resolves_it() -> None:
    """A trip opens after two windows of zero, with its evidence, and is resolved after a minute of power."""
    found = alerts(series([70.0] * 5 + [0.0] * 5 + [71.0 + number for number in range(10)], poa_w_m2=800.0))
    assert told(found) == [("trip", "open"), ("trip", "resolved")]
    opened, resolved = found
    assert opened.onset == NOON + 5 * STEP
    assert opened.updated_at == NOON + 7 * STEP
    assert opened.alert_id == resolved.alert_id == "p:trip:2026-06-01T03:00:50Z"
    assert opened.evidence["actual_kw"] == 0.0
    assert opened.expected_kw is not None
    assert opened.expected_kw > 50
    assert resolved.resolved_at == NOON + 16 * STEP


def test_a_single_zero_is_no_trip() -> None:
    """One window at zero opens nothing."""
    assert alerts(series([70.0] * 5 + [0.0] + [70.5 + number / 9 for number in range(6)], poa_w_m2=800.0)) == []


def test_a_cloud_that_the_irradiance_shows_is_no_drop() -> None:
    """Power that falls with the irradiance is as it should be."""
    light = [800.0] * 5 + [200.0] * 5
    powers = [70.0 + number / 9 for number in range(5)] + [17.0 + number / 9 for number in range(5)]
    readings = [reading("p", NOON + number * STEP, generation_kw=power, poa_w_m2=sun)
                for number, (power, sun) in enumerate(zip(powers, light, strict=True))]  # fmt: skip
    assert alerts(readings) == []


def test_power_lost_at_full_sun_is_a_sudden_drop() -> None:
    """A surveyed plant that gives well under half of what its irradiance should give has a sudden drop."""
    site = Site(plant_id="p", name="P", region="KR-46", latitude=34.9, longitude=127.0, capacity_kw=100.0)
    powers = [70.0 + number / 9 for number in range(5)] + [25.0 + number / 9 for number in range(5)]
    assert told(alerts(series(powers, poa_w_m2=800.0), sites=[site])) == [("sudden-drop", "open")]


def test_a_hot_module_is_a_spike_by_level_and_by_rate() -> None:
    """Over 90 degC, or up by more than sun and wind can heat: both are spikes."""
    powers = [50.0 + number for number in range(5)]
    for degrees in ([40.0, 40.0, 95.0, 96.0, 96.0], [40.0, 40.0, 55.0, 56.0, 57.0]):
        readings = [reading("p", NOON + number * STEP, generation_kw=power, module_c=module)
                    for number, (power, module) in enumerate(zip(powers, degrees, strict=True))]  # fmt: skip
        assert told(alerts(readings))[:1] == [("temperature-spike", "open")]


def test_the_same_power_again_and_again_is_stuck_by_day_and_not_zero_at_night() -> None:
    """Four equal windows are a stuck sensor, whose onset is the first of them; zeros in the dark are not."""
    found = alerts(series([50.0, 61.0] + [52.5] * 6))
    assert told(found) == [("stuck-sensor", "open")]
    assert found[0].onset == NOON + 2 * STEP
    night = NOON + timedelta(hours=12)
    assert alerts([reading("p", night + number * STEP, generation_kw=0.0) for number in range(10)]) == []


def test_more_power_than_the_plant_can_give_is_told() -> None:
    """Power over 110 % of capacity is a fault of the reading."""
    assert told(alerts(series([125.0 + number for number in range(6)]))) == [("over-capacity", "open")]


def test_silence_by_day_is_told_and_ends_with_the_next_reading() -> None:
    """A plant that says nothing for over two minutes by day is silent, until it speaks."""
    others = [reading("q", NOON + number * STEP, generation_kw=50.0 + number) for number in range(40)]
    mine = [
        one for one in series([50.0 + number for number in range(40)]) if not 5 <= (one.observed_at - NOON) / STEP < 30
    ]
    found = alerts(others + mine)
    assert told(found) == [("silence", "open"), ("silence", "resolved")]
    assert found[0].plant_id == "p"


def test_the_silence_of_a_whole_source_is_noticed() -> None:
    """When nothing comes at all, time passes by the hub's clock and silence is told."""
    assert told(alerts(series([50.0 + number for number in range(5)]), idle=True)) == [("silence", "open")]


def test_a_cause_that_the_region_shares_is_one_alert() -> None:
    """When many plants of a region fail at once, the region has one alert, and it ends when they are well again."""
    readings = []
    for plant in range(30):
        powers = [70.0 + number / 9 + plant / 99 for number in range(5)]
        powers += [0.0] * 5 + [71.0 + number / 9 + plant / 99 for number in range(10)]
        readings += series(powers, plant=f"p{plant}", poa_w_m2=800.0)
    found = alerts(readings)
    assert told(found) == [("trip", "open"), ("trip", "resolved")]
    assert found[0].plant_id is None
    assert (found[0].region, found[0].plants) == ("KR-46", 30)


QUARTERS = 96
RNG = random.Random(5)
CLOUDS = [RNG.uniform(0.1, 0.7) for _ in range(QUARTERS)]


def days_of(last_day: list[float], days: int = 4, light: str | None = None) -> list[Reading]:
    """Quarter-hourly readings of a plant whose place is unknown: clear days, then one of shares. Irradiance, if it has
    any, is that of clear days."""
    midnight = NOON.replace(hour=0)
    clear = [max(0.0, 80.0 * math.sin((quarter - 24) / 48 * math.pi)) for quarter in range(QUARTERS)]
    return [
        reading("p", midnight + number * timedelta(minutes=15), region="nowhere", generation_kw=power,
                **({light: 10.0 * clear[number % QUARTERS]} if light else {}))
        for number, power in enumerate(clear * days + [kw * share for kw, share in zip(clear, last_day, strict=True)])
    ]  # fmt: skip


@pytest.mark.parametrize(("light", "expected"), [("poa_w_m2", ["sudden-drop"]), ("ghi_w_m2", [])])
def test_horizontal_irradiance_is_trusted_only_once_it_was_right_under_clouds(light: str, expected: list[str]) -> None:
    """Clouds that a satellite does not see are no drop, however well it agreed on clear days; what a sensor in the
    plane of the modules does not see, is one."""
    found = alerts(days_of(CLOUDS, light=light))
    assert sorted({one.rule for one in found if one.rule == "sudden-drop"}) == expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([1.0] * 40, [0.0] * 6, [("trip", "open"), ("trip", "resolved")]),
        ([1.0] * 28, [0.0] * 6, [("trip", "open"), ("trip", "resolved")]),
        ([1.0] * 36 + [0.4, 0.1, 0.03, 0.02], [0.0] * 4, []),
    ],
    ids=["at-noon", "in-the-morning", "under-a-storm"],
)
def test_zero_by_a_plants_own_days_is_a_trip_if_it_came_at_once(
    before: list[float], after: list[float], expected: list[tuple[str, str]]
) -> None:
    """Without irradiance or a place, power that falls to zero between two readings is a trip; a storm takes it there
    over several, and lets go again."""
    day = before + after
    assert told(alerts(days_of(day + [1.0] * (QUARTERS - len(day))))) == expected


def test_zero_that_lasts_for_hours_of_the_plants_own_day_is_a_trip() -> None:
    """A plant that does not wake up is told when it has slept for two hours in which it usually is awake."""
    found = alerts(days_of([0.0] * QUARTERS))
    assert told(found) == [("trip", "open")]
    woken = found[0].onset.replace(hour=6, minute=45)  # from then on it usually gives over 15 % of its capacity
    assert found[0].onset - woken == timedelta(hours=2)


@pytest.mark.parametrize(
    ("shares", "expected"),
    [([0.55] * QUARTERS, ["sudden-drop"]), (CLOUDS, [])],
    ids=["half-of-the-strings", "clouds"],
)
def test_one_low_level_of_clear_day_power_is_a_loss(shares: list[float], expected: list[str]) -> None:
    """Without irradiance, hours at one and the same share of the clear-day power are a loss; clouds waver."""
    assert [one.rule for one in alerts(days_of(shares)) if one.state == "open"] == expected


def test_a_loss_is_told_alike_across_a_restart_and_for_every_rhythm() -> None:
    """Half of the strings lost at noon is told within a day, in readings by five minutes, quarter hours or hours, and a
    restart between changes no alert."""
    for minutes in (5, 15, 60):
        per_day = 24 * 60 // minutes
        steps = range(7 * per_day)
        clear = [max(0.0, 80.0 * math.sin((step % per_day / per_day - 0.25) * 2 * math.pi)) for step in steps]
        lost = 5 * per_day + per_day // 2
        readings = [
            reading("p", NOON.replace(hour=0) + step * timedelta(minutes=minutes), region="nowhere",
                    generation_kw=clear[step] * (0.5 if step >= lost else 1.0))
            for step in steps
        ]  # fmt: skip
        events = events_of([[one] for one in readings])
        target = Partition("3", definitions(), TIMING, {}.get)
        whole = [one for one in run(target, events) if isinstance(one, Alert)]
        assert told(whole) == [("sudden-drop", "open")]
        assert whole[0].updated_at - readings[lost].observed_at < timedelta(days=1)
        first = Partition("3", definitions(), TIMING, {}.get)
        documents = run(first, events[: lost + 2])
        documents += run(reborn(first), events[lost + 2 :])
        assert [one for one in documents if isinstance(one, Alert)] == whole


@pytest.mark.parametrize(
    ("irradiance", "ambient_c", "expected"),
    [(True, 12.0, ["sudden-drop"]), (True, -4.0, []), (False, 12.0, [])],
    ids=["a-satellites", "under-frost", "none"],
)
def test_hours_short_of_rough_irradiance_are_a_loss(irradiance: bool, ambient_c: float, expected: list[str]) -> None:
    """A cloudy day with half of the strings lost is told by a satellite that errs by a quarter, once its error is
    known; not in frost, when snow may lie on the modules; and not without irradiance."""
    rng = random.Random(11)
    midnight, sky, readings = NOON.replace(hour=0), 0.5, []
    for quarter in range(9 * QUARTERS):
        sky = min(1.0, max(0.1, sky + rng.uniform(-0.25, 0.25)))
        clear = max(0.0, 80.0 * math.sin((quarter % QUARTERS - 24) / 48 * math.pi))
        lost = 0.5 if quarter >= 8 * QUARTERS else 1.0
        told = {"ghi_w_m2": min(1400.0, 10.0 * clear * sky * rng.lognormvariate(0.0, 0.25))} if irradiance else {}
        readings.append(
            reading("p", midnight + quarter * timedelta(minutes=15), region="nowhere", ambient_c=ambient_c,
                    generation_kw=clear * sky * lost, **told)
        )  # fmt: skip
    assert [one.rule for one in alerts(readings) if one.state == "open"] == expected


@pytest.mark.parametrize("azimuth_deg", [180.0, 270.0, 90.0])
def test_a_wrong_azimuth_in_the_registry_is_no_loss(azimuth_deg: float) -> None:
    """Without trusted irradiance a plant is held to its own clear days, whatever way the registry says that it looks:
    clear days are well, and half of the strings lost are told."""
    site = Site(plant_id="p", name="P", region="nowhere", latitude=35.0, longitude=0.0, capacity_kw=100.0,
                tilt_deg=50.0, azimuth_deg=azimuth_deg)  # fmt: skip
    for share, expected in ((1.0, []), (0.5, ["sudden-drop"])):
        found = alerts(days_of([share] * QUARTERS), sites=[site])
        assert [one.rule for one in found if one.state == "open"] == expected


def test_a_plant_under_snow_that_gives_a_little_is_no_trip() -> None:
    """Hours at zero count together only while the plant gives nothing at all between them."""
    for between, expected in ((0.02, []), (0.0, [("trip", "open")])):
        day = [0.0] * 33 + [between] * 4 + [0.0] * 4 + [1.0] * (QUARTERS - 41)
        assert told(alerts(days_of(day)))[:1] == expected
