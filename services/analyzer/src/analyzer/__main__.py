"""The analyzer: `python -m analyzer`. Its composition root."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from analyzer.settings import AnalyzerSettings
from analyzer.worker import Worker
from heliograph.blobs import BlobFolder, open_blobs
from heliograph.dead_letters import DeadLetters
from heliograph.hub import open_reader, open_sender
from heliograph.runtime import Service, run
from heliograph.sites import SiteBook
from heliograph.topology import CONSUMER_GROUPS, DEAD_LETTERS, INSIGHTS_HUB, READINGS_HUB, SITES, SNAPSHOTS

GROUP = CONSUMER_GROUPS[READINGS_HUB][0]


async def serve(service: Service[AnalyzerSettings]) -> None:
    """Runs until the service is asked to stop; then saves every partition."""
    settings = service.settings
    async with open_blobs(settings) as blobs, open_sender(settings, INSIGHTS_HUB) as sender:
        registry, snapshots = BlobFolder(blobs, SITES), BlobFolder(blobs, SNAPSHOTS)
        sites = SiteBook()
        await sites.refresh(registry)
        async with open_reader(settings, READINGS_HUB, GROUP) as reader, asyncio.TaskGroup() as tasks:
            for name, probe in (("readings", reader.probe), ("insights", sender.probe), ("snapshots", snapshots.probe)):
                service.readiness.add(name, probe)
            letters = DeadLetters(BlobFolder(blobs, DEAD_LETTERS), service.name)
            worker = Worker(settings, reader, sender, snapshots, letters, sites)
            watching = tasks.create_task(_watch_sites(service, sites, registry), name="sites")
            async with aclosing(reader.items(service.stopping)) as items:
                async for item in items:
                    await worker.handle(item)
            await worker.drain()
            watching.cancel()


async def _watch_sites(service: Service[AnalyzerSettings], sites: SiteBook, registry: BlobFolder) -> None:
    while not await service.pause(service.settings.sites_every_s):
        await sites.refresh(registry)


def main() -> None:
    """Runs the service."""
    run("analyzer", AnalyzerSettings, serve)


if __name__ == "__main__":
    main()
