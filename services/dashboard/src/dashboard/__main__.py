"""`python -m dashboard`: the live page and its API."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from dashboard.access import EntraGate
from dashboard.app import build_app
from dashboard.broadcast import Broadcast
from dashboard.feed import Feed
from dashboard.fleet import Fleet
from dashboard.freshness import Arrivals
from dashboard.history import History
from dashboard.pages import add_page
from dashboard.parts import Parts
from dashboard.settings import ZONE, DashboardSettings
from dashboard.store import Store
from dashboard.watch import Watch
from heliograph.blobs import BlobFolder, open_blobs
from heliograph.cosmos import open_cosmos
from heliograph.hub import open_sender
from heliograph.resilience import hasty
from heliograph.runtime import Service, run
from heliograph.settings import read_settings
from heliograph.sites import SiteBook
from heliograph.topology import INSIGHTS_HUB, SITES, THUMBNAILS, UPLOADS


async def serve(service: Service[DashboardSettings]) -> None:
    """Puts the parts together and works until the service is asked to stop."""
    settings = service.settings
    add_page(service.app)
    async with (
        open_blobs(settings) as blobs,
        open_cosmos(settings) as cosmos,
        open_sender(settings, INSIGHTS_HUB) as sender,
    ):
        fleet, broadcast, store = Fleet(), Broadcast(int(settings.events_buffer_mb * 1024 * 1024)), Store(cosmos)
        parts = Parts(
            settings=settings,
            fleet=fleet,
            sites=SiteBook(),
            broadcast=broadcast,
            feed=Feed(settings, fleet, broadcast, replay_s=settings.replay_s),
            store=store,
            history=History(store, cells=settings.cells, zone=ZONE),
            sender=sender,
            uploads=BlobFolder(blobs, UPLOADS, guard=hasty(f"blobs-{UPLOADS}")),
            thumbnails=BlobFolder(blobs, THUMBNAILS, guard=hasty(f"blobs-{THUMBNAILS}")),
            arrivals=Arrivals(watched_since=datetime.now(UTC)),
        )
        await work(service, parts, BlobFolder(blobs, SITES))


async def work(service: Service[DashboardSettings], parts: Parts, sites: BlobFolder) -> None:
    """Reads the live feed and looks after the rest until the service is asked to stop."""
    watch = Watch(parts, sites)
    service.readiness.add("hub insights", parts.feed.probe)
    service.readiness.add("cosmos", parts.store.probe)
    service.readiness.add("first look at the stores", watch.probe)
    service.app.state.parts = parts
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(parts.feed.run(), name="feed"), tasks.create_task(watch.run(), name="watch")]
        if isinstance(service.app.state.gate, EntraGate):
            running.append(tasks.create_task(service.app.state.gate.front.watch(), name="front"))
        await service.stopping.wait()
        parts.broadcast.close()
        for task in running:
            task.cancel()


def main() -> None:
    """Runs the service with settings from the environment."""
    app = build_app(read_settings(DashboardSettings))
    run("dashboard", DashboardSettings, serve, app=app)


if __name__ == "__main__":
    main()
