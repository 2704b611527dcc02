"""What is usual for a plant: learned slowly, by event time, from windows in which it seemed well.

- `ratio`: what it gives of what PVWatts expects (wiring, soiling, a capacity stated too high: the plant's own).
- `spread`: how far under that ratio its windows usually are. On-site irradiance leaves a few per cent; a satellite's, a
  tenth or more. It decides how soon a shortfall means anything.
- `profiles`: what the days of a plant are like whose place is unknown, or whose expectation is not trusted; others have
  the clear-sky model.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from analyzer.columns import SECOND, Floats, Ints, Mask, given_lines, kept_lines, put
from analyzer.evidence import BRIGHT_SHARE
from analyzer.memory import ZERO_SHARE, Columns
from analyzer.observed import Observed
from analyzer.profiles import Profiles, Window

LIGHT_SHARE = 0.08
"""Learning and judging need an expectation over this share of capacity: under it low light and horizon dominate."""
RATIO_HORIZON_S = 30 * 3600.0
"""Of lit time: some three days. Longer than a storm, shorter than a season."""
SPREAD_HORIZON_S, ROUGH_HORIZON_S = 20 * 3600.0, 100 * 3600.0
"""The latter under irradiance that was not measured in its plane: a clear fortnight does not make a satellite exact."""
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
GIVES_SHARE = 2.0 * ZERO_SHARE
"""Power that no tripped plant gives, however faint: modules under snow do."""
AWAKE_SHARE = 0.8
"""Awake at an hour on so many of the recent days, a plant is expected to be."""


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
    """Time in which it usually is awake, spent at zero since it last gave any power."""
    profile_row: Ints
    """Line of the profile plus one; 0 for none."""


class Usual(NamedTuple):
    """What is usual for each plant at an hour, (rows,)."""

    form: Floats
    """Ratio at that hour over that of the whole day; 1 without a profile."""
    power_kw: Floats
    """In this weather: the model times the plant's own ratio at that hour, once it is known."""
    clear_day_kw: Floats
    """Under a clear sky: by its profile, else by the model."""
    awake: Floats
    """Share of the recent days on which it gave power at that hour; NaN without a profile."""


@dataclass(frozen=True, slots=True)
class Habits:
    """Never changed in place."""

    learned: Learned
    profiles: Profiles

    @classmethod
    def blank(cls, rows: int) -> Habits:
        """Of plants never heard of."""
        return cls(Learned.blank(rows), Profiles.blank(0))

    def grown(self, rows: int) -> Habits:
        """With blank lines up to that many rows."""
        return replace(self, learned=self.learned.grown(rows))

    def kept(self, mask: Mask) -> Habits:
        """Of the rows of the mask only."""
        line, stays = kept_lines(self.learned.profile_row, mask, self.profiles.rows)
        return Habits(replace(self.learned.kept(mask), profile_row=line), self.profiles.kept(stays))

    @property
    def is_ready(self) -> Mask:
        """Whose ratio has been learned long enough."""
        return self.learned.lit_us >= READY_S * SECOND

    @property
    def knows_clouds(self) -> Mask:
        """Whose spread has been learned under clouds too."""
        return (self.learned.cloudy_us >= CLOUDY_S * SECOND) | (self.learned.lit_us >= SUNNY_S * SECOND)

    def usual(self, seen: Observed) -> Usual:
        """What is usual at this hour, in this weather."""
        known = np.flatnonzero(self.learned.profile_row)
        lines, profiles = self.learned.profile_row[known] - 1, self.profiles
        form = put(np.ones(self.learned.rows), known, profiles.form(lines, seen.start_us))
        curve = profiles.clear_kw(lines, seen.start_us)
        unknown = np.full(self.learned.rows, np.nan)
        return Usual(
            form=form,
            power_kw=seen.expected_kw * np.where(self.is_ready, self.learned.ratio * form, 1.0),
            clear_day_kw=put(seen.clear_kw, known, np.where(np.isnan(curve), seen.clear_kw[known], curve)),
            awake=put(unknown, known, profiles.awake_share(lines, seen.start_us)),
        )

    def after(self, seen: Observed, usual: Usual, ill: Mask, down: Mask, unsure: Mask, cadence_us: Floats) -> Habits:
        """After a window, given what was usual in it. The ill teach nothing, and those that are down not even when
        they are awake. Those without a place, and the unsure, whose expectation is not trusted, have profiles from
        then on."""
        step_s = np.minimum(np.nan_to_num(cadence_us / SECOND, nan=0.0), LONGEST_STEP_S)
        learned = self._with_ratio(seen, usual, ill, step_s)
        learned = _with_excess(_with_dark(learned, seen, usual, step_s), seen, step_s)
        heard = ~np.isnan(seen.actual_kw)
        fresh = np.flatnonzero(heard & (np.isnan(seen.clear_kw) | unsure) & (learned.profile_row == 0))
        count, profiles = self.profiles.rows, self.profiles
        if fresh.size:
            learned = replace(learned, profile_row=given_lines(learned.profile_row, fresh, count))
            profiles = profiles.grown(count + fresh.size)
        rows = np.flatnonzero((learned.profile_row > 0) & heard)
        if rows.size:
            window = Window(
                start_us=seen.start_us,
                power_kw=seen.actual_kw[rows],
                expected_kw=seen.expected_kw[rows],
                capacity_kw=seen.capacity_kw[rows],
                well=~ill[rows],
                up=~down[rows],
                ratio=learned.ratio[rows],
                lit=(~ill & self.is_ready & (seen.expected_kw > LIGHT_SHARE * seen.capacity_kw))[rows],
            )
            profiles = profiles.after(learned.profile_row[rows] - 1, window)
        return Habits(learned, profiles)

    def _with_ratio(self, seen: Observed, usual: Usual, ill: Mask, step_s: Floats) -> Learned:
        old = self.learned
        lit = (seen.expected_kw > LIGHT_SHARE * seen.capacity_kw) & ~np.isnan(seen.actual_kw) & ~ill
        if not lit.any():
            return old
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = seen.actual_kw / seen.expected_kw
            known = np.where(np.isnan(old.ratio), ratio, old.ratio)
            formed = known * usual.form
            formed_kw = formed * seen.expected_kw
            deviation = ratio / formed - 1.0
        lit_s = old.lit_us / SECOND
        gain = step_s / (np.minimum(lit_s, RATIO_HORIZON_S) + step_s + 1e-9)
        early = lit_s < READY_S
        step = np.where(early, deviation, np.clip(deviation, -LARGEST_STEP, UPWARD * LARGEST_STEP))
        step = np.where(step > 0, np.minimum(UPWARD * gain, 1.0), gain) * step
        horizon_s = np.where(seen.in_plane | ~seen.measured, SPREAD_HORIZON_S, ROUGH_HORIZON_S)
        spread_gain = step_s / (np.minimum(lit_s, horizon_s) + step_s + 1e-9)
        spread = np.nan_to_num(old.spread, nan=0.0)
        off = np.clip(-np.nan_to_num(deviation), 0.0, 0.5)
        cloudy = lit & (formed_kw < CLOUDY_SHARE * usual.clear_day_kw)
        step_us = (step_s * SECOND).astype(np.int64)
        bright = lit & (seen.expected_kw > SPREAD_LIGHT_SHARE * seen.capacity_kw)
        return replace(
            old,
            ratio=np.where(lit, np.maximum(known * (1.0 + step), 0.01), old.ratio),
            spread=np.where(bright, spread + spread_gain * (off - spread), old.spread),
            lit_us=np.where(lit, old.lit_us + step_us, old.lit_us),
            cloudy_us=np.where(cloudy, old.cloudy_us + step_us, old.cloudy_us),
        )


def _with_dark(learned: Learned, seen: Observed, usual: Usual, step_s: Floats) -> Learned:
    usually = (usual.awake >= AWAKE_SHARE) & (usual.clear_day_kw > BRIGHT_SHARE * seen.capacity_kw)
    zero = seen.actual_kw < ZERO_SHARE * seen.capacity_kw
    gives = seen.actual_kw > GIVES_SHARE * seen.capacity_kw
    step_us = (step_s * SECOND).astype(np.int64)
    dark_us = np.where(gives, 0, learned.dark_us + np.where(zero & usually, step_us, 0))
    return replace(learned, dark_us=dark_us)


def _with_excess(learned: Learned, seen: Observed, step_s: Floats) -> Learned:
    excess = seen.module_c - seen.modelled_module_c
    if np.isnan(excess).all():
        return learned
    gain = step_s / (np.minimum(learned.lit_us / SECOND, RATIO_HORIZON_S) + step_s + 1e-9)
    step = np.clip(excess - learned.excess_k, -LARGEST_STEP_K, LARGEST_STEP_K)
    known = np.where(np.isnan(learned.excess_k), excess, learned.excess_k + gain * step)
    return replace(learned, excess_k=np.where(np.isnan(excess), learned.excess_k, known))
