"""What the limit should be, from how the process fares. Pure: time and health are arguments.

The rules and numbers are those of Azure Functions' dynamic concurrency.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

START: Final = 1
MAXIMUM: Final = 500
HEALTHY_CHECKS: Final = 5
"""So many in a row, and the limit may go up."""
BAD_CHECKS: Final = 3
"""So many in a row, and it goes down."""
BETWEEN_CHANGES_S: Final = 5.0
AFTER_DECREASE_S: Final = 30.0
"""No increase so soon after a decrease."""
RUN_S: Final = 10.0
"""Changes the same way, no further apart than this, are a run: each goes further than the one before."""
MAX_SPEED: Final = 5

Way = Literal[1, -1]


@dataclass(slots=True)
class Tuner:
    """The state of one limit. Times are seconds of a clock that never goes back."""

    limit: int = START
    maximum: int = MAXIMUM
    _healthy: int = 0
    _bad: int = 0
    _changed_at: float | None = None
    _decreased_at: float | None = None
    _way: Way = 1
    _run: int = 0

    def observe(self, now: float, *, healthy: bool, was_full: bool) -> bool:
        """Takes one check, about one a second; whether the limit changed. `was_full` says if the limit was ever
        reached since it last changed: what was not needed is not raised."""
        self._healthy, self._bad = (self._healthy + 1, 0) if healthy else (0, self._bad + 1)
        if self._changed_at is not None and now - self._changed_at < BETWEEN_CHANGES_S:
            return False
        if self._bad >= BAD_CHECKS and self.limit > 1:
            self._change(now, -1)
            return True
        if self._may_rise(now, was_full=was_full):
            self._change(now, 1)
            return True
        return False

    def _may_rise(self, now: float, *, was_full: bool) -> bool:
        rested = self._decreased_at is None or now - self._decreased_at >= AFTER_DECREASE_S
        return self._healthy >= HEALTHY_CHECKS and was_full and rested and self.limit < self.maximum

    def _change(self, now: float, way: Way) -> None:
        in_run = self._way == way and self._changed_at is not None and now - self._changed_at <= RUN_S
        self._run = self._run + 1 if in_run else 0
        self.limit = max(1, min(self.maximum, self.limit + way * (1 + min(MAX_SPEED, self._run))))
        self._way, self._changed_at = way, now
        self._healthy = self._bad = 0
        if way < 0:
            self._decreased_at = now

    def restore(self, limit: int) -> bool:
        """Begins from a limit that was learned before; whether it was taken. One over the maximum is not, and the
        limit is never lowered."""
        if not self.limit < limit <= self.maximum:
            return False
        self.limit = limit
        return True
