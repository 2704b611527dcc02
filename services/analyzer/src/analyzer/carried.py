"""Power that goes on counting in its region: a plant that reports each five minutes is heard in one window of thirty,
and produces in all of them.

    readings of a plant        ·           ·                           ·         an interval of 40 s
    its windows of 10 s       |██|▒▒|▒▒|▒▒|██|▒▒|▒▒|▒▒|▒▒|▒▒|  |  |  |██|▒▒      █ heard  ▒ carried

A plant without power in a window counts there as it did in its last window with power, if the window begins while the
last reading with power is fresh: younger than an interval and a half, since the next one may take its time on the way.
Intervals up to half a window carry nothing: who reports that often and is not heard has stopped. What is carried is
thus a function of the readings, whatever order they came in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from analyzer.columns import SECOND, Floats, Ints, Mask, Micros, Values
from analyzer.folds import Table

EMPTY_ROWS = np.empty(0, dtype=np.int64)
EMPTY_POWERS = np.empty(0)


class Powers(NamedTuple):
    """What k plants add to their regions in a window; (k,) each."""

    rows: Ints
    readings: Ints
    mean_kw: Floats
    """NaN without power."""
    capacity_kw: Floats
    expected_kw: Floats

    @classmethod
    def heard(cls, table: Table, expected_kw: Floats) -> Powers:
        """Of the window's own readings."""
        return cls(table.rows, table.readings, table.generation_kw.mean, table.capacity_kw, expected_kw)

    def joined(self, other: Powers) -> Powers:
        """These and those."""
        if not other.rows.size:
            return self
        return Powers(*(np.append(mine, theirs) for mine, theirs in zip(self, other, strict=True)))


NO_POWERS = Powers(EMPTY_ROWS, EMPTY_ROWS, EMPTY_POWERS, EMPTY_POWERS, EMPTY_POWERS)


@dataclass(frozen=True, slots=True)
class Carried:
    """The plants that go on counting after a window, one line each; never changed in place. Lanes without plants of
    long intervals have none, and pay nothing."""

    rows: Ints = field(default_factory=lambda: EMPTY_ROWS)
    until_us: Micros = field(default_factory=lambda: EMPTY_ROWS)
    """Windows that begin before this time count them."""
    mean_kw: Floats = field(default_factory=lambda: EMPTY_POWERS)
    """Of the last window with power, as all that follows."""
    capacity_kw: Floats = field(default_factory=lambda: EMPTY_POWERS)
    expected_kw: Floats = field(default_factory=lambda: EMPTY_POWERS)

    def reaches(self, start_us: int) -> bool:
        """Whether a window that begins then counts any of them."""
        return bool(self.rows.size) and int(self.until_us.max()) > start_us

    def after(self, table: Table, expected_kw: Floats, end_us: int, plants: int) -> Carried:
        """After a window that ends at `end_us`: what its plants with power said takes the place of what they had."""
        if not self.rows.size and not table.until_us.any():
            return self
        powered = table.generation_kw.count > 0
        stays = (self.until_us > end_us) & ~_among(table.rows[powered], self.rows, plants)
        comes = powered & (table.until_us > end_us)
        return Carried(
            np.append(self.rows[stays], table.rows[comes]),
            np.append(self.until_us[stays], table.until_us[comes]),
            np.append(self.mean_kw[stays], table.generation_kw.mean[comes]),
            np.append(self.capacity_kw[stays], table.capacity_kw[comes]),
            np.append(self.expected_kw[stays], expected_kw[comes]),
        )

    def into(self, start_us: int, powered: Ints, plants: int) -> Powers:
        """What is carried into the window that begins then, in which the powered plants count with their own power."""
        if not self.rows.size:
            return NO_POWERS
        counts = (self.until_us > start_us) & ~_among(powered, self.rows, plants)
        rows = self.rows[counts]
        none = np.zeros(rows.size, dtype=np.int64)
        return Powers(rows, none, self.mean_kw[counts], self.capacity_kw[counts], self.expected_kw[counts])

    def kept(self, mask: Mask) -> Carried:
        """Of the plants of the mask only; the others move up."""
        stays = mask[self.rows]
        rows = (np.cumsum(mask) - 1)[self.rows[stays]]
        mean_kw, capacity_kw, expected_kw = self.mean_kw[stays], self.capacity_kw[stays], self.expected_kw[stays]
        return Carried(rows, self.until_us[stays], mean_kw, capacity_kw, expected_kw)


def _among(rows: Ints, asked: Ints, plants: int) -> Mask:
    """Which of the rows asked for are among the rows."""
    here = np.zeros(plants, dtype=np.bool_)
    here[rows] = True
    return here[asked]


def without_short_intervals(values: Values, window_us: int) -> Values:
    """The values with those intervals alone that carry power, those over half a window; a log of others needs no
    column of them."""
    interval_s = values.get("interval_s")
    if interval_s is None:
        return values
    long = 2 * np.rint(interval_s * SECOND) > window_us
    rest = {name: column for name, column in values.items() if name != "interval_s"}
    return rest | {"interval_s": np.where(long, interval_s, np.nan)} if long.any() else rest
