"""The plants that ingest knows: those of the operator's file, read again when it changes, and those of sources."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import httpx
from azure.core.exceptions import AzureError

from heliograph.blobs import BlobFolder
from heliograph.runtime import Service
from heliograph.sites import Site, publish_sites
from heliograph.telemetry import log
from ingest.alarms import Alarms
from ingest.fetching import Fetcher
from ingest.settings import IngestSettings
from ingest.site_file import SiteFileError, parse_sites
from ingest.sources.declaration import AnswerError, Request

NAME = "operator"
FILE, PUBLICATION = "site registry", "site registry publication"


class Registry:
    """Looked up for every reading. A file that can't be used leaves the last good state, and raises an alarm."""

    def __init__(self, url: str, fetcher: Fetcher, alarms: Alarms) -> None:
        self._url = Path(url).absolute().as_uri() if url and "://" not in url else url
        self._fetcher = fetcher
        self._alarms = alarms
        self._body = b""
        self._own: dict[str, Site] = {}
        self._brought: dict[str, Site] = {}

    def get(self, plant_id: str) -> Site | None:
        """The site of a plant. The operator's word counts more than a source's."""
        return self._own.get(plant_id) or self._brought.get(plant_id)

    def own(self) -> Sequence[Site]:
        """The plants of the operator's file."""
        return tuple(self._own.values())

    def add(self, sites: Sequence[Site]) -> None:
        """Plants that a source brings."""
        self._brought.update((site.plant_id, site) for site in sites)

    async def reload(self) -> bool:
        """Reads the file if it changed; true if the plants are others now."""
        if not self._url:
            return False
        try:
            fetched = await self._fetcher.fetch(Request(self._url))
            sites = None if fetched.body == self._body else parse_sites(fetched.body)
        except (SiteFileError, AnswerError, AzureError, httpx.HTTPError, OSError, TimeoutError) as error:
            self._alarms.set(FILE, f"{type(error).__name__}: {error}")
            return False
        self._alarms.set(FILE, None)
        if sites is None:
            return False
        self._body = fetched.body
        self._own = {site.plant_id: site for site in sites}
        log.info("site registry read", plants=len(sites))
        return True

    async def follow(self, service: Service[IngestSettings], folder: BlobFolder) -> None:
        """Reads the file again and again, and publishes it for the other services when it changed, until it is."""
        changed = False
        while not await service.pause(service.settings.sites_reload_s):
            changed = await self.reload() or changed
            if changed:
                changed = not await self._try_publish(folder)

    async def _try_publish(self, folder: BlobFolder) -> bool:
        try:
            await self.publish(folder)
        except (AzureError, OSError, TimeoutError) as error:
            self._alarms.set(PUBLICATION, f"{type(error).__name__}: {error}")
            return False
        self._alarms.set(PUBLICATION, None)
        return True

    async def publish(self, folder: BlobFolder) -> None:
        """For the analyzer and the dashboard."""
        if self._own:
            await publish_sites(folder, NAME, self._own.values())
