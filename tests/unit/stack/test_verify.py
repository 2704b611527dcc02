"""What `heliograph verify` calls a difference."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from heliograph.contracts import Aggregate, PlantWindow, Reading
from stack.verify import Span, differences, fold

START = datetime(2026, 6, 1, 3, tzinfo=UTC)
SPAN = Span(START, START + timedelta(hours=1))


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
