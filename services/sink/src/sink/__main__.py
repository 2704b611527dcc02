"""`python -m sink`: writes what travels on the hub `insights` to Cosmos DB."""

from __future__ import annotations

import asyncio
import time

from heliograph import azure_time
from heliograph.blobs import BlobFolder, open_blobs
from heliograph.cosmos import open_cosmos
from heliograph.dead_letters import DeadLetters
from heliograph.hub import open_reader
from heliograph.runtime import Service, run
from heliograph.topology import DEAD_LETTERS, INSIGHTS_HUB
from sink.compactor import Compactor
from sink.marks import Marks
from sink.settings import SinkSettings
from sink.states import LatestStates
from sink.store import Store
from sink.worker import Worker
from sink.writer import Writer

GROUP = "sink"


async def serve(service: Service[SinkSettings]) -> None:
    """Puts the parts together and works until the service is asked to stop."""
    settings = service.settings
    async with (
        open_blobs(settings) as blobs,
        open_cosmos(settings) as cosmos,
        open_reader(settings, INSIGHTS_HUB, GROUP) as reader,
    ):
        store = Store(cosmos, ru_budget_per_s=settings.ru_budget_per_s, writers=settings.cosmos_writers)
        await store.prepare()
        folder = BlobFolder(blobs, DEAD_LETTERS)
        service.readiness.add("hub insights", reader.probe)
        service.readiness.add("cosmos", store.probe)
        service.readiness.add("blob container dead-letters", folder.probe)
        marks = Marks(
            grace_s=settings.rollup_grace_s, idle_s=settings.rollup_idle_s, renew_s=settings.rollup_orphaned_s / 3
        )
        commits = asyncio.Lock()
        letters = DeadLetters(folder, service.name)
        writer = Writer(store, letters, marks, commits, cells=settings.cells)
        worker = Worker(reader, writer, LatestStates(store), letters, cells=settings.cells, flush_s=settings.flush_s)
        async with asyncio.TaskGroup() as tasks:
            rollups = tasks.create_task(keep_rolled_up(service, Compactor(store, marks, commits)), name="rollups")
            await worker.run(service.stopping)
            rollups.cancel()  # what is left undone keeps its mark


async def keep_rolled_up(service: Service[SinkSettings], compactor: Compactor) -> None:
    """Rolls up what is due, and now and then what replicas that are gone have left, until the service stops."""
    settings = service.settings
    orphans_at_s = time.monotonic()
    while not await service.pause(settings.rollup_every_s):
        await compactor.roll_up_due()
        if time.monotonic() >= orphans_at_s:
            orphans_at_s = time.monotonic() + settings.rollup_orphaned_s / 3
            await compactor.adopt_orphans(azure_time.now_s() - settings.rollup_orphaned_s)


def main() -> None:
    """Runs the service with settings from the environment."""
    run("sink", SinkSettings, serve)


if __name__ == "__main__":
    main()
