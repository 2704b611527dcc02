"""What `heliograph verify` calls a difference."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from heliograph.contracts import Aggregate, PlantWindow, Reading
from stack.cli import app
from stack.verify import Kept, Span, Tumbling, differences, fold, parse_tumbling

START = datetime(2026, 6, 1, 3, tzinfo=UTC)
SPAN = Span(START, START + timedelta(hours=1))
MINUTE = parse_tumbling("tumbling-60s")


def reading(second: int, kw: float | None = 5.0, source: str = "inverters") -> Reading:
    light = None if kw is not None else 500.0
    return Reading(v=1, plant_id="p", source=source, observed_at=START + timedelta(seconds=second), region="KR-46",
                   capacity_kw=9.0, generation_kw=kw, ghi_w_m2=light)  # fmt: skip


def window(second: int, readings: int, *powers: float) -> PlantWindow:
    start = START + timedelta(seconds=second)
    kw = powers and Aggregate(count=len(powers), sum=sum(powers), min=min(powers), max=max(powers),
                              mean=sum(powers) / len(powers), first=powers[0], last=powers[-1])  # fmt: skip
    return PlantWindow(v=1, plant_id="p", region="KR-46", window="tumbling-10s", window_start=start, capacity_kw=9.0,
                       window_end=start + timedelta(seconds=10), readings=readings, generation_kw=kw or None,
                       state="ok")  # fmt: skip


def found(readings: list[Reading], *stored: PlantWindow) -> list[str]:
    return [text.removeprefix("p 2026-06-01T") for text in differences(fold(readings, SPAN), stored)]


def test_equal_windows_differ_in_nothing() -> None:
    """Repeats of a reading count once, as in the analyzer."""
    assert found([reading(1), reading(2, 6.0), reading(1)], window(0, 2, 5.0, 6.0)) == []


def test_each_difference_is_named() -> None:
    """What is missing, too many or wrong has its plant, its window and both values."""
    assert found([reading(1)]) == ["03:00:00Z: missing, the hub has 1 readings"]
    assert found([], window(0, 1, 5.0)) == ["03:00:00Z: stored with 1 readings, the hub has none"]
    assert found([reading(1)], window(0, 2, 5.0)) == ["03:00:00Z: readings is 2, must be 1"]
    assert found([reading(1)], window(0, 1, 6.0)) == [
        f"03:00:00Z: generation_kw.{name} is 6.0, must be 5.0" for name in ("sum", "min", "max")
    ]


def test_weather_may_be_in_its_window_or_not() -> None:
    """Weather that came when its window had settled is in none: neither is a difference, but more than there was is."""
    both = [reading(1), reading(2, None, "sky")]
    assert found(both, window(0, 1, 5.0)) == []
    assert found(both, window(0, 2, 5.0)) == []
    assert found(both, window(0, 3, 5.0)) == ["03:00:00Z: readings is 3, must be 1 to 2"]
    assert found([reading(2, None, "sky")]) == []


def kept(asked: Span | None, *seconds: int) -> tuple[list[int], int]:
    """When the readings kept were observed, in seconds after the start, and how many there were at the most."""
    keeping, most = Kept(asked), 0
    for second in seconds:
        keeping.add(reading(second))
        most = max(most, len(keeping.readings))
    return [int((one.observed_at - START).total_seconds()) for one in keeping.readings], most


def test_only_readings_of_the_span_are_kept() -> None:
    """What lies outside the time asked for takes no memory."""
    assert kept(SPAN, -1, 0, 3599, 3600) == ([0, 3599], 2)


def test_without_a_span_two_hours_of_readings_are_kept_at_the_most() -> None:
    """However much the hub retains, what the last whole hour has left behind is dropped as newer readings come, and not
    taken up again from the partitions that are read later."""
    day, before = range(0, 86_400, 60), range(-3600, 79_201, 3600)
    assert kept(None, *day, *before) == ([*range(79_200, 86_400, 60), 79_200], 125)


def test_an_hour_is_whole_five_minutes_after_its_end() -> None:
    """Its last windows wait for stragglers and are not stored before, which is no difference."""
    keeping = Kept(None)
    ends: list[datetime] = []
    for minutes in (123, 124, 125, 184, 185):
        keeping.add(reading(minutes * 60))
        assert keeping.span
        ends.append(keeping.span.end)
    assert [(end - START) // timedelta(hours=1) for end in ends] == [1, 1, 2, 2, 3]


def test_windows_of_another_length_are_computed() -> None:
    """The readings of a window are those from its start to its end, wherever within it the span begins or ends."""
    span = Span(START + timedelta(seconds=30), START + timedelta(seconds=90), MINUTE)
    found = fold([reading(second) for second in (40, 60, 100, 119, 120)], span)
    assert {start: one.readings for (_, start), one in found.items()} == {START + timedelta(seconds=60): 3}
    assert parse_tumbling("tumbling-0.5s") == Tumbling("tumbling-0.5s", timedelta(seconds=0.5))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--from 2026-06-01T12:00:00Z", "give both --from and --to"),
        ("--to 2026-06-01T12:00:00Z", "give both --from and --to"),
        (
            "--from 2026-06-01T12:00:00Z --to 2026-06-01T11:00:00Z",
            "--to is '2026-06-01T11:00:00Z', it must be after --from, which is '2026-06-01T12:00:00Z'",
        ),
        ("--window hopping-60s-10s", "--window is 'hopping-60s-10s', it must be a tumbling window"),
        ("--window tumbling-0s", "--window is 'tumbling-0s', it must be a tumbling window"),
        ("--window tumbling-infs", "--window is 'tumbling-infs', it must be a tumbling window"),
        ("--window 60s", "--window is '60s', it must be a tumbling window"),
        ("--window tumbling-420s", "tumbling-420s does not divide an hour: give both --from and --to"),
    ],
)
def test_what_can_not_be_verified_is_refused(words: str, said: str) -> None:
    """No time, no such window or half a span ends with a message, never with "no difference"."""
    answer = CliRunner().invoke(app, ["verify", *words.split()])
    assert answer.exit_code == 1
    assert said in answer.stderr
