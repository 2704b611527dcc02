"""What the detection bench calls an outage that a trace itself holds."""

from __future__ import annotations

import numpy as np
import pytest

from bench.outages import outages
from bench.traces import Trace

QUARTERS, DAYS = 96, 9
QUARTER_US = 900_000_000


def trace(day: int, quarters: slice, power_kw: float) -> Trace:
    """Clear days of a plant of 100 kW that gives over 20 kW from quarter 28 to 68, one of them changed."""
    clear = np.maximum(0.0, 80.0 * np.sin((np.arange(QUARTERS) - 24) / 48 * np.pi))
    powers = np.tile(clear, (DAYS, 1))
    powers[day, quarters] = power_kw
    return Trace("made", np.arange(QUARTERS * DAYS) * QUARTER_US, powers.ravel(), 100.0, on_site=False)


@pytest.mark.parametrize(
    ("quarters", "power_kw", "expected"),
    [
        (slice(40, 46), 0.0, [(40, 46)]),
        (slice(40, 45), 0.0, []),
        (slice(40, 60), 1.0, []),
        (slice(0, 32), 0.0, []),
        (slice(0, 36), 0.0, [(28, 36)]),
    ],
    ids=["an-hour-and-a-half", "a-thunderstorm", "overcast", "a-late-morning", "a-lost-morning"],
)
def test_an_outage_is_nothing_for_long_where_other_days_give_much(
    quarters: slice, power_kw: float, expected: list[tuple[int, int]]
) -> None:
    """Only zero counts, for an hour and a half, at times of day at which the plant usually gives over a fifth."""
    day_us = 4 * QUARTERS * QUARTER_US
    found = outages(trace(4, quarters, power_kw))
    assert [((begin - day_us) // QUARTER_US, (end - day_us) // QUARTER_US) for begin, end in found] == expected


def test_a_few_days_tell_no_outage() -> None:
    """Without three other days there is nothing to say what is usual."""
    assert outages(trace(1, slice(40, 60), 0.0).first_days(3)) == []
