"""Of plants without trusted irradiance: what their days are like, learned from what they gave.

The registry may know their place; which way they look it often knows by default only.

Curves over the UTC day, by the quarter hour, learned when a quarter hour has ended:

- clear-day power: the greatest mean of this week and the last, since nearly everywhere one day of a fortnight is clear.
  A mean of three neighbours smooths it: half-clear days have their clear moments each at another time;
- how often the plant is awake at that hour;
- what it gives of what its irradiance explains at that hour (a tracker, a shadow, irradiance of another plane). Sums
  over sums, which a dark hour or a rough satellite moves little.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from analyzer.columns import SECOND, Floats, Ints, Mask, Micros, put
from analyzer.memory import ALIVE_SHARE, Columns

DAY_US = 86_400 * SECOND
WEEK_US = 7 * DAY_US
"""Of 5 to 10 days a week found most losses; the greatest of single weeks is too low after a dark one."""
SLOT_US = 900 * SECOND
SLOTS = DAY_US // SLOT_US
CLEAR, BEFORE, AWAKE, GIVEN, EXPLAINED = range(5)
"""Greatest of this week and of that before, kW; share of recent days; usual power in light, and usual power that the
irradiance of the same hours explains, kW."""
AROUND = np.array((-1, 0, 1))
MOST_SHARE = 1.1
"""No clear day gives more of a plant's capacity; a wrong reading may."""
GAIN = 0.2
"""Share of the way that one day moves the curves of wakefulness and of the ratio: a working week or so."""

Curves = npt.NDArray[np.float32]


class Window(NamedTuple):
    """Part of a quarter hour: k plants in a window that began at `start_us`; powers in kW."""

    start_us: int
    power_kw: Floats
    expected_kw: Floats
    capacity_kw: Floats
    well: Mask
    up: Mask
    """Not known to be out; wakefulness is learned from these."""
    ratio: Floats
    """Of power over what irradiance explains, as it is known without this; NaN before."""
    lit: Mask
    """Well, and with light enough for a ratio to mean something."""


@dataclass(frozen=True, slots=True)
class Profiles(Columns):
    """Never changed in place. The sums are over the windows of the quarter hour that is going on."""

    slot_us: Micros
    """When that began."""
    well_kw: Floats
    """Powers while well, and how many; so with the others."""
    well: Floats
    up: Floats
    awake: Floats
    lit: Floats
    lit_kw: Floats
    expected_kw: Floats
    capacity_kw: Floats
    """Last one heard of."""
    week: Ints
    """Number of the week that the curves have come to."""
    ratio: Floats
    """Of the sums of the last two curves; NaN before their first hour."""
    curves: Curves
    """(plants, 5, SLOTS); NaN where nothing was seen yet."""

    @classmethod
    def blank(cls, rows: int) -> Profiles:
        """Of plants just met."""
        none, zero = np.zeros(rows, dtype=np.int64), np.zeros(rows)
        curves = np.full((rows, 5, SLOTS), np.nan, dtype=np.float32)
        return cls(
            slot_us=none, well_kw=zero, well=zero, up=zero, awake=zero, lit=zero, lit_kw=zero, expected_kw=zero,
            capacity_kw=zero, week=none, ratio=np.full(rows, np.nan), curves=curves,
        )  # fmt: skip

    def clear_kw(self, lines: Ints, at_us: int) -> Floats:
        """(k,) clear-day power of the lines at a time; NaN where unknown."""
        around = (_slot(at_us) + AROUND) % SLOTS
        greatest = np.fmax(
            self.curves[lines[:, None], CLEAR, around[None, :]], self.curves[lines[:, None], BEFORE, around[None, :]]
        ).astype(np.float64)
        known = ~np.isnan(greatest)
        mean = np.where(known, greatest, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        return np.where(known[:, 1], mean, np.nan)

    def awake_share(self, lines: Ints, at_us: int) -> Floats:
        """(k,) on which share of the recent days the lines gave power at this time of day; NaN where unknown."""
        share: Floats = self.curves[lines, AWAKE, _slot(at_us)].astype(np.float64)
        return share

    def form(self, lines: Ints, at_us: int) -> Floats:
        """(k,) of what irradiance explains, the share that the lines give at this time of day over that of all day; 1
        where unknown."""
        slot = _slot(at_us)
        with np.errstate(divide="ignore", invalid="ignore"):
            now = self.curves[lines, GIVEN, slot].astype(np.float64) / self.curves[lines, EXPLAINED, slot]
            form = now / self.ratio[lines]
        return np.where(np.isfinite(form), form, 1.0)

    def after(self, lines: Ints, seen: Window) -> Profiles:
        """After a window with readings of k plants, whose lines are given."""
        slot_us = seen.start_us // SLOT_US * SLOT_US
        fresh = self.slot_us[lines] != slot_us
        week, ratio, curves = self._learned(lines[fresh], seen.ratio[fresh])

        def summed(old: Floats, now: Floats | Mask) -> Floats:
            return put(old, lines, np.where(fresh, 0, old[lines]) + now)

        return Profiles(
            slot_us=put(self.slot_us, lines, np.int64(slot_us)),
            well_kw=summed(self.well_kw, np.where(seen.well, seen.power_kw, 0.0)),
            well=summed(self.well, seen.well),
            up=summed(self.up, seen.up),
            awake=summed(self.awake, seen.up & (seen.power_kw > ALIVE_SHARE * seen.capacity_kw)),
            lit=summed(self.lit, seen.lit),
            lit_kw=summed(self.lit_kw, np.where(seen.lit, seen.power_kw, 0.0)),
            expected_kw=summed(self.expected_kw, np.where(seen.lit, seen.expected_kw, 0.0)),
            capacity_kw=put(self.capacity_kw, lines, seen.capacity_kw),
            week=week,
            ratio=ratio,
            curves=curves,
        )

    def _learned(self, at: Ints, ratio: Floats) -> tuple[Ints, Floats, Curves]:
        """Weeks, ratios and curves with what the quarter hours of the lines were like, which have ended."""
        if not at.size:
            return self.week, self.ratio, self.curves
        slot, week, curves = self.slot_us[at] % DAY_US // SLOT_US, self.slot_us[at] // WEEK_US, self.curves.copy()
        turned = at[week > self.week[at]]
        latest = curves[turned, CLEAR]
        curves[turned, BEFORE] = np.where(np.isnan(latest), curves[turned, BEFORE], latest)
        curves[turned, CLEAR] = np.nan
        old = curves[at, :, slot].astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean_kw = np.minimum(self.well_kw[at] / self.well[at], MOST_SHARE * self.capacity_kw[at])
            awake = self.awake[at] / self.up[at]
        curves[at, CLEAR, slot] = np.fmax(old[:, CLEAR], mean_kw)
        curves[at, AWAKE, slot] = _moved(old[:, AWAKE], awake)
        lit = self.lit[at] > 0
        return put(self.week, at, week), self._with_form(curves, at[lit], slot[lit], ratio[lit]), curves

    def _with_form(self, curves: Curves, at: Ints, slot: Ints, ratio: Floats) -> Floats:
        """The ratios after hours in light; the curves are changed in place.

        A new hour begins as those known: one cloud that a satellite did not see is not the form of a day.
        """
        if not at.size:
            return self.ratio
        given, explained = self.lit_kw[at] / self.lit[at], self.expected_kw[at] / self.lit[at]
        before = np.where(np.isnan(self.ratio[at]), ratio, self.ratio[at]) * explained
        old = curves[at, :, slot].astype(np.float64)
        curves[at, GIVEN, slot] = _moved(np.where(np.isnan(old[:, GIVEN]), before, old[:, GIVEN]), given)
        curves[at, EXPLAINED, slot] = _moved(old[:, EXPLAINED], explained)
        sums: Floats = np.nansum(curves[at, GIVEN:], axis=2, dtype=np.float64)
        return put(self.ratio, at, sums[:, 0] / sums[:, 1])


def _slot(at_us: int) -> int:
    return at_us % DAY_US // SLOT_US


def _moved(old: Floats, new: Floats) -> Floats:
    """Some of the way from old to new; all of it where there was nothing before, none where there is nothing new."""
    moved = np.where(np.isnan(old), new, old + GAIN * (new - old))
    return np.where(np.isnan(moved), old, moved)
