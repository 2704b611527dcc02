"""Looks after what the live feed does not bring: the site registry, the stored state, when each step last gave
something, and the heartbeat of the pages."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime

from azure.core.exceptions import AzureError
from azure.eventhub.aio import EventHubConsumerClient
from azure.eventhub.exceptions import EventHubError

from dashboard import metrics
from dashboard.feed import sse
from dashboard.fleet import Changes
from dashboard.parts import Parts, today
from dashboard.routes_live import HEARTBEAT_S, present_status
from heliograph.blobs import BlobFolder
from heliograph.hub import consumer_client
from heliograph.rows import moment_of, unpack_plant
from heliograph.storage import ALERTS, LATEST
from heliograph.telemetry import log
from heliograph.topology import CONSUMER_GROUPS, READINGS_HUB

SITES_EVERY_S = 15.0
STORED_EVERY_S = 30.0
ARRIVALS_EVERY_S = 5.0
CURVES_EVERY_S = 10.0
_FAILURES = (AzureError, EventHubError, ConnectionError, TimeoutError)
"""A neighbour that does not answer makes one look fail, and the next one comes."""


class Watch:
    """Runs each look at its own pace."""

    def __init__(self, parts: Parts, sites: BlobFolder) -> None:
        self._parts = parts
        self._sites = sites
        self._stored_at: datetime | None = None
        self._seen: set[str] = set()

    async def probe(self) -> None:
        """Raises until the sites and the stored state have been read once."""
        missing = {"sites", "stored state"} - self._seen
        if missing:
            raise ConnectionError(f"not read yet: {', '.join(sorted(missing))}")

    async def run(self) -> None:
        """Looks until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_every(SITES_EVERY_S, "site registry", self._read_sites))
            tasks.create_task(_every(STORED_EVERY_S, "stored state", self._read_stored))
            tasks.create_task(self._watch_arrivals())
            tasks.create_task(_every(CURVES_EVERY_S, "curves", self._read_curves))
            tasks.create_task(_every(HEARTBEAT_S, "heartbeat", self._beat))

    async def _read_sites(self) -> None:
        await self._parts.sites.refresh(self._sites)
        self._seen.add("sites")

    async def _read_stored(self) -> None:
        """Takes in what Cosmos knows; only what is newer than the live feed's state changes anything."""
        fleet, store, changes = self._parts.fleet, self._parts.store, Changes()
        for cell in await store.query("latest", LATEST, "SELECT c.rows, c._ts FROM c"):
            self._stored_at = max(self._stored_at or moment_of(0), moment_of(cell["_ts"]))
            windows = [unpack_plant(row, plant_id, window, 0) for plant_id, (window, *row) in cell["rows"].items()]
            fleet.apply(windows, changes)
            await asyncio.sleep(0)
        if "stored state" not in self._seen:
            text = "SELECT c.alert_id, c.subject FROM c WHERE c.status != 'resolved'"
            for alert in await store.query("open-alerts", ALERTS, text):
                fleet.open_alert(alert["alert_id"], alert["subject"])
        self._seen.add("stored state")
        if changes.plants:
            log.info("stored state read", plants=len(fleet.plants), newer=len(changes.plants))

    async def _read_curves(self) -> None:
        """Keeps the present days' curves at hand, so that no page waits for them."""
        if "stored state" in self._seen:
            await self._parts.history.refresh_present(today(self._parts))

    async def _watch_arrivals(self) -> None:
        group = CONSUMER_GROUPS[READINGS_HUB][0]
        async with consumer_client(self._parts.settings, READINGS_HUB, group) as readings:
            await _every(ARRIVALS_EVERY_S, "arrivals", lambda: self._look_at_arrivals(readings))

    async def _look_at_arrivals(self, readings: EventHubConsumerClient) -> None:
        parts, windows = self._parts, self._parts.feed.newest_arrival
        parts.arrivals = replace(parts.arrivals, windows=windows, stored=self._stored_at)
        metrics.AGE_S.set((datetime.now(UTC) - (windows or parts.arrivals.watched_since)).total_seconds())
        parts.arrivals = replace(parts.arrivals, readings=await _last_enqueued(readings))

    async def _beat(self) -> None:
        self._parts.broadcast.send_unkept(sse("heartbeat", present_status(self._parts)))


async def _last_enqueued(client: EventHubConsumerClient) -> datetime | None:
    """When the hub took its newest event."""
    newest: datetime | None = None
    for partition in await client.get_partition_ids():
        properties = await client.get_partition_properties(partition)
        if not properties["is_empty"]:
            enqueued = properties["last_enqueued_time_utc"].astimezone(UTC)
            newest = max(newest or enqueued, enqueued)
    return newest


async def _every(seconds: float, what: str, look: Callable[[], Awaitable[object]]) -> None:
    while True:
        try:
            await look()
        except _FAILURES as error:
            log.warning("look failed", what=what, error=f"{type(error).__name__}: {error}")
        await asyncio.sleep(seconds)
