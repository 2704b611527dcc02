"""Aggregates of ranges of readings: all windows of a definition in a few NumPy calls.

Every window kind comes down to ranges `[begin, end)` of the readings sorted by plant and time; a fold is a `reduceat`
over them. Sums run in event time, so the order of arrival leaves no trace in them, not even in the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analyzer.columns import SECOND, Floats, Ints, Mask
from analyzer.panes import Sorted
from analyzer.windows import Ranges

MAX_CARRY_US = 3600 * SECOND
"""Power older than an hour says nothing about the present, however long the interval that it is the mean of."""


@dataclass(frozen=True, slots=True)
class Aggregates:
    """Of one column over k windows; where `count` is 0 all else is NaN."""

    count: Ints
    sum: Floats
    min: Floats
    max: Floats
    first: Floats
    last: Floats

    @property
    def mean(self) -> Floats:
        """`sum / count`."""
        with np.errstate(invalid="ignore"):
            return self.sum / self.count


@dataclass(frozen=True, slots=True)
class Table:
    """One line a window: k plants' windows of one definition."""

    rows: Ints
    starts: Ints
    """Microseconds."""
    ends: Ints
    firsts: Ints
    """Time of the first reading; microseconds."""
    lasts: Ints
    readings: Ints
    capacity_kw: Floats
    """That of the last reading."""
    generation_kw: Aggregates
    poa_w_m2: Floats
    """Mean, like the rest of the weather."""
    ghi_w_m2: Floats
    module_c: Floats
    module_c_max: Floats
    ambient_c: Floats
    wind_m_s: Floats
    until_us: Ints
    """How long the last reading with power is fresh: an interval and a half; 0 without one whose interval carries."""

    @property
    def utilisation_pct(self) -> Floats:
        """Mean generation over capacity; NaN without generation."""
        return self.generation_kw.mean / self.capacity_kw * 100.0

    def lines(self, mask: Mask) -> Table:
        """The lines of the mask only."""
        columns = {name: getattr(self, name)[mask] for name in Table.__slots__ if name != "generation_kw"}
        parts = (getattr(self.generation_kw, name)[mask] for name in Aggregates.__slots__)
        return Table(**columns, generation_kw=Aggregates(*parts))

    def with_lines(self, other: Table) -> Table:
        """These lines and those, by start and plant."""
        order = np.lexsort((np.append(self.rows, other.rows), np.append(self.starts, other.starts)))
        names = [name for name in Table.__slots__ if name != "generation_kw"]
        columns = {name: np.append(getattr(self, name), getattr(other, name))[order] for name in names}
        mine, theirs = self.generation_kw, other.generation_kw
        parts = [np.append(getattr(mine, name), getattr(theirs, name))[order] for name in Aggregates.__slots__]
        return Table(**columns, generation_kw=Aggregates(*parts))


def fold(readings: Sorted, ranges: Ranges) -> Table:
    """The aggregates of each range."""
    values = readings.values
    begins, ends = ranges.begins, ranges.ends
    module_c = values.get("module_c")
    return Table(
        rows=readings.rows[begins],
        starts=ranges.window_starts,
        ends=ranges.window_ends,
        firsts=readings.times[begins],
        lasts=readings.times[ends - 1],
        readings=ends - begins,
        capacity_kw=values["capacity_kw"][ends - 1],
        generation_kw=_aggregate(values.get("generation_kw"), begins, ends),
        poa_w_m2=_mean(values.get("poa_w_m2"), begins, ends),
        ghi_w_m2=_mean(values.get("ghi_w_m2"), begins, ends),
        module_c=_mean(module_c, begins, ends),
        module_c_max=_max(module_c, begins, ends),
        ambient_c=_mean(values.get("ambient_c"), begins, ends),
        wind_m_s=_mean(values.get("wind_m_s"), begins, ends),
        until_us=_until(readings, begins, ends),
    )


def emptied(rows: Ints, starts: Ints, ends: Ints, capacity_kw: Floats) -> Table:
    """Lines of windows that turned out to hold no reading."""
    nothing = np.full(rows.size, np.nan)
    zeros = np.zeros(rows.size, dtype=np.int64)
    weather = (nothing, nothing, nothing, nothing, nothing, nothing)
    return Table(rows, starts, ends, starts, starts, zeros, capacity_kw, _nothing(rows.size), *weather, until_us=zeros)


def _until(readings: Sorted, begins: Ints, ends: Ints) -> Ints:
    interval_s, power = readings.values.get("interval_s"), readings.values.get("generation_kw")
    if interval_s is None or power is None:
        return np.zeros(begins.size, dtype=np.int64)
    long = ~np.isnan(interval_s)
    interval_us = np.rint(np.where(long, interval_s, 0.0) * SECOND).astype(np.int64)
    until_us = np.where(long, readings.times + np.minimum(interval_us * 3 // 2, MAX_CARRY_US), 0)
    places = np.where(np.isnan(power), -1, np.arange(power.size))
    last = np.maximum.accumulate(places)[ends - 1] if places.size else places
    result: Ints = np.where(last >= begins, until_us[np.maximum(last, 0)], 0)
    return result


def _reduce(ufunc: np.ufunc, column: Floats, begins: Ints, ends: Ints) -> Floats:
    """The reduction over each `[begin, end)`, none of them empty; ranges may overlap or leave gaps."""
    if begins.size == 0:
        return np.empty(0)
    if ends[-1] == column.size and (begins[1:] == ends[:-1]).all():
        result: Floats = ufunc.reduceat(column, begins)
        return result
    pairs = np.column_stack((begins, ends)).ravel()
    padded = np.append(column, 0.0)  # an end may lie one past the last reading
    overlapping: Floats = ufunc.reduceat(padded, pairs)[::2]
    return overlapping


def _aggregate(column: Floats | None, begins: Ints, ends: Ints) -> Aggregates:
    if column is None:
        return _nothing(begins.size)
    missing = np.isnan(column)
    if not missing.any():
        return Aggregates(
            count=ends - begins,
            sum=_reduce(np.add, column, begins, ends),
            min=_reduce(np.minimum, column, begins, ends),
            max=_reduce(np.maximum, column, begins, ends),
            first=column[begins],
            last=column[ends - 1],
        )
    if missing.all():
        return _nothing(begins.size)
    return _aggregate_present(column, missing, begins, ends)


def _aggregate_present(column: Floats, missing: Mask, begins: Ints, ends: Ints) -> Aggregates:
    """As `_aggregate`, of the readings that have a value: the ranges are moved onto those alone."""
    present_before = np.concatenate(([0], np.cumsum(~missing)))
    begins, ends = present_before[begins], present_before[ends]
    some = ends > begins
    inner = _aggregate(column[~missing], begins[some], ends[some])
    result = _nothing(begins.size)
    for name in Aggregates.__slots__:
        getattr(result, name)[some] = getattr(inner, name)
    return result


def _nothing(size: int) -> Aggregates:
    return Aggregates(np.zeros(size, dtype=np.int64), *(np.full(size, np.nan) for _ in range(5)))


def _mean(column: Floats | None, begins: Ints, ends: Ints) -> Floats:
    if column is None:
        return np.full(begins.size, np.nan)
    missing = np.isnan(column)
    if missing.any():
        return _aggregate_present(column, missing, begins, ends).mean
    return _reduce(np.add, column, begins, ends) / (ends - begins)


def _max(column: Floats | None, begins: Ints, ends: Ints) -> Floats:
    return np.full(begins.size, np.nan) if column is None else _reduce(np.fmax, column, begins, ends)
