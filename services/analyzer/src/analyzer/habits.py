"""What is usual for a plant: learned slowly, by event time, from windows in which it seemed well.

- `ratio`: what it gives of what PVWatts expects (wiring, soiling, a capacity stated too high: the plant's own).
- `spread`: how far under that ratio its windows usually are. On-site irradiance leaves a few per cent; a satellite's, a
  tenth or more. It decides how soon a shortfall means anything.
- `profiles`: of a plant whose place is unknown, three curves over the day: its clear-day power (an upper envelope,
  quick up and slow down; plants with a place have the clear-sky model instead), how often it is awake at that hour, and
  how its ratio at that hour differs from that of the day (a tracker, a shadow, irradiance of another plane).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from analyzer.columns import Floats, Ints, Mask
from analyzer.evidence import BRIGHT_SHARE
from analyzer.memory import ALIVE_SHARE, ZERO_SHARE, Columns
from analyzer.observed import Observed

SECOND = 1_000_000
LIGHT_SHARE = 0.08
"""Learning and judging need an expectation over this share of capacity: under it low light and horizon dominate."""
RATIO_HORIZON_S = 30 * 3600.0
"""Of lit time: some three days. Longer than a storm, shorter than a season."""
SPREAD_HORIZON_S = 20 * 3600.0
LONGEST_STEP_S = 3600.0
"""A gap counts as at most so much lit time."""
LARGEST_STEP = 0.10
"""A window moves the ratio by at most this share of itself, so that one cloud edge teaches nothing."""
LARGEST_STEP_K = 10.0
"""And an excess of temperature counts as at most so much more than usual, so that a spike teaches little."""
UPWARD = 3.0
"""What disturbs (snow, soiling, a shadow) takes power away, so the ratio follows rises this much faster than falls."""
SPREAD_LIGHT_SHARE = 0.15
"""The spread is learned in better light than the ratio."""
READY_S = 5 * 3600.0
"""Lit time after which a plant's own ratio is trusted: most of a day, since mornings differ from afternoons."""
CLOUDY_S, SUNNY_S = 4 * 3600.0, 80 * 3600.0
"""And the spread under irradiance that was not measured in its plane, only after so much lit time under clouds, or so
much in all: under clear skies any satellite agrees with any plant."""
CLOUDY_SHARE = 0.6
"""Of clear-day power, under which it is expected to be then."""
SLOTS = 96
"""Quarter hours of a UTC day."""
ENVELOPE_UP, ENVELOPE_DOWN = 0.3, 0.03
"""Share of the way that one day moves a slot of the profile."""
CLEAR, AWAKE, HOURLY = range(3)
"""Curves of a profile: kW; share of recent days; ratio of that hour over the day's."""
CURVE_GAIN = 0.2
"""Share of the way that one day moves the curves of wakefulness and of the ratio: a working week or so."""
HOURLY_LEAST, HOURLY_MOST = 0.4, 2.5
AWAKE_SHARE = 0.8
"""Awake at an hour on so many of the recent days, a plant is expected to be."""

Profile = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Learned(Columns):
    """(rows,) each."""

    ratio: Floats
    """Dimensionless; NaN before the first lit window."""
    spread: Floats
    """Mean relative shortfall from the ratio; windows over it count as 0."""
    lit_us: Ints
    """Lit time learned from."""
    cloudy_us: Ints
    """Of that, under clouds."""
    excess_k: Floats
    """How much warmer the modules usually are than air, sun and wind explain: sensors hang where they hang."""
    dark_us: Ints
    """Time in which it usually is awake, spent at zero since it last gave power."""
    profile_row: Ints
    """Line of the profile plus one; 0 for none."""


@dataclass(frozen=True, slots=True)
class Habits:
    """Never changed in place."""

    learned: Learned
    profiles: Profile
    """(plants with a profile, 3, SLOTS); NaN where nothing was seen yet."""

    @classmethod
    def blank(cls, rows: int) -> Habits:
        """Of plants never heard of."""
        return cls(Learned.blank(rows), np.empty((0, 3, SLOTS), dtype=np.float32))

    def grown(self, rows: int) -> Habits:
        """With blank lines up to that many rows."""
        return replace(self, learned=self.learned.grown(rows))

    def kept(self, mask: Mask) -> Habits:
        """Of the rows of the mask only."""
        learned = self.learned.kept(mask)
        lines = learned.profile_row[learned.profile_row > 0]
        renumbered = np.where(learned.profile_row > 0, np.cumsum(learned.profile_row > 0), 0)
        return Habits(replace(learned, profile_row=renumbered), self.profiles[lines - 1])

    @property
    def is_ready(self) -> Mask:
        """Whose ratio has been learned long enough."""
        return self.learned.lit_us >= READY_S * SECOND

    @property
    def knows_clouds(self) -> Mask:
        """Whose spread has been learned under clouds too."""
        return (self.learned.cloudy_us >= CLOUDY_S * SECOND) | (self.learned.lit_us >= SUNNY_S * SECOND)

    def usual_kw(self, seen: Observed) -> Floats:
        """What the plant should give in this weather: the model times its own ratio at this hour, once it is known."""
        return seen.expected_kw * np.where(self.is_ready, self.learned.ratio * self._hourly(seen), 1.0)

    def clear_day_kw(self, seen: Observed) -> Floats:
        """What the plant would give now under a clear sky: the model where its place is known, else its profile."""
        curve = self._curve(seen, CLEAR)
        return np.where(self.learned.profile_row > 0, curve, seen.clear_kw)

    def awake(self, seen: Observed) -> Floats:
        """On which share of the recent days the plant gave power at this hour; NaN without a profile."""
        return self._curve(seen, AWAKE)

    def _hourly(self, seen: Observed) -> Floats:
        curve = self._curve(seen, HOURLY)
        return np.where(np.isnan(curve), 1.0, curve)

    def _curve(self, seen: Observed, which: int) -> Floats:
        """The value of a curve now; NaN without a profile."""
        lines = self.learned.profile_row
        result = np.full(lines.size, np.nan)
        known = np.flatnonzero(lines > 0)
        if known.size:
            result[known] = self.profiles[lines[known] - 1, which, _slot(seen)]
        return result

    def after(self, seen: Observed, ill: Mask, down: Mask, cadence_us: Floats) -> Habits:
        """After a window; the ill teach nothing, and those that are down not even when they are awake."""
        step_s = np.minimum(np.nan_to_num(cadence_us / SECOND, nan=0.0), LONGEST_STEP_S)
        learned = _with_excess(self._with_dark(self._with_ratio(seen, ill, step_s), seen, step_s), seen, step_s)
        needs = ~np.isnan(seen.actual_kw) & np.isnan(seen.clear_kw) & (learned.profile_row == 0)
        profiles = self.profiles
        if needs.any():
            fresh = len(profiles) + np.cumsum(needs)
            learned = replace(learned, profile_row=np.where(needs, fresh, learned.profile_row))
            profiles = np.concatenate((profiles, np.full((int(needs.sum()), 3, SLOTS), np.nan, dtype=np.float32)))
        rows = np.flatnonzero((learned.profile_row > 0) & ~np.isnan(seen.actual_kw))
        if rows.size:
            profiles = self._with_curves(profiles, learned, rows, seen, ill, down, step_s)
        return Habits(learned, profiles)

    def _with_curves(
        self, profiles: Profile, learned: Learned, rows: Ints, seen: Observed, ill: Mask, down: Mask, step_s: Floats
    ) -> Profile:
        slot, lines = _slot(seen), learned.profile_row[rows] - 1
        now, well, up = seen.actual_kw[rows], ~ill[rows], ~down[rows]
        capacity, expected = seen.capacity_kw[rows], seen.expected_kw[rows]
        weight = np.minimum(step_s[rows] * SLOTS / 86_400, 1.0)
        old = profiles[lines, :, slot].astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            hourly = np.clip(now / expected / learned.ratio[rows], HOURLY_LEAST, HOURLY_MOST)
        lit = well & self.is_ready[rows] & (expected > LIGHT_SHARE * capacity)
        new = old.copy()
        envelope = np.where(now > old[:, CLEAR], ENVELOPE_UP, ENVELOPE_DOWN)
        new[:, CLEAR] = _moved(old[:, CLEAR], now, envelope * weight, well)
        new[:, AWAKE] = _moved(old[:, AWAKE], now > ALIVE_SHARE * capacity, CURVE_GAIN * weight, up)
        new[:, HOURLY] = _moved(np.nan_to_num(old[:, HOURLY], nan=1.0), hourly, CURVE_GAIN * weight, lit)
        result = profiles.copy()
        result[lines, :, slot] = new
        return result

    def _with_ratio(self, seen: Observed, ill: Mask, step_s: Floats) -> Learned:
        old = self.learned
        lit = (seen.expected_kw > LIGHT_SHARE * seen.capacity_kw) & ~np.isnan(seen.actual_kw) & ~ill
        if not lit.any():
            return old
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = seen.actual_kw / seen.expected_kw
            known = np.where(np.isnan(old.ratio), ratio, old.ratio)
            usual = known * self._hourly(seen)
            deviation = ratio / usual - 1.0
        lit_s = old.lit_us / SECOND
        gain = step_s / (np.minimum(lit_s, RATIO_HORIZON_S) + step_s + 1e-9)
        early = lit_s < READY_S
        step = np.where(early, deviation, np.clip(deviation, -LARGEST_STEP, UPWARD * LARGEST_STEP))
        step = np.where(step > 0, np.minimum(UPWARD * gain, 1.0), gain) * step
        spread_gain = step_s / (np.minimum(lit_s, SPREAD_HORIZON_S) + step_s + 1e-9)
        spread = np.nan_to_num(old.spread, nan=0.0)
        off = np.clip(-np.nan_to_num(deviation), 0.0, 0.5)
        cloudy = lit & (usual * seen.expected_kw < CLOUDY_SHARE * self.clear_day_kw(seen))
        step_us = (step_s * SECOND).astype(np.int64)
        bright = lit & (seen.expected_kw > SPREAD_LIGHT_SHARE * seen.capacity_kw)
        return replace(
            old,
            ratio=np.where(lit, np.maximum(known * (1.0 + step), 0.01), old.ratio),
            spread=np.where(bright, spread + spread_gain * (off - spread), old.spread),
            lit_us=np.where(lit, old.lit_us + step_us, old.lit_us),
            cloudy_us=np.where(cloudy, old.cloudy_us + step_us, old.cloudy_us),
        )

    def _with_dark(self, learned: Learned, seen: Observed, step_s: Floats) -> Learned:
        clear, awake = self.clear_day_kw(seen), self.awake(seen)
        usually = ~(awake < AWAKE_SHARE) & (clear > BRIGHT_SHARE * seen.capacity_kw)
        zero = seen.actual_kw < ZERO_SHARE * seen.capacity_kw
        alive = seen.actual_kw > ALIVE_SHARE * seen.capacity_kw
        step_us = (step_s * SECOND).astype(np.int64)
        dark_us = np.where(alive, 0, learned.dark_us + np.where(zero & usually, step_us, 0))
        return replace(learned, dark_us=dark_us)


def _with_excess(learned: Learned, seen: Observed, step_s: Floats) -> Learned:
    excess = seen.module_c - seen.modelled_module_c
    if np.isnan(excess).all():
        return learned
    gain = step_s / (np.minimum(learned.lit_us / SECOND, RATIO_HORIZON_S) + step_s + 1e-9)
    step = np.clip(excess - learned.excess_k, -LARGEST_STEP_K, LARGEST_STEP_K)
    known = np.where(np.isnan(learned.excess_k), excess, learned.excess_k + gain * step)
    return replace(learned, excess_k=np.where(np.isnan(excess), learned.excess_k, known))


def _moved(old: Floats, new: Floats | Mask, gain: Floats, where: Mask) -> Floats:
    """`gain` of the way from old to new; all of it where there was nothing before."""
    moved = np.where(np.isnan(old), new, old + gain * (new - old))
    return np.where(where & ~np.isnan(moved), moved, old)


def _slot(seen: Observed) -> int:
    day_us = 86_400 * SECOND
    return seen.start_us % day_us * SLOTS // day_us
