"""Sources that make their own data: the simulated fleet and the replay, on a clock of any speed.

What they tell of a moment is a function of that moment, so after a crash they say the same again.
"""

from __future__ import annotations

import bisect
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import msgspec

from heliograph.blobs import ANY, BlobFolder
from ingest.fleet.faults import day_number
from ingest.fleet.model import Fleet
from ingest.intake import Intake, Lane
from ingest.observations import Observation
from ingest.schedule.timer import Outcome, Run
from ingest.sources.replay import by_moment

SLICE_S = 10.0
"""A run that is behind ends after this long, so that its cursor is kept."""


@dataclass(frozen=True, slots=True)
class SimulatedClock:
    """Runs `speed` times as fast as the wall clock from `start` on, never past the wall clock or `end`.

    Speed 0 means as fast as it goes.
    """

    start: datetime
    begun: datetime
    """Wall clock at `start`."""
    speed: float
    end: datetime | None = None
    may_lead: bool = False
    """Whether simulated time may be ahead of the wall clock."""

    def at(self, now: datetime) -> datetime:
        """Simulated time at a wall-clock time."""
        latest = [one for one in (self.end, None if self.may_lead else now) if one is not None]
        if self.speed == 0:
            return min(latest)
        moment = self.start + timedelta(seconds=(now - self.begun).total_seconds() * self.speed)
        return min([moment, *latest])


class Stream(Protocol):
    """Where the observations come from."""

    def next_moment(self, after: datetime) -> datetime | None:
        """The next time at which there is something to tell; None at the end."""

    def observations(self, at: datetime) -> Sequence[Observation]:
        """What is told of that time."""


class FleetStream:
    """The simulated fleet at multiples of its interval."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet

    def next_moment(self, after: datetime) -> datetime | None:
        """The next multiple of the interval."""
        interval_s = self.fleet.interval_s
        count = math.floor(after.timestamp() / interval_s + 1e-9) + 1
        return datetime.fromtimestamp(round(count * interval_s, 6), UTC)

    def observations(self, at: datetime) -> Sequence[Observation]:
        """Of all plants that are not silent."""
        return self.fleet.observations(at)


class ReplayStream:
    """Recorded observations at their own times."""

    def __init__(self, recorded: Sequence[Observation]) -> None:
        self._moments = dict(by_moment(recorded))
        self._times = sorted(self._moments)

    @property
    def begin(self) -> datetime:
        """Just before the first recorded time."""
        return self._times[0] - timedelta(microseconds=1)

    def next_moment(self, after: datetime) -> datetime | None:
        """The next recorded time."""
        place = bisect.bisect_right(self._times, after)
        return self._times[place] if place < len(self._times) else None

    def observations(self, at: datetime) -> Sequence[Observation]:
        """What was recorded then."""
        return self._moments[at]


class StreamJob:
    """Tells all that happened since the cursor, up to the simulated now."""

    def __init__(
        self,
        name: str,
        stream: Stream,
        intake: Intake,
        lane: Lane,
        clock: SimulatedClock,
        *,
        gap_s: float | None = None,
        keep: Callable[[datetime], Awaitable[None]] | None = None,
    ) -> None:
        """`gap_s` is how much of a pause is made up for after a restart; `keep` is called with each moment."""
        self.name = name
        self._stream = stream
        self._intake = intake
        self._lane = lane
        self._clock = clock
        self._gap_s = gap_s
        self._keep = keep
        self._anchored = False

    async def run(self, run: Run) -> Outcome:
        """A run that is behind is cut off after a while, and asks for another."""
        cursor = self._resume(run.cursor, run.now)
        until = self._clock.at(run.now)
        begun_s = time.monotonic()
        while (at := self._stream.next_moment(cursor)) is not None and at <= until and run.may_go_on():
            if self._keep:
                await self._keep(at)
            await self._intake.submit(self._lane, self._stream.observations(at), max(at, run.now))
            cursor = at
            if time.monotonic() - begun_s > SLICE_S:
                return Outcome(cursor, run.state, again=True)
        return Outcome(cursor, run.state)

    def _resume(self, cursor: datetime | None, now: datetime) -> datetime:
        """Where to go on. A restarted process sets its clock by the cursor, unless that lies too far back."""
        if cursor is not None and self._anchored:
            return cursor
        clock = self._clock
        begin = cursor or clock.start
        if cursor is not None:
            if self._gap_s is not None:
                begin = max(begin, min(clock.at(now), now) - timedelta(seconds=self._gap_s))
            self._clock = SimulatedClock(begin, now, clock.speed, clock.end, clock.may_lead)
        self._anchored = True
        return begin


class LabelKeeper:
    """Writes the truth about the fleet's faults beside the stream, a blob for each Korean day."""

    def __init__(self, fleet: Fleet, folder: BlobFolder) -> None:
        self._fleet = fleet
        self._folder = folder
        self._written = -1

    async def keep(self, at: datetime) -> None:
        """Once for each day."""
        day = day_number(at.timestamp())
        if day == self._written:
            return
        labels = self._fleet.labels(at)
        lines = b"".join(msgspec.json.encode(label) + b"\n" for label in labels)
        date = datetime.fromtimestamp(day * 86_400, UTC)
        name = f"fleet-labels/{self._fleet.seed}-{len(self._fleet.plants)}/{date:%Y-%m-%d}.ndjson"
        await self._folder.put(name, lines, etag=ANY, content_type="application/x-ndjson")
        self._written = day
