"""The thumbnailer's parts as they are wired in the service, against the local Azure, with places of each test's own."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from uuid import uuid4

import pytest
from azure.eventhub.aio import EventHubConsumerClient
from azure.storage.blob import BlobServiceClient, ContainerClient
from azure.storage.queue import QueueClient, QueueServiceClient
from PIL import Image

from heliograph.contracts import Photo
from heliograph.topology import INSIGHTS_HUB
from heliograph.wire import body_of, insights_codec
from thumbnailer.composition import Places, Thumbnailer, open_thumbnailer
from thumbnailer.settings import ThumbnailerSettings


def jpeg(colour: str = "teal", size: tuple[int, int] = (64, 48), orientation: int | None = None) -> bytes:
    """A small photo of one colour."""
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    output = io.BytesIO()
    Image.new("RGB", size, colour).save(output, "JPEG", exif=exif)
    return output.getvalue()


@dataclass
class Bench:
    """A test's own containers and queues, and what it needs to open thumbnailers on them."""

    places: Places
    storage: str
    hub: str
    uploads: ContainerClient
    thumbnails: ContainerClient
    receipts: ContainerClient
    queue: QueueClient
    poison: QueueClient
    options: dict[str, object] = field(default_factory=dict)

    def settings(self, **options: object) -> ThumbnailerSettings:
        given = {"concurrency": "4", "sandbox_workers": 1, "scan_interval_s": 0.1, "trigger_poll_s": 0.2}
        return ThumbnailerSettings.model_validate(
            {
                "storage_connection_string": self.storage,
                "eventhub_connection_string": self.hub,
                **given,
                **options,
            }
        )

    @contextlib.asynccontextmanager
    async def opened(self, holder: str = "one", **options: object) -> AsyncIterator[Thumbnailer]:
        """The parts of a replica, not yet running."""
        async with open_thumbnailer(self.settings(**options), self.places, holder=holder) as thumbnailer:
            yield thumbnailer

    @contextlib.asynccontextmanager
    async def running(self, *, scanning: bool = False, **options: object) -> AsyncIterator[Thumbnailer]:
        """A replica at work, drained at the end."""
        stopping = asyncio.Event()

        async def pause(seconds: float) -> bool:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), seconds)
            return stopping.is_set()

        async with self.opened(**options) as thumbnailer, asyncio.TaskGroup() as tasks:
            tasks.create_task(thumbnailer.trigger.run(stopping))
            if scanning:
                tasks.create_task(thumbnailer.scan.run(stopping, pause, 0.1))
            try:
                yield thumbnailer
            finally:
                stopping.set()

    def names(self) -> list[str]:
        """The thumbnails that there are."""
        return sorted(self.thumbnails.list_blob_names())


async def eventually(condition: Callable[[], bool], what: str, timeout_s: float = 90.0) -> None:
    """Waits until the stores show what they should."""
    async with asyncio.timeout(timeout_s):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.05)
    assert condition(), what


@pytest.fixture
def bench(azurite: str, broker: str) -> Iterator[Bench]:
    """Empty containers and queues under names that no other test has."""
    tag = uuid4().hex[:8]
    places = Places(
        uploads=f"uploads-{tag}",
        thumbnails=f"thumbnails-{tag}",
        receipts=f"receipts-{tag}",
        snapshots=f"snapshots-{tag}",
        queue=f"created-{tag}",
    )
    with (
        BlobServiceClient.from_connection_string(azurite) as blobs,
        QueueServiceClient.from_connection_string(azurite) as queues,
    ):
        containers = {
            name: blobs.create_container(name)
            for name in (places.uploads, places.thumbnails, places.receipts, places.snapshots)
        }
        queue, poison = queues.create_queue(places.queue), queues.create_queue(f"{places.queue}-poison")
        yield Bench(
            places,
            azurite,
            broker,
            containers[places.uploads],
            containers[places.thumbnails],
            containers[places.receipts],
            queue,
            poison,
        )


@pytest.fixture
def wait() -> Callable[..., Awaitable[None]]:
    """Waits for a condition on the stores."""
    return eventually


@pytest.fixture
def photo() -> Callable[..., bytes]:
    """Makes small photos."""
    return jpeg


@pytest.fixture
async def told(broker: str) -> AsyncIterator[Callable[[str, int], Awaitable[list[Photo]]]]:
    """Reads what the hub was told about a plant, until there are so many messages."""
    client = EventHubConsumerClient.from_connection_string(broker, "dashboard", eventhub_name=INSIGHTS_HUB)

    async def read(plant_id: str, count: int) -> list[Photo]:
        found: list[Photo] = []

        async def on_event(_context: object, event: object) -> None:
            if event is not None:
                messages = insights_codec.decode(body_of(event)).messages
                found.extend(m for m in messages if isinstance(m, Photo) and m.plant_id == plant_id)

        receiving = asyncio.create_task(client.receive(on_event, starting_position="-1"))
        try:
            async with asyncio.timeout(30):
                while len(found) < count:
                    await asyncio.sleep(0.05)
        finally:
            receiving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await receiving
        return found

    async with client:
        yield read
