"""Slots that are tuned, with their snapshot in real storage."""

from __future__ import annotations

from datetime import UTC, datetime

from heliograph.blobs import ANY, BlobFolder, open_blobs
from heliograph.concurrency import open_slots
from heliograph.concurrency.load import cores
from heliograph.concurrency.snapshot import SNAPSHOT_BLOB, encode_snapshot


async def test_dynamic_slots_begin_where_the_snapshot_left_off(bench):
    """What was learned before a restart is not learned again; without a snapshot the limit begins at one."""
    async with open_blobs(bench.settings()) as blobs:
        folder = BlobFolder(blobs, bench.places.snapshots)
        async with open_slots("dynamic", "work", folder) as slots:
            assert slots.limit == 1
        snapshot = encode_snapshot("work", 24, cores(), datetime.now(UTC))
        await folder.put(SNAPSHOT_BLOB.format(name="work"), snapshot, etag=ANY)
        async with open_slots("dynamic", "work", folder) as slots:
            assert slots.limit == 24


async def test_a_number_is_a_fixed_limit(bench):
    """A static limit is what the setting says, and no snapshot is read or written."""
    async with open_blobs(bench.settings()) as blobs:
        folder = BlobFolder(blobs, bench.places.snapshots)
        async with open_slots("7", "work", folder) as slots:
            assert slots.limit == 7
        assert [name async for name in folder.names()] == []
