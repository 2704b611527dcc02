"""Time that passes between events leaves no trace in the end, whether a crash makes it pass again or not."""

from __future__ import annotations

import random
from datetime import timedelta

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from replay import NOON, Event, day_of, events_of, facts, final, flush, partition, reading, reborn, run

from heliograph.contracts import Alert, PlantWindow

SLOW = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SECOND_US = 1_000_000


def with_pauses(rng: random.Random) -> list[Event]:
    """Events of a small fleet, with silences between some in which sources fall idle, and late readings after them."""
    readings = day_of(3, 60, rng)
    late = [one for one in readings if rng.random() < 0.3]
    batches = [[one for one in readings[at : at + 8] if one not in late] for at in range(0, len(readings), 8)]
    batches.insert(rng.randint(2, len(batches)), late)
    events, pause = [], timedelta(0)
    for event in events_of([batch for batch in batches if batch]):
        pause += timedelta(seconds=rng.choice([0, 0, 0, 15, 40]))
        events.append(Event(event.sequence, event.enqueued + pause, event.body))
    return events


@SLOW
@given(seed=st.integers(0, 2**32))
def test_a_crash_after_time_has_passed_ends_in_the_same(seed: int) -> None:
    """An idle worker publishes by the clock, crashes, and its heir, which never idled, says the same byte for byte and
    refuses the same readings."""
    rng = random.Random(seed)
    events = with_pauses(rng)
    calm, idling = partition(), partition()
    expected, expected_refused, got, refused = [], [], [], []
    for number, event in enumerate(events):
        taken = calm.take(event.sequence, int(event.enqueued.timestamp() * 1e6), event.body)
        expected += taken.documents
        expected_refused += [(event.sequence, one.index, one.reason) for one in taken.refused]
        saved = reborn(idling) if rng.random() < 0.3 else None
        taken = idling.take(event.sequence, int(event.enqueued.timestamp() * 1e6), event.body)
        got += taken.documents
        refused += [(event.sequence, one.index, one.reason) for one in taken.refused]
        upcoming = events[number + 1].enqueued if number + 1 < len(events) else event.enqueued
        until_us = int(upcoming.timestamp() * 1e6)
        got += idling.pass_time(rng.randint(idling.hub_us, max(idling.hub_us, until_us))).documents
        if saved is not None:
            idling = saved
            taken = idling.take(event.sequence, int(event.enqueued.timestamp() * 1e6), event.body)
            got += taken.documents
    got, expected = got + flush(idling), expected + flush(calm)
    assert final(got) == final(expected)
    assert set(refused) == set(expected_refused)


def test_time_by_the_wall_that_runs_ahead_of_events_settles_nothing() -> None:
    """Even if time is made to pass too far, readings that were on their way are taken and correct what was said."""
    events = events_of([[reading("p", NOON + timedelta(seconds=5 * at), generation_kw=50.0 + at)] for at in range(24)])
    ahead, calm = partition(), partition()
    documents = run(ahead, events[:4])
    documents += ahead.pass_time(ahead.hub_us + 600 * SECOND_US).documents
    assert [one.rule for one in documents if isinstance(one, Alert)] == ["silence"]
    documents += run(ahead, events[4:]) + flush(ahead)
    assert facts(documents) == facts(run(calm, events) + flush(calm))


def test_nothing_is_due_while_sources_speak() -> None:
    """Time passing matters only to a partition with a source that has been silent for `source_idle_s` and more."""
    target = partition()
    assert not target.is_due(10**16)
    run(target, events_of([[reading("p", NOON)]]))
    assert not target.is_due(target.hub_us + 9 * SECOND_US)
    assert target.is_due(target.hub_us + 60 * SECOND_US)
    assert any(isinstance(one, PlantWindow) for one in flush(target))


def test_a_source_that_was_held_up_is_silent_once_however_slowly_it_catches_up() -> None:
    """Silence told while nothing came is taken back by the first late reading, and is not told again for each window
    that the source, still minutes behind the hub, catches up with; no alert ends before it began."""
    step, behind = timedelta(seconds=10), timedelta(seconds=200)
    readings = [reading("p", NOON + number * step, generation_kw=50.0 + number) for number in range(60)]
    target = partition()
    alerts = [one for one in run(target, events_of([[one] for one in readings[:30]])) if isinstance(one, Alert)]
    paused_us = target.hub_us + int(behind.total_seconds()) * SECOND_US
    alerts += [one for one in target.pass_time(paused_us).documents if isinstance(one, Alert)]
    for number, one in enumerate(readings[30:], 30):
        event = Event(number, one.observed_at + behind, msgspec.json.encode([one]))
        alerts += [one for one in run(target, [event]) if isinstance(one, Alert)]
    assert [(one.rule, one.state) for one in alerts] == [("silence", "open"), ("silence", "resolved")]
    assert all(one.resolved_at is None or one.resolved_at >= one.onset for one in alerts)
