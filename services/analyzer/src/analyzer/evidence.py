"""Evidence that a plant has lost part of its power, where no irradiance at the plant tells how much there should be.

Of each quarter hour (or reading, where they are fewer) two things are noted: what share of its clear-day power the
plant gave, and how steady that was of late. Two things speak for a loss:

- *Steadiness at the wrong share.* The weather of a plant is a table of how steady it is at each share, learned day by
  day: clear skies are steady, at 1.0, and little else is. A loss of 40 % moves that to 0.6, where weather is rough.
  Which of the two explains a slot better is its evidence (the sequential test of Wald, Annals of Mathematical
  Statistics 16, 1945), summed until it is enough or gone (Page, Biometrika 41, 1954).
- *A level.* The plant comes to the same low share again and again, and never over it. Clouds come to no level.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from analyzer.columns import Floats, Ints, Mask, Micros, put
from analyzer.memory import ZERO_SHARE, Columns
from analyzer.observed import Observed

SECOND = 1_000_000
SLOT_US = 900 * SECOND
"""Readings that come faster are taken together: clouds change too little within it."""
BRIGHT_SHARE = 0.15
"""Shares of clear-day powers under this share of capacity say little."""
SHARES, SHARE_STEP, HIGHEST = 17, 0.255, 0.30
"""Rows of the table: steps of the logarithm of the share, from 1.35 down; two of them are a loss of 40 %."""
SPANS = (0.03, 0.07, 0.15, 0.40)
"""Bounds of its columns: how far that logarithm moved over the last slots. Clear skies keep under the second."""
COLUMNS = len(SPANS) + 1
STEADY, ROUGH = (0.25, 0.30, 0.26, 0.14, 0.05), (0.03, 0.07, 0.15, 0.36, 0.39)
"""How clear and cloudy skies are spread over the columns: the mean of the tuned traces."""
ASSUMED_S = 1800.0
"""Until more is learned, each row holds so much of the one (the two highest) or the other."""
LOSSES = (2, 3, 5, 7)
"""What may be lost, in rows: 40, 53, 72 and 83 %."""
RECENT = 2
"""Earlier slots that a span looks at."""
COARSE_S = 1800.0
"""Of readings further apart, only the last: an hour."""
LAST = 1.25
"""A reading is the slot's last if this many usual distances lead out of the slot."""
NEAR = 1.7
"""Usual distances after which an earlier slot is no longer near."""
HORIZON_S = 300 * 3600.0
"""Of lit time, in which the table forgets: some thirty days."""
PENDING = 48
"""Slots after which one is weather, if the plant was not bright before: more than a day, so that a loss does not teach
that it is usual."""
WEIGHT = 0.7
"""Of a log-likelihood ratio of a quarter hour: neighbouring slots tell the same."""
MOST, LEAST = 0.8, -1.4
"""What a quarter hour adds or takes away."""
REFUTED = -2.8
"""What it takes away to be brighter than the loss allows."""
COARSER = 0.3
"""Longer intervals depend less on each other: all three grow as this power of the interval."""
LONGEST_STEP_S = 3600.0
BRIGHT = 0.78
"""A plant that gives this share shows that nothing is missing."""
LEVEL_BELOW = 0.74
"""Levels over this share are no loss of 40 %, seen against clear days that are some per cent too high."""
LEVEL_TOLERANCE, COARSE_LEVEL_TOLERANCE = 0.08, 0.12
"""So near the level is at it; means of more than half an hour differ by the form of the curve as well."""
LEVEL_LOST_S = 2700.0
"""A level that was not come near for so much lit time, or for two slots, is forgotten."""
DIM_S = 7200.0
"""Lit time since it was last bright after which a level may mean a loss."""
LEVEL_S, LEVEL_SLOTS = 4500.0, 3.0
"""So much time at a level, and so many slots, are ..."""
LEVEL_WEIGHT, LEVEL_MOST = 3.0, 1.5
"""... evidence of so much; and at most of so many times that."""
ENOUGH = 6.5
"""Evidence that makes a loss."""
SURE = 1.2 * ENOUGH
"""What sums it up to, so that it does not waver; sums never are more."""

Table = npt.NDArray[np.float32]
Codes = npt.NDArray[np.uint8]


ASSUMED = ASSUMED_S * np.array([STEADY] * 2 + [ROUGH] * (SHARES - 2))


@dataclass(frozen=True, slots=True)
class Lines(Columns):
    """Of the plants that are judged so."""

    slot_us: Micros
    """Start of the slot that the last lit reading fell into."""
    power_kw: Floats
    """Sum over that slot so far; NaN once the slot is closed."""
    clear_kw: Floats
    """The same of clear-day power."""
    recent: Table
    """(lines, RECENT) Logarithms of the shares of the last slots, newest first; NaN for none."""
    recent_us: Micros
    """Start of the newest of them."""
    level: Floats
    """Greatest share since the plant was last bright."""
    level_s: Floats
    """Lit time spent near it."""
    away_s: Floats
    """Lit time since it was last near it."""
    dim_s: Floats
    """Lit time since it was last bright."""
    sums: Table
    """(lines, losses) Evidence for each loss, by steadiness."""
    enough: Mask
    """Whether all evidence together makes a loss."""
    weather: Table
    """(lines, SHARES, COLUMNS) Lit seconds, fading."""
    pending: Codes
    """(lines, PENDING) What the last slots will teach of the weather, newest first: place in the table plus one."""

    @classmethod
    def blank(cls, rows: int) -> Lines:
        """Of plants just met."""
        none, zero, unknown = np.zeros(rows, dtype=np.int64), np.zeros(rows), np.full(rows, np.nan)
        recent = np.full((rows, RECENT), np.nan, dtype=np.float32)
        sums = np.zeros((rows, len(LOSSES)), dtype=np.float32)
        weather = np.zeros((rows, SHARES, COLUMNS), dtype=np.float32)
        pending = np.zeros((rows, PENDING), dtype=np.uint8)
        enough = np.zeros(rows, dtype=np.bool_)
        return cls(none, zero, zero, recent, none, unknown, zero, zero, zero, sums, enough, weather, pending)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Of all plants; never changed in place."""

    line: Ints
    """(rows,) Its line plus one, from its first lit reading without trusted irradiance; 0 for none."""
    lines: Lines

    @classmethod
    def blank(cls, rows: int) -> Evidence:
        """Of plants never heard of."""
        return cls(np.zeros(rows, dtype=np.int64), Lines.blank(0))

    def grown(self, rows: int) -> Evidence:
        """With blank lines up to that many rows."""
        return replace(self, line=np.append(self.line, np.zeros(max(rows - self.line.size, 0), dtype=np.int64)))

    def kept(self, mask: Mask) -> Evidence:
        """Of the rows of the mask only."""
        line = self.line[mask]
        some = line > 0
        stays = np.zeros(self.lines.rows, dtype=np.bool_)
        stays[line[some] - 1] = True
        renumbered = np.append(0, np.cumsum(stays))
        return Evidence(renumbered[line], self.lines.kept(stays))

    @property
    def enough(self) -> Mask:
        """(rows,) Whose evidence makes a loss."""
        result: Mask = np.append(False, self.lines.enough)[self.line]
        return result

    def after(self, seen: Observed, clear_day_kw: Floats, cadence_us: Floats, judged: Mask, ill: Mask) -> Evidence:
        """After a window, of the plants to be judged so; the ill teach nothing about the weather."""
        rows = np.flatnonzero(judged & (clear_day_kw > BRIGHT_SHARE * seen.capacity_kw) & ~np.isnan(seen.actual_kw))
        if not rows.size:
            return self
        fresh = rows[self.line[rows] == 0]
        count = self.lines.rows
        line = put(self.line, fresh, count + 1 + np.arange(fresh.size)) if fresh.size else self.line
        lines = self.lines.grown(count + fresh.size)
        return Evidence(line, _with_slot(lines, line[rows] - 1, rows, seen, clear_day_kw, cadence_us, ill))


def _with_slot(
    old: Lines, at: Ints, rows: Ints, seen: Observed, clear_day_kw: Floats, cadence_us: Floats, ill: Mask
) -> Lines:
    """After the readings of the rows, whose lines are `at`."""
    slot_us = seen.start_us // SLOT_US * SLOT_US
    same, cadence, now_kw = old.slot_us[at] == slot_us, np.nan_to_num(cadence_us[rows]), seen.actual_kw[rows]
    power = np.where(same, old.power_kw[at], 0.0) + now_kw
    clear = np.where(same, old.clear_kw[at], 0.0) + clear_day_kw[rows]
    is_last = (seen.last_us[rows] + LAST * cadence >= slot_us + SLOT_US) & (cadence > 0)
    closes = is_last & (now_kw >= ZERO_SHARE * seen.capacity_kw[rows]) & (power > 0)
    lines = replace(
        old,
        slot_us=put(old.slot_us, at, np.int64(slot_us)),
        power_kw=put(old.power_kw, at, np.where(closes, np.nan, power)),
        clear_kw=put(old.clear_kw, at, clear),
    )
    if not closes.any():
        return lines
    slot = _Slot(slot_us, power[closes] / clear[closes], cadence[closes] / SECOND, ill[rows[closes]])
    return _judged(lines, at[closes], slot)


class _Slot(NamedTuple):
    """One that closed for k plants."""

    start_us: int
    share: Floats
    """Of clear-day power."""
    cadence_s: Floats
    ill: Mask

    @property
    def step_s(self) -> Floats:
        """Lit time that it stands for."""
        return np.clip(self.cadence_s, SLOT_US / SECOND, LONGEST_STEP_S)


def _judged(old: Lines, at: Ints, slot: _Slot) -> Lines:
    """After a slot of the lines `at`: what it tells of a loss, and then of the weather."""
    lines = _with_level(old, at, slot)
    now, near = np.log(slot.share), NEAR * SECOND * np.maximum(slot.cadence_s, slot.step_s)
    recent = old.recent[at].astype(np.float64)
    recent[slot.start_us - old.recent_us[at] > near] = np.nan
    recent[slot.cadence_s > COARSE_S, 1:] = np.nan
    span = np.fmax(np.fmax.reduce(recent, axis=1), now) - np.fmin(np.fmin.reduce(recent, axis=1), now)
    row = np.clip((HIGHEST - now) // SHARE_STEP, 0, SHARES - 1).astype(np.int64)
    column = np.where(np.isnan(recent[:, 0]), -1, np.searchsorted(SPANS, span))
    weight = (slot.step_s * SECOND / SLOT_US) ** COARSER
    sums = np.clip(old.sums[at] + weight[:, None] * _ratios(old.weather[at], row, column), 0.0, SURE)
    enough = sums.max(axis=1) + _by_level(lines, at, slot) >= ENOUGH
    sums[enough] = SURE
    weather, pending = _learned(old, at, slot, np.where(column < 0, 0, row * COLUMNS + column + 1))
    return replace(
        lines,
        recent=put(old.recent, at, np.column_stack((now, recent[:, :-1]))),
        recent_us=put(old.recent_us, at, np.int64(slot.start_us)),
        sums=put(old.sums, at, sums),
        enough=put(old.enough, at, enough),
        weather=put(old.weather, at, weather),
        pending=put(old.pending, at, pending),
    )


def _with_level(old: Lines, at: Ints, slot: _Slot) -> Lines:
    share, step_s, level, away_s = slot.share, slot.step_s, old.level[at], old.away_s[at]
    bright, tolerance = share > BRIGHT, np.where(step_s > COARSE_S, COARSE_LEVEL_TOLERANCE, LEVEL_TOLERANCE)
    lost = away_s > np.maximum(LEVEL_LOST_S, 2.0 * step_s)
    fresh = bright | lost | np.isnan(level) | (share > level * (1.0 + tolerance))
    near = fresh | (share > level * (1.0 - tolerance))
    return replace(
        old,
        level=put(old.level, at, np.where(fresh, share, level)),
        level_s=put(old.level_s, at, np.where(fresh, 0.0, old.level_s[at]) + np.where(near, step_s, 0.0)),
        away_s=put(old.away_s, at, np.where(near, 0.0, away_s + step_s)),
        dim_s=put(old.dim_s, at, np.where(bright, 0.0, old.dim_s[at] + step_s)),
    )


def _by_level(lines: Lines, at: Ints, slot: _Slot) -> Floats:
    low = (lines.level[at] < LEVEL_BELOW) & (slot.share < LEVEL_BELOW) & (lines.dim_s[at] >= DIM_S)
    times = lines.level_s[at] / np.maximum(LEVEL_S, LEVEL_SLOTS * slot.step_s)
    return np.where(low, LEVEL_WEIGHT * np.minimum(times, LEVEL_MOST), 0.0)


def _ratios(weather: Table, row: Ints, column: Ints) -> Floats:
    """(k, losses) weighted log-likelihood ratios of so steady a slot, for a loss over for none; column -1 tells nil."""
    undimmed = row[:, None] - np.array((0, *LOSSES))
    at = np.maximum(undimmed, 0)
    seconds = weather[np.arange(row.size)[:, None], at] + ASSUMED[at]
    often = np.take_along_axis(seconds, column[:, None, None], axis=2)[:, :, 0] / seconds.sum(axis=2)
    ratio = np.where(column[:, None] < 0, 0.0, WEIGHT * np.log(often[:, 1:] / often[:, :1]))
    return np.where(undimmed[:, 1:] < 0, REFUTED, np.clip(ratio, LEAST, MOST))


def _learned(old: Lines, at: Ints, slot: _Slot, code: Ints) -> tuple[Table, Codes]:
    """The weather with the slots that need wait no longer, and what waits now. The ill only teach what they showed
    before, and only once they are bright again."""
    weather, pending, bright = old.weather[at], old.pending[at], slot.share > BRIGHT
    leaves = pending.copy()
    leaves[~bright, :-1] = 0
    leaves[~bright & slot.ill] = 0
    pending[bright] = 0
    pending = np.column_stack((np.where(slot.ill, 0, code).astype(np.uint8), pending[:, :-1]))
    line, place = np.nonzero(leaves)
    seconds = slot.step_s[line].astype(np.float32)
    weather *= (1.0 - np.bincount(line, seconds, minlength=at.size) / HORIZON_S)[:, None, None].astype(np.float32)
    np.add.at(weather.reshape(at.size, -1), (line, leaves[line, place].astype(np.int64) - 1), seconds)
    return weather, pending
