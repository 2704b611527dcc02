"""Ingest as a process on the local Azure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient

from heliograph import topology
from tests.contract.ingest.ingest_process import SITES, Ingest, Tail, running_ingest, tail


@pytest.fixture(scope="session")
def ingest_env(azurite: str, broker: str) -> dict[str, str]:
    """The way to the local Azure."""
    return {
        "HELIOGRAPH_EVENTHUB_CONNECTION_STRING": broker,
        "HELIOGRAPH_STORAGE_CONNECTION_STRING": azurite,
    }


@pytest.fixture(scope="session")
def sites_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sites") / "sites.json"
    path.write_text(json.dumps(SITES))
    return path


@pytest.fixture(scope="session")
def pushed(tmp_path_factory: pytest.TempPathFactory, ingest_env: dict[str, str], sites_file: Path) -> Iterator[Ingest]:
    """A service that takes pushes; its one source is due once a year, and its provider is not there."""
    folder = tmp_path_factory.mktemp("pushed")
    source = {"sources": "pvlive", "schedules": '{"pvlive": "0 0 1 1 *"}', "pvlive_url": "http://127.0.0.1:9/gsp"}
    with running_ingest(folder, ingest_env, sites_url=sites_file, **source) as service:
        yield service


@pytest.fixture(scope="session")
def blobs(azurite: str) -> Iterator[BlobServiceClient]:
    with BlobServiceClient.from_connection_string(azurite) as client:
        yield client


@pytest.fixture(scope="session")
def readings(broker: str) -> Iterator[Tail]:
    """The hub of readings."""
    with tail(broker, topology.READINGS_HUB) as found:
        yield found


@pytest.fixture(scope="session")
def insights(broker: str) -> Iterator[Tail]:
    """The hub of insights."""
    with tail(broker, topology.INSIGHTS_HUB) as found:
        yield found
