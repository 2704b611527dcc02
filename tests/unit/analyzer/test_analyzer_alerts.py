"""Alerts over their whole life, as the store and an operator see them."""

from __future__ import annotations

from datetime import timedelta

from analyzer.columns import to_micros
from heliograph.contracts import Alert, Reading
from tests.unit.analyzer.replay import NOON, events_of, partition, reading


def clear(plant: str, second: int, power_kw: float) -> Reading:
    return reading(plant, NOON + timedelta(seconds=second), generation_kw=power_kw, poa_w_m2=900.0)


def alerts_of(batches: list[list[Reading]], rule: str = "trip") -> list[Alert]:
    target = partition()
    taken = [target.take(one.sequence, to_micros(one.enqueued), one.body) for one in events_of(batches)]
    return [one for output in taken for one in output.documents if isinstance(one, Alert) and one.rule == rule]


def test_a_trip_whose_end_was_a_late_reading_away_is_reopened() -> None:
    """A late zero undoes the end of a trip: the alert is said to be open again, and says so until it ends for good."""

    def power_kw(second: int) -> float:
        return 0.0 if 100 <= second < 200 or 270 <= second < 1100 else 50.0 + second % 7

    on_time = [[clear("p", s, power_kw(s))] for s in range(5, 290, 10) if s != 235]
    after = [[clear("p", s, power_kw(s))] for s in range(295, 1300, 10)]
    said = alerts_of([*on_time, [clear("p", 235, 0.0)], *after])
    assert [(one.state, one.reopened) for one in said] == [
        ("open", False), ("resolved", False), ("open", True), ("resolved", True),
    ]  # fmt: skip
    assert len({one.alert_id for one in said}) == 1
    assert said[1].updated_at <= said[2].updated_at < said[3].updated_at
    assert said[2].resolved_at is None


def test_a_region_s_alert_counts_plants_not_their_falls() -> None:
    """Ten plants that fall again and again, one of them well at a time, are ten plants, and one alert that stays."""
    batches = []
    for second in range(0, 7200, 10):
        batches.append([])
        for number in range(10):
            well = second < 100 or (second >= 300 and (second - 300 - 80 * number) % 800 < 80)
            batches[-1].append(clear(f"p{number}", second, 50.0 + (second + number) % 7 if well else 0.0))
    said = [one for one in alerts_of(batches) if one.plant_id is None]
    assert {one.state for one in said} == {"open"}
    assert said[-1].plants == 10
    assert said[-1].message.startswith("No power although the sun is up: 10 plants")


def test_a_region_s_alert_counts_all_that_are_down() -> None:
    """Plants that fell one by one before it became the region's are of its number."""
    batches = [
        [clear(f"p{n}", s, 0.0 if s >= 100 + 60 * n else 50.0 + (s + n) % 7) for n in range(12)]
        for s in range(0, 1200, 10)
    ]
    said = [one for one in alerts_of(batches) if one.plant_id is None]
    assert said[0].plants == 5
    assert said[-1].plants == 12
