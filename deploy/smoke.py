"""Follows readings to their documents, the fleet to the page, and a photo to its thumbnails, through a stack that runs.

    docker compose exec -T sink python - NAME < deploy/smoke.py

It runs inside a container, where all others can be reached, and takes its settings from there. NAME becomes a plant's
and a photo's, so that each run looks for what it sent itself. Code 0 if everything arrived.
"""

from __future__ import annotations

import asyncio
import struct
import sys
import zlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import aiohttp
from azure.cosmos.aio import CosmosClient

from heliograph import rows, storage, topology, wire
from heliograph.contracts import Reading
from heliograph.hub import open_sender
from heliograph.settings import CosmosSettings, read_settings

READINGS, STEP_S, WINDOW_S = 60, 5, 10
PATIENCE_S = 180
PAGE = "http://dashboard:8080/api/v1/"


def readings_of(plant_id: str, now: datetime) -> list[Reading]:
    """Five minutes of readings that end now, each with a power of its own."""
    start = datetime.fromtimestamp(now.timestamp() // WINDOW_S * WINDOW_S, UTC) - timedelta(seconds=READINGS * STEP_S)
    return [
        Reading(
            v=1,
            plant_id=plant_id,
            source=plant_id,
            observed_at=start + timedelta(seconds=number * STEP_S),
            region="KR-46",
            capacity_kw=1000.0,
            generation_kw=100.0 + number,
        )
        for number in range(READINGS)
    ]


def expected_means(readings: list[Reading]) -> dict[datetime, float]:
    """Mean power of each window that is certainly over: all but the last."""
    powers: dict[datetime, list[float]] = {}
    for reading in readings:
        start = datetime.fromtimestamp(reading.observed_at.timestamp() // WINDOW_S * WINDOW_S, UTC)
        powers.setdefault(start, []).append(reading.generation_kw or 0.0)
    del powers[max(powers)]
    return {start: sum(values) / len(values) for start, values in powers.items()}


def picture() -> bytes:
    """A small PNG of one colour."""
    width, height = 64, 48
    pixels = zlib.compress((b"\0" + b"\x20\x80\xc0" * width) * height)
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


async def until(what: str, arrived: Callable[[], Awaitable[bool]]) -> None:
    """Waits for it, at most `PATIENCE_S`. Raises `TimeoutError` naming it."""
    started = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not await arrived():  # noqa: ASYNC110 - it arrives in another process
                await asyncio.sleep(0.5)
    except TimeoutError as error:
        raise TimeoutError(f"{what} did not arrive within {PATIENCE_S} s") from error
    sys.stdout.write(f"{what}: after {asyncio.get_running_loop().time() - started:.1f} s\n")


async def follow_readings(plant_id: str, settings: CosmosSettings) -> None:
    """Sends readings to the hub, and waits for exactly their windows in Cosmos DB."""
    readings = readings_of(plant_id, datetime.now(UTC))
    expected = expected_means(readings)
    async with open_sender(settings, topology.READINGS_HUB) as sender:
        await sender.send(topology.shard_of(plant_id), [wire.to_event(wire.encode(readings))])
    key = settings.cosmos_key.get_secret_value() if settings.cosmos_key else ""
    async with CosmosClient(settings.cosmos_endpoint, key, enable_endpoint_discovery=False) as cosmos:
        windows = cosmos.get_database_client(topology.DATABASE).get_container_client(storage.WINDOWS.name)

        async def arrived() -> bool:
            items = windows.query_items("SELECT * FROM c", partition_key=storage.cell_of(plant_id))
            found = rows.plant_windows([item async for item in items])
            means = {w.window_start: w.generation_kw.mean for w in found if w.plant_id == plant_id and w.generation_kw}
            return {start: mean for start, mean in means.items() if start in expected} == expected

        await until(f"{len(expected)} windows of {plant_id} in Cosmos DB", arrived)


async def follow_fleet(page: aiohttp.ClientSession) -> str:
    """Waits until the page has fresh data of each step from ingest to sink; the first plant on it."""

    async def is_fresh() -> bool:
        async with page.get("status") as answer:
            status = await answer.json()
        return not status["stale"] and all(service["ok"] for service in status["services"].values())

    await until("fresh data of the fleet on the page", is_fresh)
    async with page.get("plants") as answer:
        plants = await answer.json()
    return str(plants["rows"][0][plants["columns"].index("plant_id")])


async def follow_photo(page: aiohttp.ClientSession, plant_id: str, name: str) -> None:
    """Uploads a photo to the page, and waits until the page shows its thumbnails."""
    form = aiohttp.FormData()
    form.add_field("file", picture(), filename=f"{name}.png", content_type="image/png")
    async with page.post(f"plants/{plant_id}/photos", data=form) as answer:
        blob = (await answer.json())["blob"]

    async def arrived() -> bool:
        async with page.get(f"plants/{plant_id}/photos") as answer:
            photos = (await answer.json())["photos"]
        made = [each["blob"] for photo in photos if photo["blob"] == blob for each in photo["thumbnails"]]
        for thumbnail in made:
            async with page.get(f"thumbnails/{thumbnail}") as answer:
                if not answer.content_type.startswith("image/"):
                    return False
        return bool(made)

    await until(f"thumbnails of {blob} on the page", arrived)


async def main(name: str) -> None:
    """All three, one after the other."""
    await follow_readings(name, read_settings(CosmosSettings))
    # The header by which the page tells its own requests from another site's.
    async with aiohttp.ClientSession(PAGE, headers={"x-heliograph": "1"}, raise_for_status=True) as page:
        plant_id = await follow_fleet(page)
        await follow_photo(page, plant_id, name)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
