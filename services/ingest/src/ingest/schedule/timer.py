"""Runs a job on its schedule, on one replica at a time.

    wait for the lease → read the status, raise its token → wait until due → run → write the status → wait …
                 ↑___________________ lease lost, or fenced by another's token ____________________|

Runs never overlap. An error in a run is counted, shown and forgotten: the schedule goes on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from heliograph.blobs import BlobFolder, FencedError
from heliograph.leases import BlobLease, LeaseLostError
from heliograph.stopping import grace
from heliograph.telemetry import log
from heliograph.tracing import sourcing
from ingest import metrics
from ingest.alarms import Alarms
from ingest.schedule.clock import Clock
from ingest.schedule.plan import Due, Schedule, first_due, following, jitter_s
from ingest.schedule.status import Status, StatusBlob

ALARM_FAILURES = 3
TRIGGERS = "triggers"
GRACE_S = 5.0
"""A run under way may take this long when the service stops: the larger part of the drain is for what waits to be
sent."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run, as the job sees it."""

    due: datetime
    now: datetime
    past_due: bool
    token: int
    cursor: datetime | None
    state: dict[str, str]
    may_go_on: Callable[[], bool]
    """False once the lease is lost or the service stops: then nothing more may be sent."""
    triggered: bool = False
    """Whether an operator asked for it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run leaves behind."""

    cursor: datetime | None
    state: dict[str, str]
    result: str = "ok"
    detail: str = ""
    again: bool = False
    """There is more to do at once."""


class Job(Protocol):
    """What a timer runs."""

    name: str

    async def run(self, run: Run) -> Outcome:
        """Raises whatever went wrong."""


class Timer:
    """The schedule of one job."""

    def __init__(
        self,
        job: Job,
        schedule: Schedule,
        *,
        folder: BlobFolder,
        lease: BlobLease,
        clock: Clock,
        alarms: Alarms,
        replica: str,
        most_jitter_s: float = 0.0,
        renew_s: float = 8.0,
    ) -> None:
        self.job = job
        self.schedule = schedule
        self.status = Status(source=job.name)
        self.enabled = asyncio.Event()
        self.enabled.set()
        self.running = False
        self._blob = StatusBlob(folder, job.name)
        self._folder = folder
        self._lease = lease
        self._clock = clock
        self._alarms = alarms
        self._replica = replica
        self._most_jitter_s = most_jitter_s
        self._renew_s = renew_s
        self._triggered = asyncio.Event()
        self._stopping = asyncio.Event()
        self._planned_by = f"{schedule.text} {schedule.zone}"
        self._longest_wait_s = schedule.longest_wait_s(clock.now())

    @property
    def owned(self) -> bool:
        """Whether this replica runs the schedule."""
        return self._lease.is_held

    async def run(self, stopping: asyncio.Event) -> None:
        """Until asked to stop; a run in progress has `GRACE_S` left."""
        self._stopping = stopping
        while not stopping.is_set():
            try:
                if await self._lease.try_acquire():
                    await self._own()
                    continue
            except* (LeaseLostError, FencedError) as group:
                log.warning("schedule lost", source=self.job.name, reason=str(group.exceptions[0]))
            except* Exception as group:
                error = group.exceptions[0]
                log.error("schedule store", source=self.job.name, error=f"{type(error).__name__}: {error}")
            await self._pause(self._renew_s)

    async def trigger(self) -> None:
        """Runs the job now, here or on the replica that owns it."""
        if self.owned:
            self._triggered.set()
            return
        await self._folder.put(f"{TRIGGERS}/{self.job.name}", b"", etag="*", content_type="text/plain")

    async def stored_status(self) -> Status:
        """As the owner, whoever that is, last wrote it."""
        return self.status if self.owned else await StatusBlob(self._folder, self.job.name).read()

    async def _own(self) -> None:
        metrics.OWNED.labels(self.job.name).set(1)
        try:
            async with asyncio.TaskGroup() as tasks:
                keeping = tasks.create_task(self._keep())
                try:
                    await self._turn()
                finally:
                    keeping.cancel()
        finally:
            metrics.OWNED.labels(self.job.name).set(0)
            self._alarms.set(self._subject, None)  # whoever owns it next tells whether it fails
            await self._lease.release()

    async def _keep(self) -> None:
        """Renews the lease, and looks for triggers that other replicas left."""
        while True:
            await asyncio.sleep(self._renew_s)
            await self._lease.renew()
            if await self._folder.get(f"{TRIGGERS}/{self.job.name}") is not None:
                await self._folder.delete(f"{TRIGGERS}/{self.job.name}")
                await self.trigger()

    async def _turn(self) -> None:
        status = await self._blob.read()
        due = first_due(self.schedule, status.next_due, status.schedule, self._clock.now())
        self.status = msgspec.structs.replace(
            status, token=status.token + 1, owner=self._replica, schedule=self._planned_by, next_due=due.at
        )
        await self._blob.write(self.status)
        self._measure()
        log.info("schedule owned", source=self.job.name, schedule=self.schedule.text, token=self.status.token)
        while not self._stopping.is_set():
            triggered = await self._wait(due.at)
            if self._stopping.is_set() or not self._lease.is_held:
                return
            if not self.enabled.is_set():
                due = Due(self.schedule.next_after(self._clock.now()), past_due=False)
                continue
            due = await self._run_once(due, triggered=triggered)

    async def _wait(self, due: datetime) -> bool:
        """Until due, with jitter; true if somebody triggered it before."""
        start = due + timedelta(seconds=jitter_s(self.job.name, due, self._most_jitter_s))
        await self._clock.wait(start, self._stopping, self._triggered)
        triggered = self._triggered.is_set()
        self._triggered.clear()
        return triggered

    async def _run_once(self, due: Due, *, triggered: bool) -> Due:
        """Runs the job and returns what is due next. A triggered run leaves the plan as it is."""
        started = self._clock.now()
        at = started if triggered and started < due.at else due.at
        begun_s = time.monotonic()
        outcome = await self._outcome(at, started, past_due=due.past_due, triggered=triggered)
        ended = self._clock.now()
        next_due = self._next_due(due, at, (started, ended), again=outcome.again)
        result = "past-due" if due.past_due and outcome.result == "ok" else outcome.result
        metrics.RUNS.labels(self.job.name, result).inc()
        metrics.RUN_SECONDS.labels(self.job.name).observe(time.monotonic() - begun_s)
        failures, last_error = self._failures_after(outcome)
        self._alarms.set(self._subject, last_error if failures >= ALARM_FAILURES else None)
        went_well = outcome.result in ("ok", "paced") and not failures
        self.status = msgspec.structs.replace(
            self.status,
            schedule=self._planned_by,
            last_due=at,
            last_start=started,
            last_end=ended,
            last_success=ended if went_well else self.status.last_success,
            last_result=outcome.result,
            last_error=last_error,
            past_due=due.past_due,
            next_due=next_due.at,
            runs=self.status.runs + 1,
            failures=failures,
            cursor=outcome.cursor,
            state=outcome.state,
        )
        await self._blob.write(self.status)
        self._measure()
        return next_due

    def _failures_after(self, outcome: Outcome) -> tuple[int, str]:
        """Failures in a row, and the last of them. A run that is left out changes neither."""
        if outcome.result in ("paced", "stopped"):
            return self.status.failures, self.status.last_error
        if outcome.result == "error":
            return self.status.failures + 1, outcome.detail
        return 0, "" if outcome.result == "ok" else outcome.detail

    @property
    def _subject(self) -> str:
        return f"source {self.job.name}"

    def _measure(self) -> None:
        """What an alert needs to tell a source that is late from one that is rarely due."""
        metrics.SCHEDULE_INTERVAL.labels(self.job.name).set(self._longest_wait_s)
        if self.status.last_success:
            metrics.LAST_SUCCESS.labels(self.job.name).set(self.status.last_success.timestamp())

    def _next_due(self, due: Due, at: datetime, span: tuple[datetime, datetime], *, again: bool) -> Due:
        started, ended = span
        if again:
            return Due(ended, past_due=False)
        if at < due.at:
            return due
        # a catch-up stands for all that was missed until it began
        return following(self.schedule, max(due.at, started) if due.past_due else due.at, ended)

    async def _outcome(self, due: datetime, now: datetime, *, past_due: bool, triggered: bool) -> Outcome:
        run = Run(
            due=due,
            now=now,
            past_due=past_due,
            token=self.status.token,
            cursor=self.status.cursor,
            state=dict(self.status.state),
            may_go_on=self._may_go_on,
            triggered=triggered,
        )
        self.running = True
        try:
            with sourcing(f"run {self.job.name}"):
                async with grace(self._stopping, GRACE_S) as limit:
                    return await self.job.run(run)
        except (LeaseLostError, FencedError):
            raise
        except TimeoutError as error:
            if not limit.expired():
                return self._failed(run, error)
            log.warning("run cut off by the shutdown", source=self.job.name, due=due.isoformat())
            return Outcome(self.status.cursor, self.status.state, "stopped")
        except Exception as error:
            return self._failed(run, error)
        finally:
            self.running = False

    def _failed(self, run: Run, error: Exception) -> Outcome:
        detail = f"{type(error).__name__}: {error}"
        log.error("run failed", source=self.job.name, due=run.due.isoformat(), error=detail)
        return Outcome(self.status.cursor, self.status.state, "error", detail)

    def _may_go_on(self) -> bool:
        return self._lease.is_held and not self._stopping.is_set() and self.enabled.is_set()

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return
