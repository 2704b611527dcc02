"""From upload to thumbnail: photos dropped at once into a running thumbnailer on the local Azure.

    uv run python -m bench.photo_drop [--photos N] [--quick] [--json]

No event is raised for the photos, so the scan has to find them. A photo's time runs from the answer to its upload to
the moment that the hub tells of its thumbnails, which comes after they are written.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import psutil
from azure.eventhub import EventData
from azure.eventhub.aio import EventHubConsumerClient, PartitionContext
from azure.storage.blob.aio import ContainerClient
from PIL import Image

from bench import report
from heliograph import topology
from heliograph.contracts import Photo
from heliograph.wire import body_of, insights_codec
from local_azure.azurite import Azurite
from stack.layout import HOST, hub_connection
from stack.ports import free_ports
from stack.provision import provision

UPLOADERS: Final = 16
PHOTO_PX: Final = (1632, 1224)
LIMIT_S: Final = 900.0


@contextlib.asynccontextmanager
async def process(*arguments: str, log: Path, env: dict[str, str] | None = None) -> AsyncIterator[int]:
    """A Python module as a process, ended with the block; yields its process id."""
    with log.open("wb") as output:
        running = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *arguments, stdout=output, stderr=output, env=env
        )
        try:
            yield running.pid
        finally:
            running.terminate()
            await running.wait()


async def answers(port: int, path: str) -> None:
    """Waits until an HTTP server says 200."""
    async with asyncio.timeout(120):
        while b" 200 " not in await status_of(port, path):  # noqa: ASYNC110 - another process, no event to wait for
            await asyncio.sleep(0.2)


async def status_of(port: int, path: str) -> bytes:
    """The status line of an HTTP server; empty while it does not listen."""
    try:
        reader, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return b""
    writer.write(f"GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n".encode())
    status = await reader.readline()
    writer.close()
    return status


@contextlib.asynccontextmanager
async def stack(folder: Path) -> AsyncIterator[tuple[str, str, int]]:
    """Storage, hub and thumbnailer; yields the connection strings of the first two and the process of the third."""
    ports = free_ports(("eventhubs", "health", "thumbnailer"))
    port, health, http = ports.values()
    hub = hub_connection(ports)
    flags = [
        f"--port={port}",
        f"--health-port={health}",
        "--create=*",
        f"--create-partitions={topology.HUB_PARTITIONS}",
    ]
    async with (
        Azurite(folder / "azurite") as azurite,
        process("local_azure.eventhubs", f"--data={folder / 'hubs'}", *flags, log=folder / "hubs.log"),
    ):
        await answers(health, "/health")
        storage = azurite.connection_string
        await provision(storage)
        env = {
            **os.environ,
            "HELIOGRAPH_STORAGE_CONNECTION_STRING": storage,
            "HELIOGRAPH_EVENTHUB_CONNECTION_STRING": hub,
            "HELIOGRAPH_HTTP_HOST": HOST,
            "HELIOGRAPH_HTTP_PORT": str(http),
        }
        async with process("thumbnailer", log=folder / "thumbnailer.log", env=env) as pid:
            await answers(http, "/readyz")
            yield storage, hub, pid


def photo() -> bytes:
    """A JPEG of two megapixels with something to decode."""
    output = io.BytesIO()
    noise = Image.effect_noise((PHOTO_PX[0] // 4, PHOTO_PX[1] // 4), 60).resize(PHOTO_PX)
    Image.merge("RGB", (noise, noise.rotate(180), noise)).save(output, "JPEG", quality=85)
    return output.getvalue()


async def upload_all(storage: str, count: int, data: bytes) -> dict[str, float]:
    """Uploads so many photos as fast as it goes; when each was there."""
    uploaded: dict[str, float] = {}
    names = iter([f"plant-{at % 50}/{at}.jpg" for at in range(count)])

    async def work(container: ContainerClient) -> None:
        for name in names:
            await container.upload_blob(name, data)
            uploaded[name] = time.monotonic()

    client = ContainerClient.from_connection_string(storage, topology.UPLOADS)
    async with client as container, asyncio.TaskGroup() as tasks:
        for _ in range(UPLOADERS):
            tasks.create_task(work(container))
    return uploaded


async def watch(hub: str, count: int, told: dict[str, float]) -> None:
    """Notes when the hub tells of each photo's thumbnails, until all are there."""
    done = asyncio.Event()

    async def on_event(_context: PartitionContext, event: EventData | None) -> None:
        now = time.monotonic()
        for message in insights_codec.decode(body_of(event)).messages if event else ():
            if isinstance(message, Photo) and message.thumbnails:
                told.setdefault(message.blob, now)
        if len(told) >= count:
            done.set()

    client = EventHubConsumerClient.from_connection_string(hub, "$Default", eventhub_name=topology.INSIGHTS_HUB)
    async with client, asyncio.timeout(LIMIT_S):
        receiving = asyncio.create_task(client.receive(on_event, starting_position="-1"))
        await done.wait()
        receiving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await receiving


def cpu_s(pid: int) -> float:
    """CPU seconds that a process and its children have used."""
    root = psutil.Process(pid)
    return sum(sum(process.cpu_times()[:2]) for process in (root, *root.children(recursive=True)))


async def measure(count: int) -> dict[str, Any]:
    """The times of so many photos."""
    told: dict[str, float] = {}
    data = photo()
    with tempfile.TemporaryDirectory() as folder:
        async with stack(Path(folder)) as (storage, hub, pid), asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(watch(hub, count, told))
            cpu_before_s = cpu_s(pid)
            started = time.monotonic()
            uploaded = await upload_all(storage, count, data)
            upload_s = time.monotonic() - started
            await watching
            used_s = cpu_s(pid) - cpu_before_s
    delays = sorted(max(0.0, told[name] - at) for name, at in uploaded.items())
    detail = {
        "photos": count,
        "photo_bytes": len(data),
        "upload_s": round(upload_s, 1),
        "cpu_ms_per_photo": round(used_s / count * 1000, 1),
        "all_s": round(max(told.values()) - started, 1),
        "p50_s": round(statistics.median(delays), 2),
        "p99_s": round(delays[int(0.99 * (len(delays) - 1))], 2),
        "max_s": round(delays[-1], 2),
    }
    return {
        "bench": "photo_drop",
        "unit": "seconds from upload to thumbnails, 99 of 100",
        "ours": detail["p99_s"],
        "peers": {},
        "detail": detail,
    }


def main() -> None:
    """Reads the command line and prints the result."""
    parser = report.parser(__doc__, quick="50 photos")
    parser.add_argument("--photos", type=int, default=1000, help="how many are dropped at once")
    given = parser.parse_args()
    report.tell(asyncio.run(measure(50 if given.quick else given.photos)), as_json=given.json)


if __name__ == "__main__":
    main()
