"""When a schedule is due: cron expressions and intervals, in any time zone.

    every 10s | every 5m | every 2h       aligned to the epoch
    */5 * * * *                           cron: minute hour day month weekday
    */20 * * * * *                        with seconds in front, as Azure Functions writes it

Where clocks go forward, a fixed time that does not exist is due as soon as the clock has jumped; where they go back,
one that comes twice is due once. Schedules that repeat within the hour simply go on.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

from cronsim import CronSim, CronSimError

from ingest.given import time_zone

_INTERVAL = re.compile(r"every (\d+(?:\.\d+)?)(s|m|h)")
_UNIT_S = {"s": 1.0, "m": 60.0, "h": 3600.0}
_WEEK = timedelta(weeks=1)
_LOOKED_AT = 2500
"""Runs; a week of one every five minutes."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """A parsed schedule; `text` and `zone` say the same as when it was written."""

    text: str
    zone: str
    _next: Callable[[datetime], datetime]
    interval_s: float | None = None

    def next_after(self, moment: datetime) -> datetime:
        """The first due time later than the moment (UTC)."""
        return self._next(moment)

    def longest_wait_s(self, moment: datetime) -> float:
        """Seconds between the two neighbouring runs that lie furthest apart in the week after the moment: a schedule
        of working hours waits for a weekend. The first two runs count however late they come."""
        if self.interval_s is not None:
            return self.interval_s
        last, longest_s = self.next_after(moment), 0.0
        for _ in range(_LOOKED_AT):
            before, last = last, self.next_after(last)
            longest_s = max(longest_s, (last - before).total_seconds())
            if last - moment > _WEEK:
                break
        return longest_s


def parse_schedule(text: str, zone: str = "UTC") -> Schedule:
    """Raises `ValueError` that names the expression."""
    text = " ".join(text.split())
    tz = time_zone(zone)
    if match := _INTERVAL.fullmatch(text):
        interval_s = float(match[1]) * _UNIT_S[match[2]]
        if interval_s <= 0:
            raise ValueError(f"the schedule {text!r} has no length")
        return Schedule(text, zone, lambda moment: _next_multiple(moment, interval_s), interval_s)
    cron, after = _without_seconds(text)
    try:
        CronSim(cron, datetime.now(UTC))
    except CronSimError as error:
        raise ValueError(f"the schedule {text!r} is neither `every 5m` nor a cron expression: {error}") from error
    return Schedule(
        text, zone, lambda moment: next(CronSim(cron, (moment - after).astimezone(tz))).astimezone(UTC) + after
    )


def _without_seconds(text: str) -> tuple[str, timedelta]:
    """Five fields, and how long after them it is due: the library knows clock changes in five fields alone, and takes
    six where the seconds are more than a number."""
    seconds, _, rest = text.partition(" ")
    if len(text.split()) == 6 and seconds.isdecimal() and int(seconds) < 60:
        return rest, timedelta(seconds=int(seconds))
    return text, timedelta(0)


def _next_multiple(moment: datetime, interval_s: float) -> datetime:
    count = math.floor(moment.timestamp() / interval_s + 1e-9) + 1
    return datetime.fromtimestamp(round(count * interval_s, 6), UTC)


def jitter_s(name: str, due: datetime, most_s: float) -> float:
    """How much later than due this run begins: spread evenly, the same on every replica."""
    if most_s <= 0:
        return 0.0
    digest = blake2b(f"{name} {due.isoformat()}".encode(), digest_size=8).digest()
    return most_s * int.from_bytes(digest, "big") / 2**64


@dataclass(frozen=True, slots=True)
class Due:
    """A run to be made: what it is due for, and whether that lies in a time when nobody ran."""

    at: datetime
    past_due: bool


def first_due(schedule: Schedule, planned: datetime | None, planned_by: str, now: datetime) -> Due:
    """What is due first for a new owner. `planned` is the next run as the last owner wrote it, by the schedule
    `planned_by`: one in the past is caught up with one run, however many were missed; a changed schedule is planned
    anew."""
    if planned is None or planned_by != f"{schedule.text} {schedule.zone}":
        return Due(schedule.next_after(now), past_due=False)
    return Due(planned, past_due=planned < now)


def following(schedule: Schedule, due: datetime, now: datetime) -> Due:
    """What is due after a run that was due then and ended now. What came due meanwhile is caught up with one run."""
    after = schedule.next_after(due)
    if after > now:
        return Due(after, past_due=False)
    if schedule.interval_s:
        after = max(after, schedule.next_after(now - timedelta(seconds=schedule.interval_s)))
    else:
        while (later := schedule.next_after(after)) <= now:
            after = later
    return Due(after, past_due=True)
