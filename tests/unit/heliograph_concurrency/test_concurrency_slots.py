"""Places for work in hand."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import UTC, datetime

import pytest

from heliograph.concurrency import Slots
from heliograph.concurrency.load import LoadMeter, cores, memory_bytes
from heliograph.concurrency.snapshot import encode_snapshot, learned_limit


async def test_no_more_is_taken_than_there_are_places():
    """A dispatcher waits while all places are taken, and goes on when one is given back."""
    slots = Slots(2)
    assert await slots.free() == 2
    with slots.take():
        with slots.take():
            assert slots.taken == 2
            waiting = asyncio.ensure_future(slots.free())
            await asyncio.sleep(0)
            assert not waiting.done()
        assert await waiting == 1
    assert slots.taken == 0


async def test_a_place_is_given_back_when_the_work_fails():
    """An error in the work does not cost a place."""
    slots = Slots(1)
    with pytest.raises(RuntimeError), slots.take():
        raise RuntimeError
    assert await slots.free() == 1


async def test_a_raised_limit_wakes_the_dispatcher_and_a_lowered_one_stops_no_work():
    """The limit may change while work is in hand."""
    slots = Slots(1)
    with slots.take():
        waiting = asyncio.ensure_future(slots.free())
        await asyncio.sleep(0)
        slots.limit = 3
        assert await waiting == 2
        with slots.take():
            slots.limit = 1
            assert slots.taken == 2


def test_being_full_is_remembered_until_the_limit_changes():
    """The tuner must know whether the limit was ever reached since it last changed it."""
    slots = Slots(1)
    with slots.take():
        pass
    assert slots.was_full
    slots.limit = 2
    assert not slots.was_full


def test_a_snapshot_is_scaled_by_cores():
    """What eight cores learned is halved on four; another name's snapshot, and nonsense, say nothing."""
    data = encode_snapshot("work", 40, 8, datetime(2026, 11, 23, tzinfo=UTC))
    assert b'"FunctionSnapshots":{"work":{"Concurrency":40}}' in data
    assert learned_limit(data, "work", 8) == 40
    assert learned_limit(data, "work", 4) == 20
    assert learned_limit(data, "other", 8) is None
    assert learned_limit(b"nonsense", "work", 8) is None


async def test_the_meter_sees_work_and_a_blocked_loop():
    """A second of computing on the event loop is seen as CPU and as missed ticks; a quiet one is healthy."""
    meter = LoadMeter()
    ticking = asyncio.create_task(meter.tick())
    try:
        await asyncio.sleep(0)
        until = time.thread_time() + 0.4
        while time.thread_time() < until:
            pass
        blocked = meter.read()
        assert blocked.missed_ticks > 0.5
        assert not blocked.healthy
        assert blocked.cpu > 0
        assert 0 < blocked.memory < 1
    finally:
        ticking.cancel()


def test_the_process_has_cores_and_memory():
    """Cores and memory are those of the container where it has a bound, and never more than the machine's."""
    assert 0 < cores() <= (os.cpu_count() or 1)
    assert memory_bytes() > 2**20
