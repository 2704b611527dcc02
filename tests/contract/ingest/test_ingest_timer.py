"""Schedules among replicas, on real blob leases."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from azure.storage.blob.aio import BlobLeaseClient, BlobServiceClient
from prometheus_client import REGISTRY

from heliograph import topology
from heliograph.blobs import BlobFolder
from heliograph.leases import BlobLease
from ingest.alarms import Alarms
from ingest.schedule.clock import Clock
from ingest.schedule.plan import parse_schedule
from ingest.schedule.status import StatusBlob
from ingest.schedule.timer import Outcome, Run, Timer

START = datetime(2026, 6, 21, 3, 1, tzinfo=UTC)
pytestmark = pytest.mark.timeout(150)


class Diary:
    """A job that writes down its runs, and fails when it is told to."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.runs: list[tuple[str, Run]] = []
        self.failing = False
        self.stalling = False
        self.result = "ok"

    def of(self, replica: str) -> _Copy:
        return _Copy(self, replica)


class _Copy:
    """The job as one replica has it."""

    def __init__(self, diary: Diary, replica: str) -> None:
        self.name = diary.name
        self._diary = diary
        self._replica = replica

    async def run(self, run: Run) -> Outcome:
        self._diary.runs.append((self._replica, run))
        if self._diary.failing:
            raise RuntimeError("told to fail")
        if self._diary.stalling:
            await asyncio.Event().wait()
        return Outcome(run.due, run.state, self._diary.result)


def timer(client: BlobServiceClient, diary: Diary, replica: str, clock: Clock, text: str = "every 5m") -> Timer:
    return Timer(
        diary.of(replica),
        parse_schedule(text),
        folder=BlobFolder(client, topology.SCHEDULES),
        lease=BlobLease(client, topology.SCHEDULES, f"locks/{diary.name}", duration_s=15),
        clock=clock,
        alarms=Alarms(),
        replica=replica,
        renew_s=0.1,
    )


async def until(condition, timeout_s: float = 60.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.02)


async def test_two_replicas_run_each_schedule_exactly_once(azurite: str):
    """Over an hour of simulated time, with a handover at half-time, no due time of a schedule runs twice, and none is
    left out but what one run marked past due has caught up with."""
    diaries = [Diary(f"once-{uuid.uuid4().hex[:8]}") for _ in range(2)]
    clock = Clock(speed=600, start=START)
    stops = {"a": asyncio.Event(), "b": asyncio.Event()}
    async with BlobServiceClient.from_connection_string(azurite) as client, asyncio.TaskGroup() as tasks:
        for replica, stop in stops.items():
            timers = [timer(client, diary, replica, clock) for diary in diaries]
            for one in timers:
                tasks.create_task(one.run(stop))
            if replica == "a":
                await until(lambda timers=timers: all(one.status.token for one in timers))
        await until(lambda: all(len(diary.runs) >= 6 for diary in diaries))
        stops["a"].set()
        await until(lambda: all(len(diary.runs) >= 12 for diary in diaries))
        stops["b"].set()
    for diary in diaries:
        runs = [run for _, run in diary.runs]
        for earlier, later in pairwise(runs):
            missed = (later.due - earlier.due) // timedelta(minutes=5) - 1
            assert missed == 0 or (missed > 0 and (earlier.past_due or later.past_due))
        assert [replica for replica, _ in diary.runs] == sorted(replica for replica, _ in diary.runs)
        assert {replica for replica, _ in diary.runs} == {"a", "b"}
        tokens = [run.token for _, run in diary.runs]
        assert tokens == sorted(tokens)


async def test_one_catch_up_is_marked_past_due_and_an_error_stops_nothing(azurite: str):
    """After a pause of hours one run is past due; a failing job goes on being run, raises an alarm and clears it,
    though not because runs are left out."""
    diary = Diary(f"late-{uuid.uuid4().hex[:8]}")
    stop = asyncio.Event()
    async with BlobServiceClient.from_connection_string(azurite) as client:
        blob = StatusBlob(BlobFolder(client, topology.SCHEDULES), diary.name)
        status = await blob.read()
        await blob.write(type(status)(source=diary.name, schedule="every 10s UTC", next_due=START - timedelta(hours=3)))
        one = timer(client, diary, "a", Clock(speed=30, start=START), "every 10s")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(one.run(stop))
            await until(lambda: len(diary.runs) >= 2)
            diary.failing = True
            await until(lambda: one.status.failures >= 3)
            assert list(one._alarms.standing) == [f"source {diary.name}"]
            assert "told to fail" in one.status.last_error
            well, failed, seen = one.status.last_success, one.status.failures, len(diary.runs)
            diary.failing, diary.result = False, "paced"
            await until(lambda: len(diary.runs) >= seen + 3)
            assert one.status.failures - failed <= 1, "a run that is left out is no failure, and none that went well"
            assert one.status.last_success == well
            assert "told to fail" in one._alarms.standing[f"source {diary.name}"]
            diary.result = "ok"
            await until(lambda: one.status.failures == 0)
            assert one._alarms.standing == {}
            diary.failing = True
            await until(lambda: one.status.failures >= 3)
            stop.set()
        assert one._alarms.standing == {}, "who owns it next tells whether it fails"
        assert (await blob.read()).runs == len(diary.runs)
    assert diary.runs[0][1].past_due
    assert diary.runs[0][1].due == START - timedelta(hours=3)
    assert diary.runs[1][1].due > START


async def test_a_run_that_stalls_is_cut_off_by_the_shutdown(azurite: str, monkeypatch: pytest.MonkeyPatch):
    """A provider that does not answer keeps no lease and no drain; the cursor stays, and it counts as no failure."""
    monkeypatch.setattr("ingest.schedule.timer.GRACE_S", 0.2)
    diary, stop = Diary(f"stall-{uuid.uuid4().hex[:8]}"), asyncio.Event()
    async with BlobServiceClient.from_connection_string(azurite) as client:
        one = timer(client, diary, "a", Clock(speed=60, start=START), "every 10s")
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            tasks.create_task(one.run(stop))
            await until(lambda: one.status.runs >= 2)
            diary.stalling = True
            seen = len(diary.runs)
            await until(lambda: len(diary.runs) > seen)
            cursor = one.status.cursor
            stop.set()
        status = await StatusBlob(BlobFolder(client, topology.SCHEDULES), diary.name).read()
        assert await BlobLease(client, topology.SCHEDULES, f"locks/{diary.name}", duration_s=15).try_acquire()
    assert (status.last_result, status.failures, status.cursor) == ("stopped", 0, cursor)


async def test_a_new_owner_tells_when_the_last_run_went_well(azurite: str):
    """After a restart, before any run, the metrics say when the source was last read and how long it may be silent."""
    diary, stop = Diary(f"told-{uuid.uuid4().hex[:8]}"), asyncio.Event()
    async with BlobServiceClient.from_connection_string(azurite) as client:
        blob = StatusBlob(BlobFolder(client, topology.SCHEDULES), diary.name)
        await blob.write(type(await blob.read())(source=diary.name, last_success=START - timedelta(hours=9)))
        one = timer(client, diary, "a", Clock(speed=1, start=START), "15 6 * * *")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(one.run(stop))
            await until(lambda: one.status.token > 0)
            stop.set()
    assert diary.runs == []
    assert sample("heliograph_ingest_last_success_timestamp_seconds", diary.name) == START.timestamp() - 9 * 3600
    assert sample("heliograph_ingest_schedule_interval_seconds", diary.name) == 86400


def sample(metric: str, source: str) -> float | None:
    return REGISTRY.get_sample_value(metric, {"source": source})


async def test_a_former_owner_is_fenced(azurite: str):
    """Once its lease is broken and another has raised the token, the first one's run is void and it stops running."""
    diary = Diary(f"fence-{uuid.uuid4().hex[:8]}")
    stops = asyncio.Event(), asyncio.Event()
    clock = Clock(speed=1, start=START)
    async with BlobServiceClient.from_connection_string(azurite) as client, asyncio.TaskGroup() as tasks:
        first = timer(client, diary, "first", clock, "every 1s")
        first._renew_s = 60  # it does not notice by itself
        tasks.create_task(first.run(stops[0]))
        await until(lambda: len(diary.runs) >= 1)
        await BlobLeaseClient(client.get_blob_client(topology.SCHEDULES, f"locks/{diary.name}")).break_lease(0)
        second = timer(client, diary, "second", clock, "every 1s")
        tasks.create_task(second.run(stops[1]))
        await until(lambda: second.status.runs > first.status.runs)
        await until(lambda: not first.owned)
        seen = len(diary.runs)
        await until(lambda: len(diary.runs) >= seen + 2)
        assert {replica for replica, _ in diary.runs[seen:]} == {"second"}
        assert second.status.token > first.status.token
        for stop in stops:
            stop.set()


async def test_a_trigger_at_any_replica_runs_the_job_at_its_owner(azurite: str):
    """An operator's trigger goes to the replica that holds the lease, and leaves the plan as it is."""
    diary = Diary(f"trigger-{uuid.uuid4().hex[:8]}")
    stop = asyncio.Event()
    clock = Clock(speed=1, start=START)
    async with BlobServiceClient.from_connection_string(azurite) as client, asyncio.TaskGroup() as tasks:
        owner = timer(client, diary, "owner", clock, "every 2h")
        other = timer(client, diary, "other", clock, "every 2h")
        tasks.create_task(owner.run(stop))
        await until(lambda: owner.status.token == 1)
        await other.trigger()
        await until(lambda: owner.status.runs == 1)
        stop.set()
    [(replica, run)] = diary.runs
    assert (replica, run.triggered, run.past_due) == ("owner", True, False)
    assert owner.status.next_due == datetime(2026, 6, 21, 4, tzinfo=UTC)
