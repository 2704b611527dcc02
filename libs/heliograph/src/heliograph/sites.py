"""The site registry: facts about plants, one blob of JSON per registry in the container `sites`.

Ingest publishes what its sources know; the analyzer and the dashboard read all registries and look for changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from heliograph.blobs import ANY, BlobFolder
from heliograph.contracts import Capacity, Message, Name
from heliograph.telemetry import log
from heliograph.wire import UNREADABLE


class Site(Message, frozen=True, kw_only=True):
    """Where a plant stands and how it looks at the sky. Angles in degrees."""

    plant_id: Name
    name: Annotated[str, Meta(min_length=1, max_length=200)]
    region: Name
    latitude: Annotated[float, Meta(ge=-90, le=90, extra={"unit": "deg"})]
    longitude: Annotated[float, Meta(ge=-180, le=180, extra={"unit": "deg"})]
    capacity_kw: Capacity
    """Installed AC capacity."""
    dc_capacity_kw: Capacity | None = None
    """Installed DC capacity at standard test conditions, where it is known."""
    tilt_deg: Annotated[float, Meta(ge=0, le=90, extra={"unit": "deg"})] = 30.0
    """0 is flat."""
    azimuth_deg: Annotated[float, Meta(ge=0, le=360, extra={"unit": "deg"})] = 180.0
    """Clockwise from north; 180 is south."""
    timezone: Name = "Asia/Seoul"
    owner: Annotated[str, Meta(max_length=200)] = ""


def encode_sites(sites: Iterable[Site]) -> bytes:
    """The JSON of a registry, the same for the same sites."""
    return msgspec.json.encode(sorted(sites, key=lambda site: site.plant_id))


def decode_sites(data: bytes) -> list[Site]:
    """The sites of a registry. Raises `msgspec.DecodeError` that names the place and the field."""
    return msgspec.json.decode(data, type=list[Site])


async def publish_sites(folder: BlobFolder, registry: str, sites: Iterable[Site]) -> None:
    """Writes a registry, unless it is there already as it should be."""
    data = encode_sites(sites)
    name = f"{registry}.json"
    stored = await folder.get(name)
    if stored is None or stored.data != data:
        await folder.put(name, data, etag=ANY, content_type="application/json")


class SiteBook:
    """All registries together, read again when one changes. Where two name a plant, the later name wins."""

    def __init__(self, sites: Sequence[Site] = ()) -> None:
        self._etags: dict[str, str] = {}
        self._registries: dict[str, list[Site]] = {"": list(sites)}
        self._sites: dict[str, Site] = {site.plant_id: site for site in sites}
        self.version = 0
        """Grows with every change."""

    def get(self, plant_id: str) -> Site | None:
        """The site of a plant, or None."""
        return self._sites.get(plant_id)

    def all(self) -> Mapping[str, Site]:
        """All sites by plant id."""
        return self._sites

    async def refresh(self, folder: BlobFolder) -> bool:
        """Reads what changed; true if anything did. A registry that can't be read keeps its last good state."""
        names = [name async for name in folder.names() if name.endswith(".json")]
        changed = [name for name in names if await self._read_if_changed(folder, name)]
        gone = [name for name in self._etags if name not in names]
        for name in gone:
            del self._etags[name], self._registries[name]
        if changed or gone:
            self._merge()
        return bool(changed or gone)

    async def _read_if_changed(self, folder: BlobFolder, name: str) -> bool:
        if await folder.etag(name) == self._etags.get(name, ""):
            return False
        stored = await folder.get(name)
        if stored is None:
            return False
        self._etags[name] = stored.etag
        try:
            self._registries[name] = decode_sites(stored.data)
        except UNREADABLE as error:
            log.error("site registry refused", registry=name, error=str(error))
            self._registries.setdefault(name, [])
            return False
        return True

    def _merge(self) -> None:
        self._sites = {site.plant_id: site for name in sorted(self._registries) for site in self._registries[name]}
        self.version += 1
