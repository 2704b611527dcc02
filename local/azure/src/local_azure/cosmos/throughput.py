"""Holding containers to their request units: a budget for each second, and 429 when it is used up."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from local_azure.cosmos.errors import CosmosError

_SECOND_MS = 1000


@dataclass
class _Second:
    number: int = 0
    used_ru: float = 0.0


class Throttle:
    """Meters each key (a container, or a database that shares its throughput) in whole seconds.

    A request is let in while the second's budget is not used up; what it costs beyond that is owed in the seconds
    that follow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seconds: dict[str, _Second] = {}

    def admit(self, key: str, budget_ru_s: float) -> None:
        """Raises CosmosError 429/3200 with the milliseconds to wait when nothing is left."""
        now_s = self._clock()
        second = self._advance(key, budget_ru_s, now_s)
        if second.used_ru < budget_ru_s:
            return
        seconds_owed = int(second.used_ru // budget_ru_s)
        wait_ms = max(1, int((second.number + seconds_owed - now_s) * _SECOND_MS))
        raise CosmosError(
            429,
            f"Request rate is large: {second.used_ru:.0f} RU used of {budget_ru_s:.0f} in this second. More Request "
            "Units may be needed, so no changes were made. Please retry this request later.",
            substatus=3200,
            headers={"x-ms-retry-after-ms": str(wait_ms)},
        )

    def charge(self, key: str, cost_ru: float) -> None:
        """Add what a request has cost."""
        if key in self._seconds:
            self._seconds[key].used_ru += cost_ru

    def _advance(self, key: str, budget_ru_s: float, now_s: float) -> _Second:
        second = self._seconds.setdefault(key, _Second(int(now_s)))
        passed = int(now_s) - second.number
        if passed > 0:
            second.number += passed
            second.used_ru = max(0.0, second.used_ru - passed * budget_ru_s)
        return second
