"""Roll-ups in a real Cosmos DB server stay equal to a fold of all windows."""

from __future__ import annotations

import asyncio
import random
import time

from prometheus_client import REGISTRY

from heliograph.rows import epoch_s
from heliograph.storage import HOUR_S, ROLLUPS, WINDOWS, cell_of
from sink.journal import Span
from sink.rollup import plant_rollups


async def expected_rollups(account) -> dict[str, dict]:
    """What a fold of all stored windows gives."""
    by_span: dict[Span, list] = {}
    for window in await account.windows():
        hour_s = int(epoch_s(window.window_start) // HOUR_S * HOUR_S)
        by_span.setdefault(Span(cell_of(window.plant_id, 32), "plants", hour_s), []).append(window)
    documents: dict[str, dict] = {}
    for span in sorted(by_span):
        documents |= {d["id"]: d for d in plant_rollups(span, by_span[span], documents)}
    return {name: whole_numbers(document) for name, document in documents.items()}


def whole_numbers(value):
    """As Cosmos gives numbers back: 5.0 as 5."""
    if isinstance(value, dict):
        return {name: whole_numbers(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [whole_numbers(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


async def marks(account) -> list[dict]:
    return await account.documents(WINDOWS.name, "c.span > 0")


async def test_a_rollup_covers_its_windows_and_takes_the_mark(account, make_plant) -> None:
    """After the roll-up the documents are those of a fold from scratch, and no mark is left."""
    sink = await account.replica()
    await sink.commit([make_plant(f"p{n % 5}", 60 * n, 10.0 * n) for n in range(120)])
    assert len(await marks(account)) > 0
    await sink.roll_up_all()
    assert await account.rollups() == await expected_rollups(account)
    assert await marks(account) == []


def rollups_written() -> float:
    return REGISTRY.get_sample_value("heliograph_sink_documents_total", {"container": ROLLUPS.name}) or 0.0


async def test_hours_that_share_documents_are_rolled_up_together(account, make_plant) -> None:
    """Catching up, four hours of a plant's day write its two documents once and lose no race against each other."""
    sink = await account.replica()
    await sink.commit([make_plant("p1", 600 * n, 10.0 * n) for n in range(24)])
    before = rollups_written()
    await sink.roll_up_all()
    assert rollups_written() - before == 2
    assert await account.rollups() == await expected_rollups(account)
    assert await marks(account) == []


async def test_corrections_after_the_rollup_are_rolled_up_again(account, make_plant) -> None:
    """A correction marks its hour anew, and the next roll-up holds it."""
    sink = await account.replica()
    await sink.commit([make_plant("p1", 10 * n, 100.0) for n in range(30)])
    await sink.roll_up_all()
    await sink.commit([make_plant("p1", 0, 999.5, revision=1)], 1, 1)
    assert len(await marks(account)) == 1
    await sink.roll_up_all()
    rollups = await account.rollups()
    assert rollups == await expected_rollups(account)
    assert rollups["plant-day:p1:2026-06-01"]["max_kw"] == 999.5


async def test_marks_of_a_replica_that_died_are_adopted(account, make_plant) -> None:
    """A replica that finds marks older than any living one leaves does their roll-ups; fresh marks it leaves alone."""
    dead, heir = await account.replica(), await account.replica()
    await dead.commit([make_plant("p1", 10 * n, 100.0) for n in range(30)])
    await heir.compactor.adopt_orphans(time.time() - 60)
    assert await account.documents(ROLLUPS.name) == []
    await heir.compactor.adopt_orphans(time.time() + 60)
    assert await account.rollups() == await expected_rollups(account)
    assert await marks(account) == []


async def test_a_span_of_two_writers_is_rolled_up_after_the_last(account, make_plant) -> None:
    """A replica that lost the partition rolls up what it wrote; the windows that its heir has written to the same hour
    since, and those that are still to come, are not forgotten with the mark."""
    former, heir = await account.replica(), await account.replica()
    await former.commit([make_plant("p1", 0, 100.0)], 0, 0)
    await heir.commit([make_plant("p1", 10, 200.0)], 1, 1)
    await former.roll_up_all()
    await heir.commit([make_plant("p1", 20, 300.0)], 2, 2)
    assert len(await marks(account)) == 1
    await heir.roll_up_all()
    assert await account.rollups() == await expected_rollups(account)
    assert await marks(account) == []


async def test_a_living_replica_rolls_up_what_it_wrote_after_its_mark_was_taken(account, make_plant) -> None:
    """A mark that another replica took for an orphan's does not cost the windows that were written after that."""
    slow, hasty = await account.replica(), await account.replica()
    await slow.commit([make_plant("p1", 0, 100.0)], 0, 0)
    await hasty.compactor.adopt_orphans(time.time() + 60)
    await slow.commit([make_plant("p1", 10, 900.0)], 1, 1)
    await slow.roll_up_all()
    assert await account.rollups() == await expected_rollups(account)


async def test_two_replicas_that_commit_and_roll_up_at_once(account, make_plant, rng: random.Random) -> None:
    """While two replicas commit the same and other windows and roll up at the same time, nothing stale remains."""
    replicas = [await account.replica() for _ in range(2)]

    async def work(replica, seed: int) -> None:
        own = random.Random(seed)
        for step in range(12):
            windows = [make_plant(f"p{n}", 10 * own.randrange(30), own.uniform(1, 9), step) for n in range(3)]
            await replica.commit(windows, step * 2 + seed % 2, step * 2 + seed % 2)
            await replica.roll_up_all()

    seed = rng.randrange(1000) * 2
    await asyncio.gather(work(replicas[0], seed), work(replicas[1], seed + 1))
    for replica in replicas:
        await replica.compactor.adopt_orphans(time.time() + 60)
    assert await account.rollups() == await expected_rollups(account)
    assert await marks(account) == []
