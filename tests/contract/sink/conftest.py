"""The sink's parts on a Cosmos DB server of their own."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.cosmos.aio import CosmosClient
from azure.storage.blob.aio import BlobServiceClient

from heliograph.blobs import BlobFolder
from heliograph.contracts import Aggregate, Insight, PlantWindow
from heliograph.dead_letters import DeadLetters
from heliograph.rows import plant_windows
from heliograph.storage import ROLLUPS, WINDOWS
from heliograph.topology import DATABASE, DEAD_LETTERS
from local_azure.cosmos import CosmosServer
from sink.compactor import Compactor
from sink.journal import Commit
from sink.marks import Marks
from sink.states import LatestStates
from sink.store import Store, without_system_properties
from sink.writer import Writer

START = datetime(2026, 6, 1, 3, tzinfo=UTC)
CELLS = 32


@dataclass
class Replica:
    """What one process of the sink holds."""

    store: Store
    marks: Marks
    writer: Writer
    compactor: Compactor
    states: LatestStates

    async def commit(self, insights: Sequence[Insight], first: int = 0, last: int = 0) -> None:
        await self.writer.commit(insights, Commit("0", first, last, 1_780_000_000_000 + first))

    async def roll_up_all(self) -> None:
        await self.compactor.roll_up(self.marks.due(1e12))


class Account:
    """A Cosmos DB account with replicas of the sink that write to it."""

    def __init__(self, server: CosmosServer, client: CosmosClient, folder: BlobFolder) -> None:
        self.server = server
        self.client = client
        self.folder = folder
        self.letters = DeadLetters(folder, "sink")

    async def replica(self, ru_budget_per_s: float = 1e9) -> Replica:
        store = Store(self.client, ru_budget_per_s=ru_budget_per_s, writers=4)
        await store.prepare()
        marks, commits = Marks(grace_s=0, idle_s=0), asyncio.Lock()
        writer = Writer(store, self.letters, marks, commits, cells=CELLS)
        return Replica(store, marks, writer, Compactor(store, marks, commits), LatestStates(store))

    async def documents(self, container: str, where: str = "true") -> list[dict]:
        items = self.client.get_database_client(DATABASE).get_container_client(container)
        return [item async for item in items.query_items(f"SELECT * FROM c WHERE {where}")]

    async def windows(self) -> list[PlantWindow]:
        return plant_windows(await self.documents(WINDOWS.name, "c.of = 'plants' AND c.first > 0"))

    async def rollups(self) -> dict[str, dict]:
        return {d["id"]: without_system_properties(d) for d in await self.documents(ROLLUPS.name)}


@pytest.fixture
async def account(tmp_path: Path, azurite: str) -> AsyncIterator[Account]:
    """An empty account, and real blobs for the dead letters."""
    async with (
        CosmosServer(tmp_path / "cosmos") as server,
        CosmosClient(server.endpoint, server.key, enable_endpoint_discovery=False, retry_throttle_total=1) as client,
        BlobServiceClient.from_connection_string(azurite) as blobs,
    ):
        yield Account(server, client, BlobFolder(blobs, DEAD_LETTERS))


def plant_window(plant_id: str, after_s: float, kw: float, revision: int = 0) -> PlantWindow:
    """One reading's window that starts so many seconds after 03:00."""
    start = START + timedelta(seconds=after_s)
    power = Aggregate(count=1, sum=kw, min=kw, max=kw, mean=kw, first=kw, last=kw)
    return PlantWindow(v=1, plant_id=plant_id, region="KR-46", window="10s", window_start=start,
                       window_end=start + timedelta(seconds=10), revision=revision, readings=1, capacity_kw=1000.0,
                       generation_kw=power, utilisation_pct=kw / 10, expected_kw=kw * 1.1, state="ok")  # fmt: skip


@pytest.fixture
def make_plant():
    """Makes plant windows."""
    return plant_window


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """Random numbers whose seed is printed."""
    seed = random.randrange(2**32)
    print(f"{request.node.name}: seed {seed}")
    return random.Random(seed)
