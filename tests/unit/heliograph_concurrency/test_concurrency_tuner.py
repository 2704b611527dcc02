"""How the limit follows the load: the rules of Azure Functions' dynamic concurrency, second by second."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from heliograph.concurrency.tuner import Tuner


def run(tuner: Tuner, health: Iterable[bool], *, was_full: bool = True, start_s: float = 0.0) -> list[int]:
    """The limit after each check, one a second."""
    limits = []
    for at, healthy in enumerate(health):
        tuner.observe(start_s + at, healthy=healthy, was_full=was_full)
        limits.append(tuner.limit)
    return limits


def test_it_starts_at_one_and_rises_after_five_healthy_checks():
    """Every fifth healthy second the limit rises, each time by one more, as long as the run lasts."""
    assert run(Tuner(), [True] * 31) == [1] * 4 + [2] * 5 + [4] * 5 + [7] * 5 + [11] * 5 + [16] * 5 + [22] * 2


def test_a_step_is_six_at_most():
    """However long the run, a step is one and five."""
    limits = run(Tuner(), [True] * 60)
    steps = {after - before for before, after in itertools.pairwise(limits)}
    assert max(steps) == 6


def test_what_is_not_needed_is_not_raised():
    """A limit that was never reached stays where it is."""
    assert run(Tuner(), [True] * 30, was_full=False) == [1] * 30


def test_it_falls_after_three_bad_checks_and_waits_before_it_rises():
    """Three bad seconds lower the limit; then thirty seconds pass before it may rise again."""
    tuner = Tuner(limit=10)
    assert run(tuner, [False] * 3) == [10, 10, 9]
    limits = run(tuner, [True] * 40, start_s=3)
    assert limits[:29] == [9] * 29
    assert limits[29] == 10


def test_it_changes_once_in_five_seconds_and_faster_in_a_run():
    """While things stay bad the limit falls every five seconds, further each time, and never below one."""
    limits = run(Tuner(limit=20), [False] * 60)
    assert limits[2] == 19
    assert limits[7] == 17
    assert limits[12] == 14
    assert limits[-1] == 1


def test_two_bad_checks_are_no_reason():
    """A bad second now and then changes nothing."""
    assert run(Tuner(limit=5), [False, False, True] * 10, was_full=False) == [5] * 30


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=300))
def test_the_limit_stays_within_its_bounds_and_its_pace(checks):
    """Whatever happens, the limit is one to the maximum and changes by six at most, five seconds apart."""
    tuner = Tuner(maximum=12)
    changed = []
    for at, (healthy, was_full) in enumerate(checks):
        before = tuner.limit
        tuner.observe(at, healthy=healthy, was_full=was_full)
        assert 1 <= tuner.limit <= 12
        assert abs(tuner.limit - before) <= 6
        if tuner.limit != before:
            changed.append(at)
    assert all(later - earlier >= 5 for earlier, later in itertools.pairwise(changed))


def test_a_restored_limit_is_never_lower_and_never_over_the_maximum():
    """A snapshot may only raise the start, and a senseless one is ignored."""
    tuner = Tuner(limit=5)
    assert not tuner.restore(3)
    assert not tuner.restore(501)
    assert tuner.restore(40)
    assert tuner.limit == 40
