"""What the rules must remember of each plant from one window to the next, as columns.

Never changed in place: every window has a memory of its own, so that a late reading can go back to it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np

from analyzer.columns import Floats, Ints, Mask, Micros
from analyzer.observed import Observed

CADENCE_GAIN = 0.3
"""Weight of the newest gap in a plant's rhythm: four gaps replace most of what was before."""
FLAT_TOLERANCE = 0.001
"""Powers within 0.1 % of the first of a run are as flat as a ceiling makes them; without one, an hour around a clear
noon already moves by 0.9 %. Tuned on the labelled trace of inverter 7539."""
ALIVE_SHARE = 0.03
"""Over this share of capacity a plant produces; night and idle currents lie under it."""
ZERO_SHARE = 0.005
"""Under this share of capacity a plant gives nothing: a tripped inverter still draws or leaks a little."""

C = TypeVar("C", bound="Columns")


@dataclass(frozen=True, slots=True)
class Columns:
    """Arrays with one line a plant."""

    @classmethod
    def blank(cls: type[C], rows: int) -> C:
        """Of plants never heard of."""
        return cls(*(_blank(each.type, rows) for each in fields(cls)))

    @property
    def rows(self) -> int:
        """How many plants it has lines for."""
        return int(getattr(self, fields(self)[0].name).size)

    def grown(self: C, rows: int) -> C:
        """With blank lines up to that many rows."""
        if rows <= self.rows:
            return self
        blank = type(self).blank(rows - self.rows)
        return type(self)(
            *(np.concatenate((getattr(self, each.name), getattr(blank, each.name))) for each in fields(self))
        )

    def kept(self: C, mask: Mask) -> C:
        """Of the rows of the mask only."""
        return type(self)(*(getattr(self, each.name)[mask] for each in fields(self)))


def _blank(kind: Any, rows: int) -> Any:  # noqa: ANN401 - an array of the column's type
    return {"Floats": np.full(rows, np.nan), "Mask": np.zeros(rows, dtype=np.bool_)}.get(
        str(kind), np.zeros(rows, dtype=np.int64)
    )


@dataclass(frozen=True, slots=True)
class Run:
    """Windows in a row whose value stayed near that of the first; (rows,) each."""

    value: Floats
    since_us: Micros
    count: Ints

    def after(self, value: Floats, start_us: int, tolerance: float) -> Run:
        """After a window; rows without a value (NaN) stay as they are."""
        seen = ~np.isnan(value)
        near = seen & (np.abs(value - self.value) <= tolerance * np.abs(self.value))
        fresh = seen & ~near
        return Run(
            np.where(fresh, value, self.value),
            np.where(fresh, start_us, self.since_us),
            np.where(fresh, 1, self.count + near),
        )


@dataclass(frozen=True, slots=True)
class Memory(Columns):
    """Of the recent past."""

    last_us: Micros
    """Last reading by which it was `heard`; 0 before the first."""
    cadence_us: Floats
    """Usual gap between readings, a moving mean; NaN before the second."""
    same_kw: Floats
    """Power of the run of exactly equal values."""
    same_since_us: Micros
    same_count: Ints
    flat_kw: Floats
    """Power of the run of nearly equal values."""
    flat_since_us: Micros
    flat_count: Ints
    ceiling_kw: Floats
    """Greatest mean power of a window so far."""
    alive_kw: Floats
    """Last power over `ALIVE_SHARE`."""
    alive_us: Micros
    module_c: Floats
    module_us: Micros
    """End of the window of `module_c`."""

    def heard(self, seen: Observed) -> Mask:
        """Who has spoken: a plant that has ever told its power, by telling it; weather goes on when it fell silent."""
        result: Mask = seen.present & (~np.isnan(seen.actual_kw) | np.isnan(self.ceiling_kw))
        return result

    def after(self, seen: Observed) -> Memory:
        """After a window."""
        heard = self.heard(seen)
        again = heard & (self.last_us > 0)
        gap = (seen.first_us - self.last_us).astype(np.float64)
        learned = np.where(np.isnan(self.cadence_us), gap, self.cadence_us + CADENCE_GAIN * (gap - self.cadence_us))
        same = Run(self.same_kw, self.same_since_us, self.same_count).after(seen.actual_kw, seen.start_us, 0.0)
        flat = Run(self.flat_kw, self.flat_since_us, self.flat_count).after(
            seen.actual_kw, seen.start_us, FLAT_TOLERANCE
        )
        alive = seen.actual_kw > ALIVE_SHARE * seen.capacity_kw
        felt = ~np.isnan(seen.module_c)
        return replace(
            self,
            last_us=np.where(heard, seen.last_us, self.last_us),
            cadence_us=np.where(again, learned, self.cadence_us),
            same_kw=same.value,
            same_since_us=same.since_us,
            same_count=same.count,
            flat_kw=flat.value,
            flat_since_us=flat.since_us,
            flat_count=flat.count,
            ceiling_kw=np.fmax(self.ceiling_kw, seen.actual_kw),
            alive_kw=np.where(alive, seen.actual_kw, self.alive_kw),
            alive_us=np.where(alive, seen.end_us, self.alive_us),
            module_c=np.where(felt, seen.module_c, self.module_c),
            module_us=np.where(felt, seen.end_us, self.module_us),
        )
