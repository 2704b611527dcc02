"""The scan that finds what events missed, against real storage."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from azure.storage.blob import ContainerClient
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from heliograph.blobs import ANY, BlobFolder, FencedError, open_blobs
from thumbnailer.cursor import CURSOR_BLOB, Place, ScanCursor
from thumbnailer.events import Replay, parse_events
from thumbnailer.receipts import Receipt
from thumbnailer.replay import replay_routes

pytestmark = pytest.mark.timeout(120)

NEVER = asyncio.Event()


def queued(bench) -> list[tuple[str, str]]:
    """Kind of event and name of photo of all messages in the queue, which is emptied."""
    found = []
    while batch := list(bench.queue.receive_messages(messages_per_page=32, max_messages=32)):
        for message in batch:
            event = json.loads(message.content)
            found.append((event["eventType"].rsplit(".")[-1], event["subject"].split("/blobs/")[1]))
            bench.queue.delete_message(message)
    return sorted(found)


def receipts(bench) -> dict[str, Receipt]:
    return {
        name.removeprefix("thumbnailer/"): msgspec.json.decode(
            bench.receipts.download_blob(name).readall(), type=Receipt
        )
        for name in bench.receipts.list_blob_names()
    }


async def test_photos_without_events_are_found_within_seconds(bench, photo, wait):
    """With no event at all, uploaded photos get thumbnails, overwritten ones new ones, and deleted ones lose theirs."""

    def renewed() -> bool:
        names = set(bench.names())  # looked at once: between two looks the old ones may go
        return len(names) == 6 and len(names - before) == 2

    async with bench.running(scanning=True):
        for at in range(3):
            bench.uploads.upload_blob(f"p1/{at}.jpg", photo())
        await wait(lambda: len(bench.names()) == 6, "all thumbnails")
        before = set(bench.names())
        bench.uploads.upload_blob("p1/0.jpg", photo("red"), overwrite=True)
        await wait(renewed, "new thumbnails")
        bench.uploads.delete_blob("p1/1.jpg")
        await wait(lambda: len(bench.names()) == 4, "thumbnails removed")


async def test_a_photo_is_queued_once(bench, photo):
    """The receipt says that a photo is queued, so the next scan leaves it alone until its patience is over."""
    bench.uploads.upload_blob("p1/a.jpg", photo())
    async with bench.opened(scan_requeue_s=600) as thumbnailer:
        assert await thumbnailer.scan.once(NEVER) == 1
        assert await thumbnailer.scan.once(NEVER) == 0
    assert queued(bench) == [("BlobCreated", "p1/a.jpg")]
    assert receipts(bench)["p1/a.jpg"].state == "queued"
    async with bench.opened(scan_requeue_s=0.001) as thumbnailer:
        assert await thumbnailer.scan.once(NEVER) == 1


async def test_a_poisoned_photo_is_not_found_again(bench, photo, wait):
    """A photo that can't be read is settled until it changes or an operator replays it."""
    bench.uploads.upload_blob("p1/bad.jpg", b"nonsense")
    async with bench.running(scanning=True):
        await wait(lambda: bench.poison.get_queue_properties().approximate_message_count == 1, "poisoned")
    async with bench.opened() as thumbnailer:
        assert await thumbnailer.scan.once(NEVER) == 0
        await thumbnailer.scan.replay(Replay("p1/"))
    assert queued(bench) == [("BlobCreated", "p1/bad.jpg")]


async def test_a_prefix_is_replayed_on_demand(bench, photo, wait):
    """A message asks for the photos of a prefix again, done or not, and page by page they are made again."""
    async with bench.running(scanning=True, scan_page=1):
        for name in ("p1/a.jpg", "p1/b.jpg", "p2/a.jpg"):
            bench.uploads.upload_blob(name, photo())
        await wait(lambda: len(bench.names()) == 6, "all made")
        await wait(lambda: {receipt.state for receipt in receipts(bench).values()} == {"done"}, "all filed")
        before = {blob.name: blob.etag for blob in bench.thumbnails.list_blobs()}
        bench.queue.send_message('{"Replay": "p1/"}')
        await wait(
            lambda: sum(before[blob.name] != blob.etag for blob in bench.thumbnails.list_blobs()) == 4, "four rewritten"
        )
    assert {blob.name for blob in bench.thumbnails.list_blobs()} == set(before)


async def test_a_replay_may_be_asked_for_over_http(bench):
    """`POST /replay?prefix=P` puts the wish into the queue; one for no prefix at all is refused."""
    app = FastAPI()
    async with bench.opened() as thumbnailer:
        app.include_router(replay_routes(thumbnailer.scan))
        async with AsyncClient(transport=ASGITransport(app), base_url="http://thumbnailer") as client:
            assert (await client.post("/replay", params={"prefix": "p1/"})).status_code == 202
            assert (await client.post("/replay", params={"prefix": ""})).status_code == 422
    (message,) = bench.queue.receive_messages()
    assert parse_events(message.content) == [Replay("p1/")]


async def test_another_recipe_makes_all_thumbnails_anew(bench, photo, wait):
    """When presets change, the scan finds every photo, and the old thumbnails go."""
    bench.uploads.upload_blob("p1/a.jpg", photo())
    async with bench.running(scanning=True):
        await wait(lambda: len(bench.names()) == 2, "made")
    async with bench.running(scanning=True, thumbnail_presets="icon=16x16:cover:png"):
        await wait(lambda: [name.rsplit("/")[-1] for name in bench.names()] == ["icon.png"], "made anew")


async def test_a_fresh_photo_is_left_to_its_event(bench, photo):
    """Where events are raised, the scan waits for as long as they may take."""
    bench.uploads.upload_blob("p1/a.jpg", photo())
    async with bench.opened(scan_grace_s=3600) as thumbnailer:
        assert await thumbnailer.scan.once(NEVER) == 0


async def test_a_scan_goes_on_where_it_stopped(bench, photo):
    """Stopped on the way, the scan notes its place in both listings; the next one does not begin again."""
    for at in range(9):
        bench.uploads.upload_blob(f"p1/{at}.jpg", photo())
    stopping = asyncio.Event()
    async with bench.opened(scan_page=2) as thumbnailer:
        stopping.set()
        assert await thumbnailer.scan.once(stopping) == 1
    assert queued(bench) == [("BlobCreated", "p1/0.jpg")]
    held = json.loads(bench_cursor(bench))
    assert held["place"]["after"] == "p1/0.jpg"
    bench.uploads.upload_blob("p0/before.jpg", photo())
    async with bench.opened(scan_page=2) as thumbnailer:
        assert await thumbnailer.scan.once(NEVER) == 8
        assert ("BlobCreated", "p0/before.jpg") not in queued(bench)
        assert await thumbnailer.scan.once(NEVER) == 1
    assert queued(bench) == [("BlobCreated", "p0/before.jpg")]


def bench_cursor(bench) -> bytes:
    with ContainerClient.from_connection_string(bench.storage, bench.places.snapshots) as container:
        return container.download_blob(CURSOR_BLOB).readall()


async def test_a_name_too_long_for_a_receipt_stops_no_scan(bench, photo):
    """Storage would take no receipt of such a name, so the scan passes it over and finds the others."""
    bench.uploads.upload_blob("p1/" + "a" * 1017, photo())
    bench.uploads.upload_blob("p1/b.jpg", photo())
    async with bench.opened() as thumbnailer:
        assert await thumbnailer.scan.once(NEVER) == 1
    assert queued(bench) == [("BlobCreated", "p1/b.jpg")]


async def test_one_replica_scans(bench):
    """While one holds the scan the other does nothing; when it has released it, or has died, the other goes on."""
    now = datetime(2026, 11, 23, tzinfo=UTC)
    async with open_blobs(bench.settings()) as blobs:
        folder = BlobFolder(blobs, bench.places.snapshots)
        one = ScanCursor(folder, "one", now=lambda: now)
        two = ScanCursor(folder, "two", now=lambda: now)
        late = ScanCursor(folder, "late", now=lambda: now + timedelta(minutes=1))
        assert await one.claim() == Place()
        assert await two.claim() is None
        await one.note(Place(after="m"))
        await one.release()
        assert await two.claim() == Place(after="m")
        assert await late.claim() == Place(after="m")
        with pytest.raises(FencedError):
            await two.note(Place(after="n"))


async def test_a_scan_that_resumes_at_the_end_begins_anew(bench, photo):
    """A place behind the last name is left after one empty scan; the next one begins at the start."""
    bench.uploads.upload_blob("p1/a.jpg", photo())
    async with open_blobs(bench.settings()) as blobs:
        held = {"holder": "", "until": "2026-01-01T00:00:00Z", "place": {"after": "zzz"}}
        await BlobFolder(blobs, bench.places.snapshots).put(CURSOR_BLOB, json.dumps(held).encode(), etag=ANY)
    async with bench.opened() as thumbnailer:
        assert await thumbnailer.scan.once(NEVER) == 0
        assert await thumbnailer.scan.once(NEVER) == 1
