"""Windows of event time: each kind says which ranges of the sorted readings make its windows.

    readings of a plant      ·  ··   ·        ·  ·
    tumbling 10 s        |────────|────────|────────|        each reading in one window
    hopping 20 s by 10 s |─────────────────|                 each reading in size / hop windows
                                  |─────────────────|
    sliding 10 s              (─────]                        one window a reading: it and the 10 s before it
    session 10 s            [──────────)     [─────)         as long as the gaps stay under 10 s

Windows are `[start, end)`, UTC. Tumbling and hopping ones are aligned to the epoch. A sliding window ends one
microsecond after its reading, the smallest time that includes it. A session ends `gap` after its last reading, or
at the next multiple of `longest` since the epoch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce
from typing import Protocol

import numpy as np

from analyzer.columns import SECOND, Ints, Micros
from analyzer.panes import Sorted

MAX_SIZE_US = 7 * 86_400 * SECOND
"""As in Azure Stream Analytics."""


@dataclass(frozen=True, slots=True)
class Ranges:
    """k windows as ranges `[begin, end)` of sorted readings, never empty and each of one plant, with their times."""

    begins: Ints
    ends: Ints
    window_starts: Micros
    window_ends: Micros


class Windower(Protocol):
    """A window definition."""

    @property
    def name(self) -> str:
        """What documents call it."""

    @property
    def reach_us(self) -> int:
        """How far before a window's end its readings may lie."""

    @property
    def grid_us(self) -> int:
        """All its bounds are multiples of this; 0 when they follow the readings."""

    def ranges(self, readings: Sorted, after_us: int, until_us: int) -> Ranges:
        """The windows whose end lies in `(after, until]`. `readings` hold all from `after - reach` on."""


@dataclass(frozen=True, slots=True)
class Tumbling:
    """Back to back windows of `size`."""

    size_us: int
    name: str

    @property
    def reach_us(self) -> int:
        return self.size_us

    @property
    def grid_us(self) -> int:
        return self.size_us

    def ranges(self, readings: Sorted, after_us: int, until_us: int) -> Ranges:
        starts = readings.times // self.size_us * self.size_us
        begins = _changes(readings.rows, starts)
        ends = np.append(begins[1:], readings.rows.size)[: begins.size]
        return _closed(begins, ends, starts[begins], starts[begins] + self.size_us, after_us, until_us)


@dataclass(frozen=True, slots=True)
class Hopping:
    """Windows of `size` that begin every `hop`."""

    size_us: int
    hop_us: int
    name: str

    @property
    def reach_us(self) -> int:
        return self.size_us

    @property
    def grid_us(self) -> int:
        return math.gcd(self.size_us, self.hop_us)

    def ranges(self, readings: Sorted, after_us: int, until_us: int) -> Ranges:
        hops = readings.times // self.hop_us
        firsts = _changes(readings.rows, hops)
        per_window = -(-self.size_us // self.hop_us)
        starts = ((hops[firsts])[:, None] - np.arange(per_window)[::-1]) * self.hop_us
        rows = np.repeat(readings.rows[firsts], per_window)
        windows = np.unique(np.column_stack((rows, starts.ravel())), axis=0)
        begins = _first_at_or_after(readings, windows[:, 0], windows[:, 1])
        ends = _first_at_or_after(readings, windows[:, 0], windows[:, 1] + self.size_us)
        full = ends > begins
        starts = windows[full, 1]
        return _closed(begins[full], ends[full], starts, starts + self.size_us, after_us, until_us)


@dataclass(frozen=True, slots=True)
class Sliding:
    """For each reading, the `size` up to and including it."""

    size_us: int
    name: str

    @property
    def reach_us(self) -> int:
        return self.size_us

    @property
    def grid_us(self) -> int:
        return 0

    def ranges(self, readings: Sorted, after_us: int, until_us: int) -> Ranges:
        last = _changes(readings.rows, readings.times, at_end=True)
        starts = readings.times[last] - self.size_us + 1
        begins = _first_at_or_after(readings, readings.rows[last], starts)
        return _closed(begins, last + 1, starts, readings.times[last] + 1, after_us, until_us)


@dataclass(frozen=True, slots=True)
class Session:
    """Readings with gaps under `gap` between them. No session crosses a multiple of `longest`: bounds that depend on
    nothing but the readings near them are the same however far back the log reaches."""

    gap_us: int
    longest_us: int
    name: str

    @property
    def reach_us(self) -> int:
        return self.longest_us + self.gap_us

    @property
    def grid_us(self) -> int:
        return 0

    def ranges(self, readings: Sorted, after_us: int, until_us: int) -> Ranges:
        rows, times = readings.rows, readings.times
        spells = times // self.longest_us
        new = np.ones(rows.size, dtype=np.bool_)
        new[1:] = (rows[1:] != rows[:-1]) | (spells[1:] != spells[:-1]) | (times[1:] - times[:-1] >= self.gap_us)
        begins = np.flatnonzero(new)
        ends = np.append(begins[1:], rows.size)[: begins.size]
        window_ends = np.minimum(times[ends - 1] + self.gap_us, (spells[begins] + 1) * self.longest_us)
        return _closed(begins, ends, times[begins], window_ends, after_us, until_us)


def _changes(rows: Ints, others: Ints, *, at_end: bool = False) -> Ints:
    """Where a run of equal pairs begins (or, `at_end`, its last place)."""
    if not rows.size:
        return np.empty(0, dtype=np.int64)
    differs = (rows[1:] != rows[:-1]) | (others[1:] != others[:-1])
    edges = np.flatnonzero(differs)
    return np.append(edges, rows.size - 1) if at_end else np.concatenate(([0], edges + 1))


def _first_at_or_after(readings: Sorted, rows: Ints, times: Micros) -> Ints:
    """The place of the first reading of the row that is not before the time; the row's end if there is none."""
    if not readings.times.size:
        return np.zeros(rows.size, dtype=np.int64)
    origin = int(readings.times.min()) - 1
    span = int(readings.times.max()) - origin + 2
    keys = readings.rows * span + (readings.times - origin)
    result: Ints = np.searchsorted(keys, rows * span + np.clip(times - origin, 0, span - 1))
    return result


def _closed(begins: Ints, ends: Ints, starts: Micros, stops: Micros, after_us: int, until_us: int) -> Ranges:
    ready = (stops > after_us) & (stops <= until_us)
    if ready.all():
        return Ranges(begins, ends, starts, stops)
    return Ranges(begins[ready], ends[ready], starts[ready], stops[ready])


def common_grid_us(windowers: list[Windower]) -> int:
    """The span of a pane: the greatest that divides every bound of every definition."""
    grids = [windower.grid_us for windower in windowers if windower.grid_us]
    return reduce(math.gcd, grids, grids[0])


def parse_windower(text: str) -> Windower:
    """A definition from its name: `tumbling-10s`, `hopping-60s-10s`, `sliding-30s`, `session-30s-3600s`.

    Raises `ValueError` that says what is wrong with it.
    """
    kind, *parts = text.split("-")
    sizes = [_micros(part, text) for part in parts]
    match kind, sizes:
        case "tumbling", [size]:
            return Tumbling(size, text)
        case "hopping", [size, hop]:
            if hop > size:
                raise ValueError(f"window {text!r}: the hop of {hop / SECOND:g} s is longer than the window")
            return Hopping(size, hop, text)
        case "sliding", [size]:
            return Sliding(size, text)
        case "session", [gap, longest]:
            if gap > longest:
                raise ValueError(f"window {text!r}: the gap of {gap / SECOND:g} s is longer than the longest session")
            return Session(gap, longest, text)
    raise ValueError(f"window {text!r}: must look like tumbling-10s, hopping-60s-10s, sliding-30s or session-30s-3600s")


def _micros(part: str, text: str) -> int:
    try:
        seconds = float(part.removesuffix("s"))
    except ValueError:
        raise ValueError(f"window {text!r}: {part!r} is no length such as 10s") from None
    micros = round(seconds * SECOND)
    if not (part.endswith("s") and 0 < micros <= MAX_SIZE_US):
        raise ValueError(
            f"window {text!r}: {part!r} must be in seconds, more than 0s and at most {MAX_SIZE_US // SECOND}s"
        )
    return micros
