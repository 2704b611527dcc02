"""Each guard of exactness is needed: without it, a scenario that holds with it fails."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import reduce
from unittest import mock

import numpy as np
import pytest
from replay import NOON, batch, events_of, facts, final, flush, partition, reading, reborn, region_batch, run

from analyzer import lane
from analyzer.carried import NO_POWERS, Carried
from analyzer.clock import Clock
from analyzer.columns import choose, join
from analyzer.documents import _Groups
from analyzer.folds import Table
from analyzer.lane import Lane
from analyzer.panes import Pane
from analyzer.partition import Partition
from analyzer.published import Published
from heliograph.contracts import Alert, PlantWindow, RegionWindow

SECONDS = [timedelta(seconds=number) for number in range(200)]


def counts(documents: list[object]) -> list[int]:
    windows = [one for one in final(documents).values() if isinstance(one, PlantWindow)]  # type: ignore[arg-type]
    return [one.readings for one in sorted(windows, key=lambda one: (one.plant_id, one.window_start))]


def expect_batch(batches: list[list[object]]) -> None:
    target = partition()
    documents = run(target, events_of(batches)) + flush(target)  # type: ignore[arg-type]
    assert counts(documents) == batch([one for group in batches for one in group])["readings"].to_list()  # type: ignore[misc]


def duplicates_are_dropped() -> None:
    one = reading("p", NOON)
    expect_batch([[one], [one, reading("p", NOON + SECONDS[1])], [reading("p", NOON + SECONDS[30])]])


def late_readings_correct_their_window() -> None:
    expect_batch([[reading("p", NOON)], [reading("p", NOON + SECONDS[30])], [reading("p", NOON + SECONDS[5])],
                  [reading("p", NOON + SECONDS[50])]])  # fmt: skip


def corrections_have_higher_revisions() -> None:
    target = partition()
    batches = [[reading("p", NOON + SECONDS[at])] for at in (0, 30, 5, 50)]
    said = [one for one in run(target, events_of(batches)) if isinstance(one, PlantWindow) and one.window_start == NOON]
    assert [(one.revision, one.readings) for one in said] == [(0, 1), (1, 2)]


def settled_windows_stay_settled() -> None:
    target = partition()
    run(target, events_of([[reading("p", NOON)], [reading("p", NOON + SECONDS[120])]]))
    body = events_of([[reading("p", NOON + SECONDS[1])]])[0].body
    assert [one.reason for one in target.take(9, target.hub_us, body).refused] == ["late"]


def events_seen_before_are_skipped() -> None:
    target = partition()
    events = events_of([[reading("p", NOON + SECONDS[at])] for at in range(40)])
    run(target, events)
    heir = reborn(target)
    again = [one for event in events[20:] for one in heir.take(event.sequence, heir.hub_us, event.body).documents]
    assert again == []
    assert heir.held_readings == target.held_readings


def a_fast_clock_makes_nobody_late() -> None:
    target = partition()
    run(target, events_of([[reading("p", NOON)]]))
    body = events_of([[reading("fast", NOON + SECONDS[199])]])[0].body
    target.take(1, target.hub_us, body)
    slow = events_of([[reading("p", NOON + SECONDS[1])]])[0].body
    assert target.take(2, target.hub_us, slow).refused == []


def an_outage_makes_nobody_late() -> None:
    target = partition()
    run(target, events_of([[reading("p", NOON)]]))
    target.pass_time(target.hub_us + 1_800_000_000)
    held_up = events_of([[reading("p", NOON + SECONDS[5])]])[0].body
    assert target.take(1, target.hub_us + 1_800_000_000, held_up).refused == []


def idle_sources_get_their_last_window() -> None:
    target = partition()
    run(target, events_of([[reading("p", NOON)]]))
    assert counts(target.pass_time(target.hub_us + 60_000_000).documents) == [1]  # type: ignore[arg-type]


def merged_sessions_are_taken_back() -> None:
    readings = [reading("p", NOON + SECONDS[at]) for at in (1, 8, 4, 40)]
    ordered = sorted(readings, key=lambda one: one.observed_at)
    kinds = ("tumbling-10s", "session-5s-60s")
    one, other = partition(*kinds), partition(*kinds)
    disturbed = run(
        one, events_of([[each] for each in [*readings[:2], reading("p", NOON + SECONDS[20]), *readings[2:]]])
    )
    calm = run(other, events_of([[each] for each in [*ordered[:3], reading("p", NOON + SECONDS[20]), ordered[3]]]))
    assert facts(disturbed + flush(one)) == facts(calm + flush(other))


def disproved_alerts_are_withdrawn() -> None:
    target = partition()
    at = [NOON + timedelta(seconds=5 * number) for number in range(12)]
    documents = run(target, events_of([[reading("p", one, generation_kw=0.0, poa_w_m2=900.0)] for one in at]))
    better = [reading("p", one + SECONDS[1], generation_kw=95.0, poa_w_m2=900.0) for one in at]
    documents += run(target, events_of([better, [reading("p", at[-1] + SECONDS[25])]], first=50))
    alerts = [one for one in final(documents).values() if isinstance(one, Alert) and one.rule == "trip"]
    assert all("withdrawn" in one.evidence for one in alerts)
    assert alerts


def the_order_of_plants_leaves_no_trace_in_sums() -> None:
    powers = [0.1, 0.2, 0.3]
    plants = [reading(f"p{number}", NOON, generation_kw=power) for number, power in enumerate(powers)]
    one, other = partition(), partition()
    said = [run(target, events_of([group])) + flush(target) for target, group in ((one, plants), (other, plants[::-1]))]
    sums = [[part.generation_kw for part in documents if isinstance(part, RegionWindow)] for documents in said]
    assert sums[0] == sums[1]


def _regions(documents: list[object]) -> list[tuple[int, int]]:
    windows = [one for one in final(documents).values() if isinstance(one, RegionWindow)]  # type: ignore[arg-type]
    return [(one.readings, one.plants) for one in sorted(windows, key=lambda one: one.window_start)]


def _slow(*at: int, interval_s: float = 25.0) -> list[list[object]]:
    return [[reading("slow", NOON + SECONDS[second], interval_s=interval_s)] for second in at]


def power_is_carried_while_it_is_fresh() -> None:
    target = partition()
    documents = run(target, events_of(_slow(0)))  # type: ignore[arg-type]
    assert _regions([*documents, *flush(target)]) == [(1, 1), (0, 1), (0, 1), (0, 1)]


def who_reports_twice_a_window_is_not_carried() -> None:
    target = partition()
    documents = run(target, events_of(_slow(9, interval_s=5.0)))  # type: ignore[arg-type]
    assert _regions([*documents, *flush(target)]) == [(1, 1)]


def what_is_carried_goes_back_with_the_state() -> None:
    readings = [reading("slow", NOON + SECONDS[at], interval_s=25.0, generation_kw=float(at)) for at in (0, 28, 49)]
    readings += [reading("p", NOON + SECONDS[12]), reading("p", NOON + SECONDS[60])]
    target = partition()
    documents = run(target, events_of([[one] for one in readings])) + flush(target)
    found = [one for one in final(documents).values() if isinstance(one, RegionWindow)]
    assert [(one.plants, one.generation_kw) for one in sorted(found, key=lambda one: one.window_start)] == [
        (row["plants"], row["kw"]) for row in region_batch(readings).to_dicts()
    ]


def windows_without_plants_are_taken_back() -> None:
    other = [[reading("other", NOON + SECONDS[second], region="KR-47")] for second in (50, 65)]
    target = partition()
    ended = [reading("slow", NOON + SECONDS[11], interval_s=0.0)]
    documents = run(target, events_of([*_slow(0, interval_s=40.0), other[0], ended, other[1]]))  # type: ignore[list-item]
    documents += flush(target)
    found = [one for one in final(documents).values() if isinstance(one, RegionWindow) and one.region == "KR-46"]
    assert [one.plants for one in sorted(found, key=lambda one: one.window_start)] == [1, 1, 0, 0]


def a_source_that_catches_up_gets_its_quiet_windows() -> None:
    readings = [reading("slow", NOON + SECONDS[second], interval_s=40.0) for second in (0, 5, 60, 100, 140)]
    target = partition()
    documents = run(target, events_of([readings[:1]]))
    documents += target.pass_time(target.hub_us + 300_000_000).documents
    documents += run(target, events_of([[one] for one in readings[1:]], first=1))
    documents += target.pass_time(target.hub_us + 75_000_000).documents
    found = [one for one in final(documents).values() if isinstance(one, RegionWindow)]
    assert [one.plants for one in found] == [1] * len(region_batch(readings))


def plants_that_stopped_are_forgotten() -> None:
    target = partition()
    run(target, events_of([[reading("gone", NOON)], [reading("p", NOON + timedelta(days=2))]]))
    run(target, events_of([[reading("p", NOON + timedelta(days=3))]], first=2))
    assert set(target.home) == {"p"}


def _keep_repeats(self: Pane) -> None:
    keys = np.concatenate(self.keys)
    order = np.argsort(keys, kind="stable")
    self.keys, self.values, self.is_sorted = [keys[order]], [choose(join(self.values), order)], True


def _no_correction(self: Lane) -> list[Alert]:
    self.dirty_us = None
    return []


def _same_revision(self: Published, keys: np.ndarray, digests: np.ndarray, ends: np.ndarray) -> object:
    changed, revisions = _UPDATE(self, keys, digests, ends)
    return changed, np.zeros_like(revisions)


def _trusting_clock(self: Clock, greatest_us: int, hub_us: int) -> Clock:
    return _OBSERVE(self, greatest_us, max(greatest_us, hub_us))


def _forgetful_take(self: Partition, sequence: int, enqueued_us: int, body: bytes) -> object:
    self.sequence = -1
    return _TAKE(self, sequence, enqueued_us, body)


def _rounded_each_time(self: _Groups, values: np.ndarray) -> np.ndarray:
    return np.array([reduce(operator.add, values[self.order].tolist())])  # `sum` compensates from Python 3.12 on


def _ever_fresh(self: Carried, table: Table, expected_kw: np.ndarray, end_us: int, plants: int) -> Carried:
    carried = _AFTER(self, table, expected_kw, end_us, plants)
    return replace(carried, until_us=carried.until_us + 3_600_000_000)


def _keep_carried(self: Lane) -> list[Alert]:
    carried = self.state.carried
    said = _GO_BACK(self)
    self.state = replace(self.state, carried=carried)
    return said


def _no_quiet(self: Lane, before: Clock) -> bool:
    return _HAS_NEWS(self, replace(before, quiet_us=self.clock.quiet_us))


_AFTER, _GO_BACK, _HAS_NEWS = Carried.after, Lane._go_back, Lane._has_news
_UPDATE, _OBSERVE, _TAKE = Published.update, Clock.observe, Partition.take
_SETTLED_BY_SILENCE = property(lambda self: self.published_us - self.lateness_us)
GUARDS: dict[str, tuple[Callable[[], None], object, str, object]] = {
    "dropping repeats": (duplicates_are_dropped, Pane, "_sort", _keep_repeats),
    "going back for late readings": (late_readings_correct_their_window, Lane, "_go_back", _no_correction),
    "counting revisions": (corrections_have_higher_revisions, Published, "update", _same_revision),
    "refusing what has settled": (settled_windows_stay_settled, Lane, "late_before_us", property(lambda self: 0)),
    "skipping known sequence numbers": (events_seen_before_are_skipped, Partition, "take", _forgetful_take),
    "holding the clock to the hub's": (a_fast_clock_makes_nobody_late, Clock, "observe", _trusting_clock),
    "settling by stamps alone": (an_outage_makes_nobody_late, Clock, "settled_us", _SETTLED_BY_SILENCE),
    "publishing for the idle": (idle_sources_get_their_last_window, Clock, "pass_time", lambda self, hub_us: self),
    "taking back merged sessions": (merged_sessions_are_taken_back, Lane, "_vanished",
                                    lambda self, windower, readings, table, after_us: table.lines(table.rows < 0)),
    "rounding sums once": (the_order_of_plants_leaves_no_trace_in_sums, _Groups, "sums", _rounded_each_time),
    "carrying": (power_is_carried_while_it_is_fresh, Carried, "into", lambda self, start_us, powered, size: NO_POWERS),
    "carrying while it is fresh": (power_is_carried_while_it_is_fresh, Carried, "after", _ever_fresh),
    "carrying long intervals alone": (who_reports_twice_a_window_is_not_carried, lane, "without_short_intervals",
                                      lambda values, window_us: values),
    "going back with what is carried": (what_is_carried_goes_back_with_the_state, Lane, "_go_back", _keep_carried),
    "looking again at windows that were published": (windows_without_plants_are_taken_back, Lane, "published_after",
                                                     lambda self, time_us: []),
    "publishing as a source catches up": (a_source_that_catches_up_gets_its_quiet_windows, Lane, "_has_news",
                                          _no_quiet),
    "forgetting": (plants_that_stopped_are_forgotten, Lane, "forget", lambda self, before_us: iter(())),
    "withdrawing alerts": (disproved_alerts_are_withdrawn, Lane, "_alerts", lambda self, before, said: iter(said)),
}  # fmt: skip


@contextmanager
def without(owner: object, name: str, broken: object) -> Iterator[None]:
    with mock.patch.object(owner, name, broken):
        yield


@pytest.mark.parametrize("guard", GUARDS)
def test_with_its_guard_the_scenario_holds(guard: str) -> None:
    """The scenario that a guard is for ends as it should."""
    GUARDS[guard][0]()


@pytest.mark.parametrize("guard", GUARDS)
def test_without_its_guard_the_scenario_fails(guard: str) -> None:
    """With the guard taken out, the same scenario is seen to fail, so the test above really tests it."""
    scenario, owner, name, broken = GUARDS[guard]
    with without(owner, name, broken), pytest.raises(AssertionError):
        scenario()
