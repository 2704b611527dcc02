"""The readings that may still change a result: a log of columns, cut into panes of event time.

A pane `[start, start + span)` is the greatest common part of all window definitions. Appending is nearly free; sorting
and dropping of duplicates happen once, when a window that needs the pane is computed. So whatever order, batching or
repetition the readings came in, a pane yields the same arrays.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from analyzer.columns import Ints, Micros, Values, choose, join, span_of

SOURCES_PER_PLANT = 64
"""A key keeps this many sources of one plant apart."""

EMPTY_KEYS = np.empty(0, dtype=np.int64)
EMPTY_VALUES: Values = {"capacity_kw": np.empty(0)}


@dataclass(slots=True)
class Pane:
    """Readings of one pane. `keys` order by plant, time, source; equal keys are the same reading."""

    keys: list[Ints] = field(default_factory=list)
    values: list[Values] = field(default_factory=list)
    is_sorted: bool = True
    duplicates: int = 0

    def append(self, keys: Ints, values: Values) -> None:
        """Adds readings in any order."""
        self.keys.append(keys)
        self.values.append(values)
        self.is_sorted = False

    def arrays(self) -> tuple[Ints, Values]:
        """Keys in ascending order without repeats, and the values of each; of repeats, the first that came."""
        if not self.is_sorted:
            self._sort()
        return (self.keys[0], self.values[0]) if self.keys else (EMPTY_KEYS, EMPTY_VALUES)

    def _sort(self) -> None:
        keys = np.concatenate(self.keys)
        order = np.argsort(keys, kind="stable")
        keys = keys.take(order)
        fresh = np.empty(keys.size, dtype=np.bool_)
        fresh[:1] = True
        np.not_equal(keys[1:], keys[:-1], out=fresh[1:])
        if not fresh.all():
            self.duplicates += int(keys.size - fresh.sum())
            keys, order = keys[fresh], order[fresh]
        self.keys, self.values, self.is_sorted = [keys], [choose(join(self.values), order)], True


@dataclass(frozen=True, slots=True)
class Sorted:
    """Distinct readings by plant, then time: (n,) rows, (n,) times, their values."""

    rows: Ints
    times: Micros
    values: Values


class PaneLog:
    """The panes of one lane, by their start."""

    def __init__(self, span_us: int, panes: dict[int, Pane] | None = None) -> None:
        self.span_us = span_us
        self.panes: dict[int, Pane] = {} if panes is None else panes
        self.forgotten_duplicates = 0

    @property
    def duplicates(self) -> int:
        """Readings that had come before, as far as they were looked at, since this process holds the log."""
        return self.forgotten_duplicates + sum(pane.duplicates for pane in self.panes.values())

    def append(self, rows: Ints, times: Micros, span: tuple[int, int], values: Values, source: int) -> int:
        """Adds readings of one source, at least one, and says where the earliest pane begins that got any. `span` holds
        the least and greatest time, `source` counts the sources that share this log's plants."""
        first, last = (time // self.span_us * self.span_us for time in span)
        if first == last:  # the usual case, and division is slow
            offsets = times - first if span[0] < span[1] else span[0] - first
            self._pane(first).append(self._keys(rows, offsets, source), values)
            return first
        starts = times // self.span_us * self.span_us
        keys = self._keys(rows, times - starts, source)
        for start in np.unique(starts).tolist():
            mine = np.flatnonzero(starts == start)
            self._pane(start).append(keys[mine], choose(values, mine))
        return first

    def _keys(self, rows: Ints, offsets: Micros | int, source: int) -> Ints:
        return rows * (self.span_us * SOURCES_PER_PLANT) + (offsets * SOURCES_PER_PLANT + source)

    def _pane(self, start: int) -> Pane:
        return self.panes.setdefault(start, Pane())

    def between(self, start_us: int, end_us: int) -> Sorted:
        """The readings of the panes that begin in `[start, end)`, by plant and time."""
        starts = sorted(start for start in self.panes if start_us <= start < end_us)
        parts = [self._decoded(start) for start in starts]
        if len(parts) == 1:
            return parts[0]
        if not parts:
            return Sorted(EMPTY_KEYS, EMPTY_KEYS, EMPTY_VALUES)
        rows = np.concatenate([part.rows for part in parts])
        order = np.argsort(rows, kind="stable")  # panes follow one another, so within a plant time is in order
        times = np.concatenate([part.times for part in parts])
        return Sorted(rows[order], times[order], choose(join([part.values for part in parts]), order))

    def _decoded(self, start: int) -> Sorted:
        keys, values = self.panes[start].arrays()
        places = keys // SOURCES_PER_PLANT
        rows = places // self.span_us
        return Sorted(rows, places - rows * self.span_us + start, values)

    def forget_before(self, time_us: int) -> None:
        """Drops the panes that end at or before the time."""
        for start in [start for start in self.panes if start + self.span_us <= time_us]:
            self.forgotten_duplicates += self.panes.pop(start).duplicates

    def rows(self) -> Ints:
        """The plants that it holds readings of."""
        row_span = self.span_us * SOURCES_PER_PLANT
        held = [np.unique(keys // row_span) for pane in self.panes.values() for keys in pane.keys]
        return np.unique(np.concatenate(held)) if held else EMPTY_KEYS

    def move_rows(self, new_row: Ints) -> None:
        """Renumbers plants: the row `r` becomes `new_row[r]`. No reading of a row that becomes -1 may be held."""
        row_span = self.span_us * SOURCES_PER_PLANT
        for pane in self.panes.values():
            pane.keys = [new_row[keys // row_span] * row_span + keys % row_span for keys in pane.keys]
            pane.is_sorted = False

    def recut(self, span_us: int) -> PaneLog:
        """The same readings in panes of another span."""
        log = PaneLog(span_us)
        for start, pane in sorted(self.panes.items()):
            for keys, values in zip(pane.keys, pane.values, strict=True):
                places, sources = np.divmod(keys, SOURCES_PER_PLANT)
                rows, offsets = np.divmod(places, self.span_us)
                times = offsets + start
                for source in np.unique(sources).tolist():
                    mine = np.flatnonzero(sources == source)
                    log.append(rows[mine], times[mine], span_of(times[mine]), choose(values, mine), source)
        return log

    def __len__(self) -> int:
        return sum(keys.size for pane in self.panes.values() for keys in pane.keys)
