"""How many request units may be used now: a bucket that fills at a rate, and a rate that gives way to 429. Pure."""

from __future__ import annotations

_GIVE_WAY = 0.7
_FLOOR = 0.02
_RECOVERY_PER_S = 0.02
"""Of the limit: from the floor it takes under a minute back to the top."""


class RuBudget:
    """Request units at `limit_per_s` at most. A request may start while the bucket is not in debt, and pays what it
    turned out to cost; so the rate holds on average although costs are known only afterwards.

    A 429 means that others use the account too, or that the limit is set too high: the rate falls by a third at once
    and climbs back slowly.
    """

    def __init__(self, limit_per_s: float, now_s: float) -> None:
        self.limit_per_s = limit_per_s
        self.rate_per_s = limit_per_s
        self._filled_at_s = now_s
        self._units = limit_per_s
        self._blocked_until_s = now_s

    def wait_s(self, now_s: float) -> float:
        """How long the next request has to wait; 0 when it may start."""
        self._fill(now_s)
        debt_s = -self._units / self.rate_per_s if self._units < 0 else 0.0
        return max(debt_s, self._blocked_until_s - now_s, 0.0)

    def spend(self, units: float, now_s: float) -> None:
        """Pays for a request."""
        self._fill(now_s)
        self._units -= units

    def throttled(self, retry_after_s: float, now_s: float) -> None:
        """Cosmos answered 429 and asked for a pause. Answers that come together count once."""
        self._fill(now_s)
        if now_s >= self._blocked_until_s:
            self.rate_per_s = max(self.rate_per_s * _GIVE_WAY, self.limit_per_s * _FLOOR)
        self._blocked_until_s = max(self._blocked_until_s, now_s + retry_after_s)

    def _fill(self, now_s: float) -> None:
        passed_s = max(now_s - self._filled_at_s, 0.0)
        self._filled_at_s = now_s
        self.rate_per_s = min(self.rate_per_s + passed_s * _RECOVERY_PER_S * self.limit_per_s, self.limit_per_s)
        self._units = min(self._units + passed_s * self.rate_per_s, self.rate_per_s)
