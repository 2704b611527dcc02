"""A provider at its worst, for an hour of simulated time."""

from __future__ import annotations

import asyncio
import gzip
import json
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from azure.storage.blob.aio import BlobServiceClient
from prometheus_client import REGISTRY

from heliograph import topology
from heliograph.blobs import BlobFolder
from heliograph.dead_letters import DeadLetters
from heliograph.leases import BlobLease
from heliograph.sites import Site
from ingest.alarms import Alarms
from ingest.fetching import Fetcher, source_guard
from ingest.intake import Intake, Lane
from ingest.outbox import Outbox
from ingest.packer import Packer
from ingest.polling import PollJob
from ingest.schedule.clock import Clock
from ingest.schedule.plan import parse_schedule
from ingest.schedule.timer import Timer
from ingest.sources.http_json import HttpJson
from ingest.sources.mapping import parse_mapping
from ingest.validation import Validator

START = datetime(2026, 6, 21, 3, 0, tzinfo=UTC)
TROUBLE = (START + timedelta(minutes=10), START + timedelta(minutes=48))
WORSE = START + timedelta(minutes=28)
"""From here on no answer has anything in it, so that run after run fails."""
END = START + timedelta(minutes=60)
SITE = Site(plant_id="p", name="P", region="KR-46", latitude=34.8, longitude=126.9, capacity_kw=1000)
pytestmark = pytest.mark.timeout(150)


def rows(since_s: float, now_s: float) -> list[dict[str, Any]]:
    """What the provider has measured: one value each minute."""
    minutes = range(int(since_s // 60) + 1, int(now_s // 60) + 1)
    return [{"plant": "p", "t": minute * 60, "p": 100 + minute % 100} for minute in minutes]


Fault = Callable[[asyncio.StreamWriter, bytes], Awaitable[None]]


async def answer(writer: asyncio.StreamWriter, body: bytes, status: str = "200 OK", length: int | None = None) -> None:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Length: {len(body) if length is None else length}\r\nConnection: close\r\n\r\n"
    )
    writer.write(head.encode() + body)
    await writer.drain()


async def stall(writer: asyncio.StreamWriter, body: bytes) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    await writer.drain()
    await asyncio.sleep(0.6)


async def cut(writer: asyncio.StreamWriter, body: bytes) -> None:
    await answer(writer, body[: len(body) // 2], length=len(body))


async def lie(writer: asyncio.StreamWriter, body: bytes) -> None:
    await answer(writer, body, length=max(1, len(body) - 7))


async def fail(writer: asyncio.StreamWriter, body: bytes) -> None:
    await answer(writer, b"oops", "500 Internal Server Error")


async def html(writer: asyncio.StreamWriter, body: bytes) -> None:
    await answer(writer, b"<!doctype html><html><body>Wartung</body></html>")


async def flood(writer: asyncio.StreamWriter, body: bytes) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 52428800\r\n\r\n")
    for _ in range(50):
        writer.write(b" " * 1_048_576)
        await writer.drain()


async def wrong_types(writer: asyncio.StreamWriter, body: bytes) -> None:
    spoilt = [row | {"p": ["a", "list"]} for row in json.loads(body)]
    await answer(writer, json.dumps(spoilt).encode())


async def wrong_shape(writer: asyncio.StreamWriter, body: bytes) -> None:
    await answer(writer, b'"maintenance"')


FAILING: tuple[Fault, ...] = (stall, cut, lie, fail, html, flood)
FAULTS: tuple[Fault, ...] = (*FAILING, wrong_types, wrong_shape)


async def play(clock: Clock, met: Counter[str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serves one call: well before and after the trouble, in the next of the bad ways within it."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        query = parse_qs(urlsplit(head.split(b" ")[1].decode()).query)
        body = json.dumps(rows(float(query["since"][0]), float(query["now"][0]))).encode()
        if TROUBLE[0] <= clock.now() < TROUBLE[1]:
            faults = FAILING if clock.now() >= WORSE and len(met) == len(FAULTS) else FAULTS
            fault = faults[met.total() % len(faults)]
            met[fault.__name__] += 1
            await fault(writer, body)
        else:
            await answer(writer, body)
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


def sent_minutes(outbox: Outbox) -> Counter[str]:
    """How often each moment is in the outbox."""
    found: Counter[str] = Counter()
    for _, record in outbox.peek(10**9):
        body = gzip.decompress(record.body) if record.body[:2] == b"\x1f\x8b" else record.body
        found.update(row["observed_at"] for row in json.loads(body))
    return found


async def test_an_hour_of_a_bad_server_loses_nothing_and_sends_nothing_twice(azurite: str, tmp_path: Path):
    """Stalls, cuts, wrong lengths, 500s, HTML, 50 MB, wrong types and shapes: every minute arrives exactly once, the
    alarm is raised and cleared, the breaker opens and closes."""
    name, met = uuid.uuid4().hex[:8], Counter[str]()
    clock = Clock(speed=240, start=START)
    server = await asyncio.start_server(lambda reader, writer: play(clock, met, reader, writer), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    mapping = {
        "name": name,
        "kind": "http-json",
        "url": f"http://127.0.0.1:{port}/power?since={{since_s}}&now={{now_s}}",
        "fields": {"plant_id": "plant", "observed_at": "t", "generation_kw": "p"},
        "time": {"format": "epoch_s", "interval_s": 60},
    }
    alarms, stop, packed = Alarms(), asyncio.Event(), asyncio.Event()
    raised, breaker = set(), set()
    async with (
        server,
        BlobServiceClient.from_connection_string(azurite) as blobs,
        httpx.AsyncClient(verify=False) as client,
    ):
        with Outbox(tmp_path, max_bytes=10**8) as outbox:
            packer = Packer(outbox, linger_s=0.001)
            letters = DeadLetters(BlobFolder(blobs, topology.DEAD_LETTERS), "ingest")
            source = HttpJson(parse_mapping(json.dumps(mapping).encode()))
            job = PollJob(
                source,
                Fetcher(
                    client, lambda container: BlobFolder(blobs, container), timeout_s=0.4, max_body_bytes=2_000_000
                ),
                source_guard(source.declaration.name, base_wait_s=0.01, breaker_ttl_s=0.3),
                intake=Intake({"p": SITE}.get, packer, letters, Validator(max_skew_s=10**9)),
                lane=Lane(name, memory=10_000),
            )
            timer = Timer(
                job,
                parse_schedule("every 1m"),
                folder=BlobFolder(blobs, topology.SCHEDULES),
                lease=BlobLease(blobs, topology.SCHEDULES, f"locks/{job.name}", duration_s=15),
                clock=clock,
                alarms=alarms,
                replica="a",
                renew_s=1,
            )
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(packer.run(packed))
                tasks.create_task(timer.run(stop))
                while clock.now() < END or timer.status.failures:
                    raised |= set(alarms.standing)
                    breaker.add(
                        REGISTRY.get_sample_value("heliograph_breaker_open", {"neighbour": f"source-{job.name}"})
                    )
                    await asyncio.sleep(0.02)
                stop.set()
                packed.set()
            found = sent_minutes(outbox)
    first = START - timedelta(hours=1)
    cursor = timer.status.cursor
    assert cursor is not None
    wanted = [first + timedelta(minutes=step) for step in range(1, int((cursor - first).total_seconds() // 60) + 1)]
    seen = sorted(datetime.fromisoformat(text) for text in found)
    assert cursor >= END - timedelta(minutes=5)
    assert seen[-1] == cursor
    assert seen == [moment for moment in wanted if moment >= seen[0]]
    assert seen[0] <= START
    assert set(found.values()) == {1}
    assert set(met) == {fault.__name__ for fault in FAULTS}
    assert (raised, alarms.standing) == ({f"source {job.name}"}, {})
    assert breaker >= {0.0, 1.0}
    assert REGISTRY.get_sample_value("heliograph_breaker_open", {"neighbour": f"source-{job.name}"}) == 0.0
