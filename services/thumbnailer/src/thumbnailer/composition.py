"""Wires queue, scan, sandbox and stores together."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from heliograph.blobs import BlobFolder, open_blobs, open_queues
from heliograph.concurrency import open_slots
from heliograph.health import Probe
from heliograph.hub import open_sender
from heliograph.topology import (
    INSIGHTS_HUB,
    POISON_SUFFIX,
    RECEIPTS,
    SNAPSHOTS,
    THUMBNAILS,
    UPLOADS,
    UPLOADS_QUEUE,
)
from thumbnailer.comparison import Patience
from thumbnailer.cursor import ScanCursor
from thumbnailer.photos import recipe_digest
from thumbnailer.queue import WorkQueue
from thumbnailer.receipts import Receipts
from thumbnailer.reconcile import Reconciler
from thumbnailer.sandbox import Sandbox
from thumbnailer.scan import Scan
from thumbnailer.settings import ThumbnailerSettings
from thumbnailer.trigger import Trigger, TriggerSettings
from thumbnailer.uploads import Listing, Uploads

SERVICE = "thumbnailer"


@dataclass(frozen=True, slots=True)
class Places:
    """The names of what the thumbnailer reads and writes."""

    uploads: str = UPLOADS
    thumbnails: str = THUMBNAILS
    receipts: str = RECEIPTS
    snapshots: str = SNAPSHOTS
    queue: str = UPLOADS_QUEUE
    hub: str = INSIGHTS_HUB


@dataclass(frozen=True, slots=True)
class Thumbnailer:
    """The parts that run, and the probes that tell whether they can work."""

    trigger: Trigger
    scan: Scan
    probes: Mapping[str, Probe]


@asynccontextmanager
async def open_thumbnailer(
    settings: ThumbnailerSettings, places: Places | None = None, *, holder: str = ""
) -> AsyncIterator[Thumbnailer]:
    """All parts of the thumbnailer, open until the block ends. `holder` names this replica to the others."""
    places = places or Places()
    recipe = settings.recipe()
    async with AsyncExitStack() as stack:
        blobs = await stack.enter_async_context(open_blobs(settings))
        queues = await stack.enter_async_context(open_queues(settings))
        insights = await stack.enter_async_context(open_sender(settings, places.hub))
        sandbox = await stack.enter_async_context(Sandbox(recipe, settings.sandbox()))
        queue = WorkQueue(queues.get_queue_client(places.queue), queues.get_queue_client(places.queue + POISON_SUFFIX))
        uploads = Uploads(blobs, places.uploads)
        thumbnails = BlobFolder(blobs, places.thumbnails)
        filed = BlobFolder(blobs, places.receipts)
        receipts = Receipts(filed, SERVICE)
        snapshots = BlobFolder(blobs, places.snapshots)
        slots = await stack.enter_async_context(open_slots(settings.concurrency, SERVICE, snapshots))
        reconciler = Reconciler(
            uploads=uploads,
            thumbnails=thumbnails,
            receipts=receipts,
            insights=insights,
            sandbox=sandbox,
            recipe=recipe,
            max_age_s=settings.thumbnail_max_age_s,
            photos_in_memory=2 * settings.sandbox_workers,
        )
        nudged = asyncio.Event()
        scan = Scan(
            uploads=Listing(blobs, places.uploads, settings.scan_page),
            filed=Listing(blobs, places.receipts, settings.scan_page),
            receipts=receipts,
            cursor=ScanCursor(snapshots, holder or f"{socket.gethostname()}-{os.getpid()}"),
            queue=queue,
            patience=Patience(recipe_digest(recipe), settings.scan_grace_s, settings.scan_requeue_s),
            nudged=nudged,
        )
        trigger = Trigger(
            queue=queue,
            reconciler=reconciler,
            replay=scan.replay,
            slots=slots,
            nudged=nudged,
            settings=TriggerSettings(
                places.uploads, settings.trigger_tries, settings.trigger_visibility_s, settings.trigger_poll_s
            ),
        )
        probes: dict[str, Probe] = {
            f"queue {places.queue}": queue.probe,
            f"container {places.uploads}": uploads.probe,
            f"container {places.thumbnails}": thumbnails.probe,
            f"container {places.receipts}": filed.probe,
            f"container {places.snapshots}": snapshots.probe,
            f"hub {places.hub}": insights.probe,
            "worker process": sandbox.probe,
        }
        yield Thumbnailer(trigger, scan, probes)
