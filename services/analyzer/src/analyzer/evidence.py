"""Evidence that a plant has lost part of its power, where no irradiance at the plant tells how much there should be.

Of each quarter hour (or reading, where they are fewer) it is noted what share of its clear-day power the plant gave.
Three things speak for a loss:

- *How shares follow each other.* The sky moves power in its own ways: from a clear share to another, from cloud to
  cloud, seldom from cloud to a steady half. A table (`skies.csv`, counted by `bench.skies` on plants and pyranometers)
  tells how likely each move is from each share. With a loss of 40 %, the shares are those of a sky that was 1/0.6
  brighter: whichever explains a move better gains (the sequential test of Wald, Annals of Mathematical Statistics 16,
  1945), summed until it is enough or gone; a loss may begin at any move (Page, Biometrika 41, 1954).
- *A level.* The plant comes to the same low share again and again, and never over it. Clouds come to no level.
- *A shortfall* of what irradiance tells that is too rough for single readings, such as a satellite's: against what is
  usual for the plant, by Student's distribution, since a satellite errs far at times. Under frost it tells nothing:
  snow lies on the modules then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import resources
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from analyzer.columns import SECOND, Floats, Ints, Mask, Micros, given_lines, kept_lines, put
from analyzer.memory import ZERO_SHARE, Columns
from analyzer.observed import Observed
from analyzer.profiles import SLOT_US

BRIGHT_SHARE = 0.15
"""Shares of clear-day powers under this share of capacity say little."""
LEAST_LOG, MOST_LOG = float(np.log(0.02)), float(np.log(1.6))
"""Between these is the logarithm of a share."""
SHARES, SHARE_STEP, HIGHEST = 21, 0.17, 0.19
"""Rows of the table: steps of that logarithm, from 1.2 down."""
SPANS = (0.05, 0.2)
"""Bounds of how far it moved over the last three slots; a further class is for none or one before."""
BELOWS = (0.05, 0.3)
"""Bounds of how far it is under the greatest of the last slots."""
MOVES = (-0.8, -0.35, -0.12, -0.04, 0.04, 0.12, 0.35, 0.8)
"""Bounds of its next move."""
CLASSES = (len(SPANS) + 2) * (len(BELOWS) + 1)
STEPS_S = (900, 1800, 3600)
"""Distances of slots that there is a table for."""
IN_SPAN, RECENT = 3, 8
"""Slots that a span looks at, and those of "the last slots"."""
NEAR = 1.7
"""Usual distances after which an earlier slot is no longer near."""
LAST = 1.25
"""A reading is the slot's last if this many usual distances lead out of the slot."""
LOSSES = (0.4, 0.5, 0.6, 0.8)
FAINTER: Floats = -np.log1p(-np.array(LOSSES))
"""What each takes from the logarithm of the share."""
WEIGHT = 0.7
"""Of a log-likelihood ratio: neighbouring moves are not independent."""
WEIGHT_BESIDE = 0.65
"""Of that, where irradiance tells as well."""
OVER = 0.3
"""Logarithm of a share that no sky gives ..."""
REFUTED = -2.8
"""... and what it takes away to be brighter than the loss allows."""
ASTRAY = (-4.0, 2.0)
"""No slot tells of more."""
ERROR_LEAST, ERROR_ASSUMED, ASSUMED_S = 0.06, 0.35, 10 * 3600.0
"""Usual error of the logarithm of power over what is usual: at least; before any is known, and counted as so much lit
time."""
ERROR_HORIZON_S = 100 * 3600.0
"""Of lit time: some ten days."""
ERROR_READY_S = 40 * 3600.0
ERROR_STEP = 0.7
"""What a slot teaches of its usual value, at most."""
TAILS = 2.0
"""Degrees of freedom of Student's distribution."""
SHORT_WEIGHT, SHORT_MOST = 0.08, 0.28
"""Of its log-likelihood ratio for a quarter hour, and what that adds or takes away at most: hours tell the same."""
FROST_C = 1.0
"""Air colder than this may have let snow lie."""
BRIGHT = 0.78
"""A plant that gives this share shows that nothing is missing."""
LEVEL_BELOW = 0.74
"""Levels over this share are no loss of 40 %, seen against clear days that are some per cent too high."""
COARSE_S = 1800.0
LEVEL_TOLERANCE, COARSE_LEVEL_TOLERANCE = 0.08, 0.12
"""So near the level is at it; means of more than half an hour differ by the form of the curve as well."""
LEVEL_LOST_S = 2700.0
"""A level that was not come near for so much lit time, or for two slots, is forgotten."""
DIM_S = 7200.0
"""Lit time since it was last bright after which a level may mean a loss."""
LEVEL_S, LEVEL_SLOTS = 4500.0, 3.0
"""So much time at a level, and so many slots, are ..."""
LEVEL_WEIGHT, LEVEL_MOST = 1.5, 1.5
"""... evidence of so much; and at most of so many times that."""
ENOUGH = 5.6
"""Evidence that makes a loss."""
SURE = 1.2 * ENOUGH
"""What sums it up to, so that it does not waver; sums never are more."""

Table = npt.NDArray[np.float32]


def _read_skies() -> Floats:
    """(steps, SHARES, CLASSES, moves) logarithms of how likely each move is."""
    with (resources.files("analyzer") / "skies.csv").open(encoding="utf-8") as lines:
        rows = np.loadtxt(lines, delimiter=",", skiprows=1)
    often = rows[:, 3:].reshape(len(STEPS_S), SHARES, CLASSES, len(MOVES) + 1)
    logs: Floats = np.log(often / often.sum(axis=3, keepdims=True))
    return logs


SKIES = _read_skies()


@dataclass(frozen=True, slots=True)
class Lines(Columns):
    """Of the plants that are judged so."""

    slot_us: Micros
    """Start of the slot that the last lit reading fell into."""
    power_kw: Floats
    """Sum over that slot so far; NaN once the slot is closed."""
    clear_kw: Floats
    """The same of clear-day power."""
    usual_kw: Floats
    """The same of what is usual in this weather; NaN without irradiance."""
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
    usual_log: Floats
    """Usual logarithm of power over what irradiance tells: the bias of that."""
    error: Floats
    """Mean distance from it."""
    known_s: Floats
    """Lit time that both were learned from."""
    sums: Table
    """(lines, losses) Evidence for each loss, but for the level."""
    enough: Mask
    """Whether all evidence together makes a loss."""

    @classmethod
    def blank(cls, rows: int) -> Lines:
        """Of plants just met."""
        none, zero, unknown = np.zeros(rows, dtype=np.int64), np.zeros(rows), np.full(rows, np.nan)
        recent = np.full((rows, RECENT), np.nan, dtype=np.float32)
        sums = np.zeros((rows, len(LOSSES)), dtype=np.float32)
        return cls(
            slot_us=none, power_kw=zero, clear_kw=zero, usual_kw=zero, recent=recent, recent_us=none,
            level=unknown, level_s=zero, away_s=zero, dim_s=zero,
            usual_log=zero, error=np.full(rows, ERROR_ASSUMED), known_s=zero,
            sums=sums, enough=np.zeros(rows, dtype=np.bool_),
        )  # fmt: skip


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
        line, stays = kept_lines(self.line, mask, self.lines.rows)
        return Evidence(line, self.lines.kept(stays))

    @property
    def enough(self) -> Mask:
        """(rows,) Whose evidence makes a loss."""
        result: Mask = np.append(False, self.lines.enough)[self.line]
        return result

    def after(self, seen: Observed, of: Known) -> Evidence:
        """After a window."""
        rows = np.flatnonzero(
            of.judged & (of.clear_day_kw > BRIGHT_SHARE * seen.capacity_kw) & ~np.isnan(seen.actual_kw)
        )
        if not rows.size:
            return self
        fresh = rows[self.line[rows] == 0]
        count = self.lines.rows
        line = given_lines(self.line, fresh, count) if fresh.size else self.line
        lines = self.lines.grown(count + fresh.size)
        return Evidence(line, _with_readings(lines, line[rows] - 1, rows, seen, of))


class Known(NamedTuple):
    """Of all plants, (rows,) each."""

    clear_day_kw: Floats
    usual_kw: Floats
    """In this weather; NaN where no irradiance, or nothing learned, tells."""
    cadence_us: Floats
    judged: Mask
    """Whose evidence is to be heard."""
    knows_clouds: Mask
    """Whose irradiance has been seen under clouds, so that its error is known."""
    ill: Mask
    """They teach nothing about that error."""


def _with_readings(old: Lines, at: Ints, rows: Ints, seen: Observed, of: Known) -> Lines:
    """After the readings of the rows, whose lines are `at`."""
    slot_us = seen.start_us // SLOT_US * SLOT_US
    same, cadence, now_kw = old.slot_us[at] == slot_us, np.nan_to_num(of.cadence_us[rows]), seen.actual_kw[rows]
    power = np.where(same, old.power_kw[at], 0.0) + now_kw
    clear = np.where(same, old.clear_kw[at], 0.0) + of.clear_day_kw[rows]
    usual = np.where(same, old.usual_kw[at], 0.0) + of.usual_kw[rows]
    is_last = (seen.last_us[rows] + LAST * cadence >= slot_us + SLOT_US) & (cadence > 0)
    closes = is_last & (now_kw >= ZERO_SHARE * seen.capacity_kw[rows]) & (power > 0)
    lines = replace(
        old,
        slot_us=put(old.slot_us, at, np.int64(slot_us)),
        power_kw=put(old.power_kw, at, np.where(closes, np.nan, power)),
        clear_kw=put(old.clear_kw, at, clear),
        usual_kw=put(old.usual_kw, at, usual),
    )
    if not closes.any():
        return lines
    at, rows = at[closes], rows[closes]
    with np.errstate(divide="ignore"):
        slot = Slot(
            start_us=slot_us,
            share=power[closes] / clear[closes],
            of_usual=power[closes] / usual[closes],
            cadence_s=cadence[closes] / SECOND,
            cold=seen.ambient_c[rows] < FROST_C,
            knows_clouds=of.knows_clouds[rows],
            ill=of.ill[rows],
        )
    return judged(lines, at, slot)


class Slot(NamedTuple):
    """One that closed for k plants."""

    start_us: int
    share: Floats
    """Of clear-day power."""
    of_usual: Floats
    """Share of what is usual in this weather; NaN without irradiance."""
    cadence_s: Floats
    cold: Mask
    """Whether snow may lie."""
    knows_clouds: Mask
    ill: Mask

    @property
    def step_s(self) -> Floats:
        """Lit time that it stands for."""
        return np.clip(self.cadence_s, STEPS_S[0], STEPS_S[-1])

    @property
    def astray(self) -> Floats:
        """How far irradiance was from the truth: logarithm of power over what is usual."""
        result: Floats = np.clip(np.log(self.of_usual), *ASTRAY)
        return result


def judged(old: Lines, at: Ints, slot: Slot) -> Lines:
    """After a slot of the lines `at`: what all of it tells of a loss."""
    lines = _with_error(_with_level(old, at, slot), at, slot)
    now = np.clip(np.log(slot.share), LEAST_LOG, MOST_LOG)
    recent = old.recent[at].astype(np.float64)
    recent[slot.start_us - old.recent_us[at] > NEAR * SECOND * np.maximum(slot.cadence_s, slot.step_s)] = np.nan
    lasting, begun = _by_move(recent, now, slot.step_s)
    short = _by_shortfall(old, at, slot)
    weight = np.where(np.isnan(short), 1.0, WEIGHT_BESIDE)
    sums = np.maximum(old.sums[at] + weight * lasting, weight * begun) + np.nan_to_num(short)
    sums = np.clip(sums, 0.0, SURE)
    enough = sums.max(axis=1) + _by_level(lines, at, slot) >= ENOUGH
    sums[enough] = SURE
    return replace(
        lines,
        recent=put(old.recent, at, np.column_stack((now, recent[:, :-1]))),
        recent_us=put(old.recent_us, at, np.int64(slot.start_us)),
        sums=put(old.sums, at, sums),
        enough=put(old.enough, at, enough),
    )


def moves_of(recent: Floats, now: Floats) -> tuple[Ints, Ints]:
    """Class of the last slots (k, RECENT), newest first, and the move from them to `now`; both count from 0.

    Without an earlier slot nothing has moved: such classes and moves mean nothing.
    """
    before = recent[:, 0]
    of_span = recent[:, :IN_SPAN]
    span = np.fmax.reduce(of_span, axis=1) - np.fmin.reduce(of_span, axis=1)
    by_span = np.where(np.isnan(recent[:, 1]), len(SPANS) + 1, np.searchsorted(SPANS, span))
    by_below = np.searchsorted(BELOWS, np.fmax.reduce(recent, axis=1) - before)
    return by_span * (len(BELOWS) + 1) + np.minimum(by_below, len(BELOWS)), move_of(now - before)


def move_of(change: Floats) -> Ints:
    """Which move a change of the logarithm of the share is."""
    return np.minimum(np.searchsorted(MOVES, change), len(MOVES))


def row_of(log_share: Floats) -> Ints:
    """Row of the table."""
    row: Ints = np.clip((HIGHEST - np.nan_to_num(log_share)) // SHARE_STEP, 0, SHARES - 1).astype(np.int64)
    return row


def _by_move(recent: Floats, now: Floats, step_s: Floats) -> tuple[Floats, Floats]:
    """(k, losses) evidence of the move to `now`, if the loss was there before it, and if it came with it."""
    kind, move = (each[:, None] for each in moves_of(recent, now))
    before, now, table = recent[:, :1], now[:, None], np.searchsorted(STEPS_S, 0.75 * step_s)[:, None]
    row = row_of(before)
    without = SKIES[table, row, kind, move]
    lasting = SKIES[table, row_of(before + FAINTER), kind, move] - without
    begun = SKIES[table, row, kind, move_of(now - before + FAINTER)] - without
    lasting, begun = (np.where(np.isnan(before), 0.0, WEIGHT * ratio) for ratio in (lasting, begun))
    return np.where(now + FAINTER > OVER, np.minimum(lasting, REFUTED), lasting), begun


def _by_shortfall(lines: Lines, at: Ints, slot: Slot) -> Floats:
    """(k, losses) evidence of power over what irradiance tells; NaN where there is none, or its error is not known."""
    astray, error = (slot.astray - lines.usual_log[at])[:, None], np.maximum(lines.error[at], ERROR_LEAST)[:, None]

    def likely(off: Floats) -> Floats:
        result: Floats = -0.5 * (TAILS + 1.0) * np.log1p((off / error) ** 2 / TAILS)
        return result

    quarters = (slot.step_s * SECOND / SLOT_US)[:, None]
    ratio = SHORT_WEIGHT * (likely(astray + FAINTER) - likely(astray))
    ratio = np.where(slot.cold[:, None], np.minimum(ratio, 0.0), ratio)
    known = slot.knows_clouds & (lines.known_s[at] >= ERROR_READY_S)
    return np.where(known[:, None], quarters * np.clip(ratio, -SHORT_MOST, SHORT_MOST), np.nan)


def _with_error(old: Lines, at: Ints, slot: Slot) -> Lines:
    """With what the slot tells of how far irradiance usually errs."""
    error, usual_log, known_s = old.error[at], old.usual_log[at], old.known_s[at]
    astray = slot.astray - usual_log
    teaches = ~np.isnan(astray) & ~slot.ill
    gain = np.where(teaches, slot.step_s / (np.minimum(ASSUMED_S + known_s, ERROR_HORIZON_S) + slot.step_s), 0.0)
    step, off = np.clip(astray, -ERROR_STEP, ERROR_STEP), np.minimum(np.abs(astray), 1.0)
    return replace(
        old,
        usual_log=put(old.usual_log, at, np.where(teaches, usual_log + gain * step, usual_log)),
        error=put(old.error, at, np.where(teaches, error + gain * (off - error), error)),
        known_s=put(old.known_s, at, known_s + np.where(teaches, slot.step_s, 0.0)),
    )


def _with_level(old: Lines, at: Ints, slot: Slot) -> Lines:
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


def _by_level(lines: Lines, at: Ints, slot: Slot) -> Floats:
    low = (lines.level[at] < LEVEL_BELOW) & (slot.share < LEVEL_BELOW) & (lines.dim_s[at] >= DIM_S)
    times = lines.level_s[at] / np.maximum(LEVEL_S, LEVEL_SLOTS * slot.step_s)
    return np.where(low, LEVEL_WEIGHT * np.minimum(times, LEVEL_MOST), 0.0)
