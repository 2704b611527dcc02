"""Weather of another source than the power: rarer, later, and of use until something newer comes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
import pytest

from analyzer.columns import to_micros
from analyzer.lane import Document
from analyzer.partition import Output, Partition
from heliograph.contracts import PlantWindow, Reading
from heliograph.sites import Site
from tests.unit.analyzer.replay import NOON, facts, flush, partition, reading, reborn

SITE = Site(plant_id="p", name="P", region="KR-46", latitude=35.0, longitude=127.0, capacity_kw=100.0)
MORNING_S = -3 * 3600.0
"""Nine in Korea, by seconds from noon."""


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def power(seconds: float) -> Reading:
    return reading("p", at(seconds), source="inverters", generation_kw=50.0 + seconds % 7)


def sky(seconds: float, ghi_w_m2: float | None, **values: object) -> Reading:
    known: dict[str, object] = {"generation_kw": None, "interval_s": 900.0, "ghi_w_m2": ghi_w_m2}
    return reading("p", at(seconds), source="sky", **(known | values))


def known_place(*windows: str) -> Partition:
    target = partition(*windows)
    target.sites = {"p": SITE}.get
    return target


def taken(target: Partition, batches: Sequence[tuple[float, Reading]]) -> list[Output]:
    """What comes of readings, each an event that the hub takes in at those seconds after noon."""
    first = target.sequence + 1
    return [
        target.take(sequence, to_micros(at(second)), msgspec.json.encode([one]))
        for sequence, (second, one) in enumerate(sorted(batches, key=lambda one: one[0]), first)
    ]


def windows_of(outputs: Sequence[Output]) -> list[PlantWindow]:
    return [one for output in outputs for one in output.documents if isinstance(one, PlantWindow)]


def inverters(begin: float, end: float) -> list[tuple[float, Reading]]:
    return [(second + 1.0, power(second)) for second in range(int(begin), int(end), 10)]


def expected(begin: float, weather: Sequence[tuple[float, Reading]], seconds: float = 600) -> list[float | None]:
    """The expected powers of ten minutes of windows."""
    outputs = taken(known_place(), [*inverters(begin, begin + seconds), *weather])
    assert [output.refused for output in outputs if output.refused] == []
    return [one.expected_kw for one in windows_of(outputs)]


def test_late_weather_says_what_to_expect_from_then_on() -> None:
    """What a service tells of twenty minutes ago is no dead letter: windows after its coming are held to it."""
    powers = expected(0, [(300.5, sky(-900, 500.0, ambient_c=20.0))])
    assert powers[:29] == [None] * 29
    assert all(power is not None and 40 < power < 60 for power in powers[31:])


def test_weather_is_part_of_no_window_that_had_settled() -> None:
    """It changes no window of its own time, and makes none: each has the readings of the inverters alone."""
    outputs = taken(known_place(), [*inverters(0, 600), (300.5, sky(-900, 500.0)), (400.5, sky(200, 400.0))])
    assert {(one.readings, one.revision) for one in windows_of(outputs)} == {(1, 0)}
    assert sum(output.readings for output in outputs) == 62


def test_irradiance_goes_with_the_sun() -> None:
    """The same cloud in the morning lets through less half an hour ago than now: its share of the clear sky is kept."""
    share = expected(MORNING_S, [(MORNING_S + 5, sky(MORNING_S - 1800, 300.0))])[-1]
    level = expected(MORNING_S, [(MORNING_S + 5, sky(MORNING_S - 60, 300.0))])[-1]
    assert share is not None
    assert level is not None
    assert 1.05 * level < share < 1.6 * level


def test_the_newest_weather_counts_whenever_it_comes() -> None:
    """A service that tells three hours again, in one event or in reverse, leaves what the newest of it says."""
    again = [sky(-900.0 * n, 100.0 * n) for n in range(1, 7)]
    newest = expected(0, [(300.5, again[0])])[-1]
    assert expected(0, [(300.5 + n, one) for n, one in enumerate(again)])[-1] == newest
    assert expected(0, [(300.5 - n, one) for n, one in enumerate(again)])[-1] == newest


def test_old_weather_is_late() -> None:
    """Of more than two hours ago it says nothing of now, and becomes a dead letter as all that is late."""
    outputs = taken(known_place(), [*inverters(0, 100), (50.5, sky(-7400, 500.0))])
    assert [one.reason for output in outputs for one in output.refused] == ["late"]


def test_after_two_hours_nothing_is_known() -> None:
    """Weather that nobody renews is not held to for ever."""
    powers = expected(0, [(5, sky(-900, 500.0))], 7200)
    known = [power is not None for power in powers]
    assert known[:2] == [False, True] or known[:2] == [True, True]
    assert known.index(False, 5) == pytest.approx(630, abs=2)


def test_power_and_silence_are_not_weather_s() -> None:
    """Late power of another source is a dead letter still, and so is a late module temperature."""
    late = reading("p", at(-900), source="other", generation_kw=1.0, ghi_w_m2=500.0)
    module = reading("p", at(-900), source="other", generation_kw=None, module_c=30.0)
    outputs = taken(known_place(), [*inverters(0, 100), (50.5, late), (60.5, module)])
    assert [one.reason for output in outputs for one in output.refused] == ["late", "late"]


def test_a_sensor_that_is_slower_than_the_meter_counts_between_its_readings() -> None:
    """A plant's own irradiance each five minutes stands for the ten seconds between."""
    own = [(second + 1.0, msgspec.structs.replace(power(second), ghi_w_m2=600.0 if second % 300 == 0 else None))
           for second in range(0, 900, 10)]  # fmt: skip
    powers = [one.expected_kw for one in windows_of(taken(known_place(), own))]
    assert all(power is not None for power in powers)
    assert max(powers) - min(powers) < 2  # type: ignore[type-var, operator]


@pytest.mark.parametrize("cut", [1, 20, 31, 33, 60])
def test_a_restart_forgets_no_weather(cut: int) -> None:
    """Wherever a process dies, its successor says the same of the rest."""
    batches = sorted([*inverters(0, 900), (300.5, sky(-900, 500.0)), (610.5, sky(0, 300.0, ambient_c=9.0))],
                     key=lambda one: one[0])  # fmt: skip

    def ended(target: Partition, said: list[Document]) -> dict[object, object]:
        return facts([*said, *flush(target)])

    whole = known_place()
    before = [one for output in taken(whole, batches) for one in output.documents]
    former = known_place()
    said = [one for output in taken(former, batches[:cut]) for one in output.documents]
    later = reborn(former)
    said += [one for output in taken(later, batches[cut:]) for one in output.documents]
    assert ended(later, said) == ended(whole, before)


def test_weather_that_was_taken_in_is_not_kept() -> None:
    """A day of it leaves no more behind than its last word."""
    target = known_place()
    for hour in range(6):
        begin = hour * 3600.0
        weather = [(begin + 900.0 * n + 0.5, sky(begin + 900.0 * n - 600, 500.0)) for n in range(4)]
        taken(target, [*inverters(begin, begin + 3600), *weather])
    assert len(target.lanes["inverters"].bulletins) <= 1


def test_late_readings_judge_again_with_the_weather_as_it_was_known() -> None:
    """A reading that comes late, after weather did, finds the windows before that as they were."""
    batches = inverters(0, 500)
    late = batches.pop(28)
    on_time = known_place()
    taken(on_time, [*inverters(0, 500), (300.5, sky(-900, 500.0))])
    target = known_place()
    outputs = taken(target, [*batches, (300.5, sky(-900, 500.0)), (312.5, late[1])])
    (window,) = [one for one in windows_of(outputs) if one.window_start == at(280)]
    assert window.expected_kw is None
    assert facts(flush(target)) == facts(flush(on_time))
