"""`python -m thumbnailer`: makes thumbnails of uploaded photos until told to stop."""

from __future__ import annotations

import asyncio
from typing import Final

from heliograph.runtime import Service, run
from thumbnailer.composition import open_thumbnailer
from thumbnailer.queue import WorkQueue
from thumbnailer.replay import replay_routes
from thumbnailer.settings import ThumbnailerSettings

MEASURE_EVERY_S: Final = 15.0


async def serve(service: Service[ThumbnailerSettings]) -> None:
    """Works until the service is asked to stop."""
    settings = service.settings
    async with open_thumbnailer(settings) as thumbnailer:
        service.app.include_router(replay_routes(thumbnailer.scan))
        for name, probe in thumbnailer.probes.items():
            service.readiness.add(name, probe)
        async with asyncio.TaskGroup() as tasks:
            measuring = tasks.create_task(_measure(service, thumbnailer.trigger.queue), name="queue depths")
            async with asyncio.TaskGroup() as work:
                work.create_task(thumbnailer.trigger.run(service.stopping), name="trigger")
                if settings.scan_enabled:
                    scanning = thumbnailer.scan.run(service.stopping, service.pause, settings.scan_interval_s)
                    work.create_task(scanning, name="scan")
            measuring.cancel()


async def _measure(service: Service[ThumbnailerSettings], queue: WorkQueue) -> None:
    await queue.measure()
    while not await service.pause(MEASURE_EVERY_S):
        await queue.measure()


def main() -> None:
    """Runs the thumbnailer."""
    run("thumbnailer", ThumbnailerSettings, serve)


if __name__ == "__main__":
    main()
