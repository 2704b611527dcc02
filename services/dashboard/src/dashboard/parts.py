"""What the routes work with, put together once by the composition root."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from fastapi import HTTPException, Request

from dashboard.answers import KeptAnswer
from dashboard.broadcast import Broadcast
from dashboard.feed import Feed
from dashboard.fleet import Fleet, KeptRows
from dashboard.freshness import Arrivals
from dashboard.history import History
from dashboard.settings import DashboardSettings
from dashboard.store import Store
from heliograph.blobs import BlobFolder
from heliograph.hub import HubSender
from heliograph.regions import BY_CODE
from heliograph.sites import SiteBook


@dataclass(slots=True)
class Parts:
    """The dashboard's neighbours and its state."""

    settings: DashboardSettings
    fleet: Fleet
    sites: SiteBook
    broadcast: Broadcast
    feed: Feed
    store: Store
    history: History
    sender: HubSender
    uploads: BlobFolder
    thumbnails: BlobFolder
    arrivals: Arrivals
    plants_answer: KeptAnswer = field(default_factory=KeptAnswer)
    plant_rows: KeptRows = field(default_factory=KeptRows)
    exporting: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by the one export that is made now."""

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which days begin."""
        return self.history.zone


def today(parts: Parts) -> date:
    """The local day of the newest data: in a replay that is not the calendar's."""
    return (parts.fleet.newest or datetime.now(UTC)).astimezone(parts.zone).date()


def parts_of(request: Request) -> Parts:
    """Dependency of the routes. Raises 503 while the service starts."""
    parts: Parts | None = getattr(request.app.state, "parts", None)
    if parts is None:
        raise HTTPException(503, "the dashboard is still starting", headers={"retry-after": "1"})
    return parts


def known_plant(parts: Parts, plant_id: str) -> None:
    """Raises 404 for a plant that neither the registry nor any window names."""
    if parts.sites.get(plant_id) is None and plant_id not in parts.fleet.plants:
        raise HTTPException(404, f"no plant is called {plant_id}")


def known_region(parts: Parts, code: str) -> None:
    """Raises 404 for a region that neither the country nor any window has."""
    if code not in BY_CODE and code not in parts.fleet.regions:
        raise HTTPException(404, f"no region is called {code}")


def utc(moment: datetime) -> datetime:
    """A moment that a request names; without an offset it is UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
