"""Opens slots with a fixed limit, or with one that is tuned for as long as they are open."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final

from prometheus_client import Gauge

from heliograph.blobs import ANY, BlobFolder
from heliograph.concurrency.load import LoadMeter, cores
from heliograph.concurrency.slots import Slots
from heliograph.concurrency.snapshot import SNAPSHOT_BLOB, encode_snapshot, learned_limit
from heliograph.concurrency.tuner import Tuner
from heliograph.resilience import is_transient
from heliograph.telemetry import log

DYNAMIC: Final = "dynamic"
CHECK_S: Final = 1.0
SNAPSHOT_S: Final = 10.0

LIMIT = Gauge("heliograph_concurrency_limit", "Pieces of work that may be in hand at once", ["name"])
TAKEN = Gauge("heliograph_concurrency_taken", "Pieces of work in hand", ["name"])


@asynccontextmanager
async def open_slots(limit: str, name: str, snapshots: BlobFolder) -> AsyncIterator[Slots]:
    """Slots under the name of a piece of work. `limit` is a number, or `dynamic` for one that follows the load and
    begins where the last snapshot in the folder left off."""
    if limit != DYNAMIC:
        slots = Slots(int(limit))
        LIMIT.labels(name).set(slots.limit)
        yield slots
        return
    meter, tuner = LoadMeter(), Tuner()
    await _restore(tuner, name, snapshots)
    slots = Slots(tuner.limit)
    async with asyncio.TaskGroup() as tasks:
        running = [
            tasks.create_task(meter.tick(), name=f"{name}-ticks"),
            tasks.create_task(_tune(slots, tuner, meter, name, snapshots), name=f"{name}-tuner"),
        ]
        yield slots
        for task in running:
            task.cancel()


async def _restore(tuner: Tuner, name: str, snapshots: BlobFolder) -> None:
    stored = await snapshots.get(SNAPSHOT_BLOB.format(name=name))
    learned = learned_limit(stored.data, name, cores()) if stored else None
    if learned is not None and tuner.restore(learned):
        log.info("concurrency restored", name=name, limit=tuner.limit)


async def _tune(slots: Slots, tuner: Tuner, meter: LoadMeter, name: str, snapshots: BlobFolder) -> None:
    saved, saved_at = tuner.limit, time.monotonic()
    while True:
        LIMIT.labels(name).set(tuner.limit)
        TAKEN.labels(name).set(slots.taken)
        await asyncio.sleep(CHECK_S)
        load, now = meter.read(), time.monotonic()
        if tuner.observe(now, healthy=load.healthy, was_full=slots.was_full):
            slots.limit = tuner.limit
            log.info("concurrency", name=name, limit=tuner.limit, cpu=round(load.cpu, 2), memory=round(load.memory, 2))
        if tuner.limit != saved and now - saved_at >= SNAPSHOT_S:
            saved, saved_at = tuner.limit, now
            await _save(name, tuner.limit, snapshots)


async def _save(name: str, limit: int, snapshots: BlobFolder) -> None:
    """A snapshot that can't be written is missed at the next start at most, and is no reason to stop work."""
    data = encode_snapshot(name, limit, cores(), datetime.now(UTC))
    try:
        await snapshots.put(SNAPSHOT_BLOB.format(name=name), data, etag=ANY, content_type="application/json")
    except Exception as error:
        if not is_transient(error):
            raise
        log.warning("concurrency snapshot not written", name=name, error=f"{type(error).__name__}: {error}")
