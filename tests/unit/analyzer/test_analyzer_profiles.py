"""What is learned of the days of a plant whose place is unknown."""

from __future__ import annotations

import numpy as np
import pytest

from analyzer.profiles import DAY_US, SLOT_US, WEEK_US, Profiles, Window

LINE = np.zeros(1, dtype=np.int64)
MONDAY = 2900 * WEEK_US
NOON = 48 * SLOT_US


def after(
    profiles: Profiles, at_us: int, power_kw: float, expected_kw: float = np.nan, *, well: bool = True
) -> Profiles:
    lit = np.array([well and not np.isnan(expected_kw)])
    window = Window(at_us, np.array([power_kw]), np.array([expected_kw]), np.array([100.0]), np.array([well]),
                    np.array([True]), np.array([1.0]), lit)  # fmt: skip
    return profiles.after(LINE, window)


def clear_at_noon(profiles: Profiles) -> float:
    return float(profiles.clear_kw(LINE, NOON)[0])


def test_clear_days_are_the_greatest_of_this_week_and_the_last() -> None:
    """A dark week does not hide what the plant gives on a clear day; two dark weeks do."""
    profiles = Profiles.blank(1)
    seen = []
    for day in range(22):
        profiles = after(profiles, MONDAY + day * DAY_US + NOON, 80.0 if day == 5 else 20.0)
        profiles = after(profiles, MONDAY + day * DAY_US + NOON + SLOT_US * 40, 0.0)
        seen.append(clear_at_noon(profiles))
    assert seen[:5] == [20.0] * 5
    assert seen[5:14] == [80.0] * 9
    assert seen[14:] == [20.0] * 8


def test_a_slot_is_taken_by_its_mean_and_smoothed_with_its_neighbours() -> None:
    """Readings of a few seconds that a cloud's edge brightens are no clear day; nor is one slot brighter than those
    beside it; nor does an impossible reading count for more than its plant can give."""
    profiles = Profiles.blank(1)
    for place, powers in enumerate(([60.0, 60.0, 60.0], [30.0, 120.0, 60.0], [500.0, 500.0, 500.0])):
        for number, power in enumerate(powers):
            profiles = after(profiles, MONDAY + NOON + (place - 1) * SLOT_US + number * 300_000_000, power)
    profiles = after(profiles, MONDAY + NOON + 10 * SLOT_US, 0.0)
    assert clear_at_noon(profiles) == pytest.approx((60.0 + 70.0 + 110.0) / 3)


def test_the_ill_teach_no_clear_day() -> None:
    """What a plant gives while an alert is open is not what it can give."""
    profiles = after(Profiles.blank(1), MONDAY + NOON, 40.0)
    profiles = after(profiles, MONDAY + DAY_US + NOON, 90.0, well=False)
    assert clear_at_noon(after(profiles, MONDAY + 2 * DAY_US, 0.0)) == 40.0


def test_the_form_of_a_day_is_of_sums_and_keeps_its_scale() -> None:
    """However irradiance errs, hours that it explains alike have the same form, and the form's mean is 1: it is sums
    over sums, and no mean of ratios, which would be 1.25 here."""
    profiles = Profiles.blank(1)
    for day in range(60):
        for hour, power in ((0, 60.0), (1, 60.0), (2, 30.0)):
            wrong = 2.0 if (day + hour) % 2 else 0.5
            profiles = after(profiles, MONDAY + day * DAY_US + NOON + hour * 4 * SLOT_US, power, 60.0 * wrong)
    at_noon, at_one, at_two, unknown = (
        float(profiles.form(LINE, NOON + hour * 4 * SLOT_US)[0]) for hour in (0, 1, 2, 5)
    )
    assert at_noon == pytest.approx(at_one, rel=0.2)
    assert at_two == pytest.approx(at_noon / 2, rel=0.2)
    assert unknown == 1.0
    assert (at_noon + at_one + at_two) / 3 == pytest.approx(1.0, abs=0.05)
