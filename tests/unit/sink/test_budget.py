"""The budget of request units gives way to 429 and comes back."""

from __future__ import annotations

import random

from sink.budget import RuBudget
from sink.journal import Span
from sink.marks import MAX_SETTLE_S, SETTLE_S, Marks


def test_the_rate_holds_on_average(rng: random.Random) -> None:
    """Requests that start whenever they may use no more than the budget over ten seconds, plus a second's burst."""
    budget, now, spent = RuBudget(1000, 0.0), 0.0, 0.0
    while now < 10:
        now += budget.wait_s(now)
        units = rng.uniform(1, 200)
        budget.spend(units, now)
        spent += units
    assert 9_000 <= spent <= 11_500


def test_429_is_honoured_and_slows() -> None:
    """After a 429 nothing starts before the time that Cosmos asked for, and the rate is lower."""
    budget = RuBudget(1000, 0.0)
    budget.throttled(0.5, 1.0)
    assert budget.wait_s(1.0) == 0.5
    assert budget.rate_per_s == 700
    budget.throttled(0.5, 1.1)
    assert budget.rate_per_s < 710, "answers of one burst count once"


def test_the_rate_recovers_within_a_minute() -> None:
    """Throttled to the floor, the budget is whole again after a minute of peace."""
    budget = RuBudget(1000, 0.0)
    for second in range(30):
        budget.throttled(0.1, float(second))
    assert budget.rate_per_s < 100
    budget.wait_s(30.0 + 60)
    assert budget.rate_per_s == 1000


HOUR = Span("c0001", "plants", 36_000)


def book() -> Marks:
    return Marks(grace_s=120, idle_s=60)


def test_a_span_is_due_when_it_is_over_and_settled() -> None:
    """An hour is rolled up after its end and the grace in event time, once its corrections have settled."""
    marks = book()
    marks.touch([HOUR], 0.0)
    marks.saw(HOUR, HOUR.end_s + 119)
    assert marks.due(SETTLE_S) == []
    marks.saw(HOUR, HOUR.end_s + 120)
    assert marks.due(SETTLE_S - 0.1) == []
    assert marks.due(SETTLE_S) == [HOUR]


def test_a_span_that_never_settles_is_due_all_the_same() -> None:
    """Corrections that keep coming put a roll-up off, but not for ever."""
    marks = book()
    for second in range(int(MAX_SETTLE_S) + 1):
        marks.touch([HOUR], float(second))
        marks.saw(HOUR, HOUR.end_s + 500)
    assert marks.due(MAX_SETTLE_S) == [HOUR]


def test_a_silent_span_is_due() -> None:
    """When nothing comes any more, the open hour is rolled up too."""
    marks = book()
    marks.touch([HOUR], 0.0)
    assert marks.due(59.9) == []
    assert marks.due(60) == [HOUR]


def test_a_taken_span_needs_a_new_mark() -> None:
    """Once its roll-up has begun, the next window of a span marks it anew."""
    marks = book()
    assert marks.unmarked([HOUR], 0.0) == [HOUR]
    marks.touch([HOUR], 0.0)
    assert marks.unmarked([HOUR], 1.0) == []
    marks.take(HOUR)
    assert marks.unmarked([HOUR], 2.0) == [HOUR]


def test_a_mark_is_renewed_before_it_looks_orphaned() -> None:
    """A span that gets windows all the time has its mark written again now and then, so that no other replica takes
    it for one that a dead one left."""
    marks = Marks(grace_s=120, idle_s=60, renew_s=300)
    for second in range(0, 300, 10):
        assert marks.unmarked([HOUR], second) == ([HOUR] if second == 0 else [])
        marks.touch([HOUR], second)
    assert marks.unmarked([HOUR], 300) == [HOUR]
    marks.touch([HOUR], 300)
    assert marks.unmarked([HOUR], 310) == []
