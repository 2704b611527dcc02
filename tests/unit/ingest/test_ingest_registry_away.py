"""The operator's site registry while what it is read from or published to is away."""

from __future__ import annotations

from typing import cast

import httpx
import pytest
from azure.core.exceptions import ServiceRequestError

from heliograph.blobs import BlobFolder, Stored
from heliograph.runtime import Service
from heliograph.sites import decode_sites
from ingest.alarms import Alarms
from ingest.fetching import Fetched, Fetcher
from ingest.registry import Registry
from ingest.settings import IngestSettings
from ingest.sources.declaration import Request

HEAD = b"plant_id,name,region,latitude,longitude,capacity_kw\n"
ONE, TWO = HEAD + b"p,P,KR-46,34,126,10\n", HEAD + b"p,P,KR-46,34,126,10\nq,Q,KR-46,34,126,10\n"


class Away:
    """A file and a storage that fail when told to."""

    def __init__(self) -> None:
        self.body = ONE
        self.reading: Exception | None = None
        self.writing: list[Exception] = []
        self.published: list[bytes] = []

    async def fetch(self, _request: Request) -> Fetched:
        if self.reading:
            raise self.reading
        return Fetched(self.body)

    async def get(self, _name: str) -> Stored | None:
        if self.writing:
            raise self.writing.pop()
        return None

    async def put(self, _name: str, data: bytes, **_more: str) -> str:
        self.published.append(data)
        return ""


class Rounds:
    """A service that pauses so many times."""

    def __init__(self, rounds: int) -> None:
        self.settings = IngestSettings.model_construct(sites_reload_s=0.0)
        self._left = rounds

    async def pause(self, _seconds: float) -> bool:
        self._left -= 1
        return self._left < 0


def registry(away: Away, alarms: Alarms) -> Registry:
    return Registry("https://plants.example/sites.csv", cast("Fetcher", away), alarms)


@pytest.mark.parametrize("error", [httpx.ConnectTimeout("slow"), ServiceRequestError("refused"), TimeoutError()])
async def test_a_file_that_is_back_unchanged_clears_the_alarm(error: Exception):
    """One failed reading is an alarm until the next that works, also if the file is the same."""
    away, alarms = Away(), Alarms()
    one = registry(away, alarms)
    assert await one.reload()
    away.reading = error
    assert not await one.reload()
    assert list(alarms.standing) == ["site registry"]
    away.reading = None
    assert not await one.reload()
    assert (alarms.standing, one.get("p") is not None) == ({}, True)


@pytest.mark.parametrize("failures", [1, 3])
async def test_a_changed_registry_is_published_once_storage_is_back(failures: int):
    """While storage is away the service goes on; then the registry is published, once."""
    away, alarms = Away(), Alarms()
    one = registry(away, alarms)
    await one.reload()
    away.body, away.writing = TWO, [ServiceRequestError("refused") for _ in range(failures)]
    await one.follow(cast("Service[IngestSettings]", Rounds(failures + 3)), cast("BlobFolder", away))
    assert alarms.standing == {}
    [published] = away.published
    assert [site.plant_id for site in decode_sites(published)] == ["p", "q"]


async def test_storage_that_is_away_is_an_alarm():
    """What could not be published is told."""
    away, alarms = Away(), Alarms()
    away.writing = [ServiceRequestError("refused")]
    await registry(away, alarms).follow(cast("Service[IngestSettings]", Rounds(1)), cast("BlobFolder", away))
    assert (list(alarms.standing), away.published) == (["site registry publication"], [])
