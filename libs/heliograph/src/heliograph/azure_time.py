"""The time as Azure tells it: the `Date` of every answer that the storage gives, carried on by the monotonic clock.

What services compare with stamps that Azure sets (when an event came to the hub, when a partition was last claimed,
when a document was written) they compare with this and not with the machine's own clock, which may be minutes off.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

HOUR_S = 3600.0


class AzureClock:
    """The machine's own clock until the first answer. Safe to ask from several threads."""

    def __init__(self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._ahead_s: float | None = None
        """Azure's time less the monotonic clock's. A stamp has whole seconds, rounded down, and is a while on its way,
        so that the greatest difference seen is the nearest to the truth; of the last hour or two, since the monotonic
        clock may run fast."""
        self._hour = (-math.inf, -math.inf, -math.inf)
        """When it began, and the greatest differences of it and of the one before."""

    def hear(self, date: str) -> None:
        """Takes the `Date` of an answer that has just come; what is none is passed over."""
        with contextlib.suppress(ValueError):
            now_s = self._monotonic()
            ahead_s = parsedate_to_datetime(date).timestamp() - now_s
            begun_s, greatest_s, before_s = self._hour
            if now_s - begun_s > HOUR_S:
                begun_s, greatest_s, before_s = now_s, -math.inf, greatest_s
            self._hour = begun_s, max(greatest_s, ahead_s), before_s
            self._ahead_s = max(self._hour[1:])

    def now_s(self) -> float:
        """Seconds since the epoch."""
        return self._wall() if self._ahead_s is None else self._monotonic() + self._ahead_s

    def wall_is_ahead_s(self) -> float:
        """How far the machine's own clock is ahead; negative where it is behind."""
        return self._wall() - self.now_s()


_CLOCK = AzureClock()


def hear(response: Any) -> None:  # noqa: ANN401 - the SDK's PipelineResponse
    """For `raw_response_hook` of the storage's clients."""
    if date := response.http_response.headers.get("date"):
        _CLOCK.hear(date)


def now_s() -> float:
    """Seconds since the epoch."""
    return _CLOCK.now_s()


def now() -> datetime:
    """UTC."""
    return datetime.fromtimestamp(now_s(), UTC)


def wall_is_ahead_s() -> float:
    """How far this machine's clock is ahead of Azure's; negative where it is behind."""
    return _CLOCK.wall_is_ahead_s()
