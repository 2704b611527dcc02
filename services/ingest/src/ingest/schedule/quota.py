"""Counts the calls that a provider allows, across restarts: the counts are kept with the schedule's status."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from ingest.sources.declaration import Quota

DAY_S = 86_400


class QuotaError(RuntimeError):
    """The quota is used up until `free_at`."""

    def __init__(self, name: str, free_at: datetime) -> None:
        super().__init__(f"the quota of {name} is used up until {free_at.isoformat()}")
        self.free_at = free_at


class QuotaBook:
    """What was called in the present period of each quota. `state` is its form in the schedule's status."""

    def __init__(self, name: str, quotas: Sequence[Quota], state: dict[str, str]) -> None:
        self._name = name
        self._quotas = quotas
        self._used: dict[str, tuple[datetime, int]] = {}
        for quota in quotas:
            begin, _, used = state.get(_key(quota), "").partition(" ")
            if used:
                self._used[_key(quota)] = (datetime.fromisoformat(begin), int(used))

    def take(self, calls: int, now: datetime) -> None:
        """Counts the calls. Raises `QuotaError`, and counts nothing, if they are too many."""
        for quota in self._quotas:
            begin, used = self._period(quota, now)
            if used + calls > quota.calls:
                raise QuotaError(self._name, _end(quota, begin))
        for quota in self._quotas:
            begin, used = self._period(quota, now)
            self._used[_key(quota)] = (begin, used + calls)

    def exhaust(self, now: datetime) -> None:
        """The provider says that the longest quota is used up, whatever was counted here."""
        for quota in sorted(self._quotas, key=lambda one: one.per_s)[-1:]:
            self._used[_key(quota)] = (_begin(quota, now), quota.calls)

    def left(self, now: datetime) -> int | None:
        """Calls left in the tightest quota; None without quotas."""
        return min((quota.calls - self._period(quota, now)[1] for quota in self._quotas), default=None)

    def state(self) -> dict[str, str]:
        """To be kept."""
        return {key: f"{begin.isoformat()} {used}" for key, (begin, used) in self._used.items()}

    def _period(self, quota: Quota, now: datetime) -> tuple[datetime, int]:
        begin = _begin(quota, now)
        known, used = self._used.get(_key(quota), (begin, 0))
        return (begin, used) if known == begin else (begin, 0)


def _key(quota: Quota) -> str:
    return f"quota-{quota.per_s:g}"


def _begin(quota: Quota, now: datetime) -> datetime:
    """Of the period that the time lies in: a calendar day, or a multiple of the length since the epoch."""
    if quota.per_s == DAY_S:
        local = now.astimezone(ZoneInfo(quota.zone))
        return local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
    return datetime.fromtimestamp(now.timestamp() // quota.per_s * quota.per_s, UTC)


def _end(quota: Quota, begin: datetime) -> datetime:
    if quota.per_s == DAY_S:
        local = begin.astimezone(ZoneInfo(quota.zone)) + timedelta(days=1)
        return local.astimezone(UTC)
    return begin + timedelta(seconds=quota.per_s)
