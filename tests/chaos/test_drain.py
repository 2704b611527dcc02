"""SIGTERM is a drain: every service ends by itself, in time and with code 0, although it is in the middle of work."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
from azure.storage.blob.aio import BlobServiceClient
from PIL import Image

from bench.storm.push import Pusher
from bench.storm.stack import Stack, plan_of, running
from bench.storm.world import World, now
from heliograph.topology import UPLOADS

DRAIN_S = 25.0
SERVICES = ("ingest", "analyzer", "sink", "thumbnailer", "dashboard")


@pytest.mark.timeout(300)
async def test_each_service_drains_with_work_in_flight(tmp_path: Path) -> None:
    """Under load, SIGTERM ends each service within 25 seconds with code 0, and the next one goes on."""
    world = World(5, 200, 600, now(), now())
    plan = plan_of(tmp_path, world, {}, {})
    async with running(plan) as stack:
        begun = time.monotonic()
        pushing = asyncio.create_task(
            Pusher(replace(world, begun=now()), [stack.url("ingest")]).run(begun), name="pushing"
        )
        await asyncio.sleep(10)
        await drop_photos(stack, 40)
        took_s = dict(zip(SERVICES, await asyncio.gather(*(drain(stack, one) for one in SERVICES)), strict=True))
        pushing.cancel()
        print(took_s)
        assert all(seconds < DRAIN_S for seconds in took_s.values()), took_s
        ends = [line for line in stack.lines if "ended with code" in line]
        assert sorted(line.partition(";")[0] for line in ends) == sorted(f"{one} ended with code 0" for one in SERVICES)


async def drain(stack: Stack, name: str) -> float:
    """Seconds from SIGTERM to the end."""
    os.kill(stack.pids[name], signal.SIGTERM)
    began_s = time.monotonic()
    while not any(line.startswith(f"{name} ended") for line in stack.lines):
        await asyncio.sleep(0.05)
        assert time.monotonic() - began_s < 2 * DRAIN_S, f"{name} does not end"
    return round(time.monotonic() - began_s, 2)


async def drop_photos(stack: Stack, count: int) -> None:
    out = io.BytesIO()
    Image.effect_noise((800, 600), 60).convert("RGB").save(out, "JPEG")
    async with BlobServiceClient.from_connection_string(stack.storage) as client:
        for number in range(count):
            await client.get_blob_client(UPLOADS, f"drained/{number}.jpg").upload_blob(out.getvalue())
