"""The time as Azure tells it: the `Date` of every answer that the storage gives, carried on by the monotonic clock.

What services compare with stamps that Azure sets (when an event came to the hub, when a partition was last claimed,
when a document was written) they compare with this and not with the machine's own clock, which may be minutes off.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any


class AzureClock:
    """The machine's own clock until the first answer. Safe to ask from several threads."""

    def __init__(self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._ahead_s: float | None = None
        """Azure's time less the monotonic clock's. A stamp has whole seconds, rounded down, and is a while on its way,
        so that the greatest difference seen is the nearest to the truth."""

    def hear(self, date: str) -> None:
        """Takes the `Date` of an answer that has just come; what is none is passed over."""
        with contextlib.suppress(ValueError):
            ahead_s = parsedate_to_datetime(date).timestamp() - self._monotonic()
            self._ahead_s = ahead_s if self._ahead_s is None else max(self._ahead_s, ahead_s)

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
