"""What a plant window costs to store: the sink's writer beside one upsert per window.

    uv run python -m bench.sink [--quick] [--json]

Both write the same hour of windows of the same plants to the local Cosmos DB, whose charges follow the published
figures (6 RU for 1 KB with nothing indexed, 8 with three indexed paths, 19 with twenty). Ours is charged for all that
it does: windows, marks, the plants' latest state every twenty seconds, and the roll-up of the hour with all its reads.
The third figure, 8 RU a write, is what Azure-Samples/streaming-at-scale publishes for its documents of 1 KB.

CPU seconds are those of the writing process alone. "Documents" are plant windows, each a document to the peer.
"""

from __future__ import annotations

import asyncio
import math
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import msgspec
from azure.cosmos import PartitionKey
from azure.cosmos.aio import CosmosClient
from prometheus_client import REGISTRY

from bench import report
from heliograph.blobs import BlobFolder
from heliograph.contracts import Aggregate, PlantWindow, plant_window_id
from heliograph.dead_letters import DeadLetters
from heliograph.storage import cell_of
from local_azure.cosmos import EMULATOR_KEY
from sink.compactor import Compactor
from sink.journal import Commit
from sink.latest import newest
from sink.marks import Marks
from sink.states import LatestStates
from sink.store import Store
from sink.writer import Writer

START = datetime(2026, 6, 1, 3, tzinfo=UTC)
WINDOW = timedelta(seconds=10)
PUBLISHED_RU_PER_WRITE = 8.0
NO_LIMIT = 1e9
SHARDS = 4
CELLS = 32
LATEST_EVERY = 2
"""Windows between two writes of the latest state: 20 s, the default of `HELIOGRAPH_FLUSH_S`."""


@dataclass(frozen=True, slots=True)
class Run:
    """What some windows cost."""

    windows: int
    wall_s: float
    cpu_s: float
    request_units: float


def plant_window(plant: int, start: datetime, rng: random.Random) -> PlantWindow:
    """A window as the fleet gives it: readings with three decimals, an expectation that is computed."""
    capacity = 500.0 + plant
    actual = round(capacity * rng.uniform(0.3, 0.7), 3)
    expected = capacity * 0.6 * (1 + 0.1 * math.sin(plant))
    return PlantWindow(
        v=1,
        plant_id=f"fleet-{plant:05d}",
        region=f"KR-{41 + plant % 8}",
        window="10s",
        window_start=start,
        window_end=start + WINDOW,
        readings=1,
        capacity_kw=capacity,
        generation_kw=Aggregate(count=1, sum=actual, min=actual, max=actual, mean=actual, first=actual, last=actual),
        utilisation_pct=actual / capacity * 100,
        expected_kw=expected,
        performance_ratio=actual / expected,
        poa_w_m2=round(rng.uniform(500, 700), 1),
        ghi_w_m2=round(rng.uniform(450, 600), 1),
        module_c=(module := round(rng.uniform(30, 50), 2)),
        module_c_max=module,
        ambient_c=round(rng.uniform(15, 25), 2),
        wind_m_s=round(rng.uniform(0, 5), 2),
        state="ok",
    )


async def run_sink(client: CosmosClient, plants: int, windows: int) -> Run:
    """The sink's writer and compactor, with windows as the hub delivers them: a batch a shard every ten seconds."""
    store = Store(client, ru_budget_per_s=NO_LIMIT, writers=8)
    await store.prepare()
    marks, commits = Marks(grace_s=0, idle_s=0), asyncio.Lock()
    letters = DeadLetters(cast("BlobFolder", None), "sink")  # nothing is refused here
    writer = Writer(store, letters, marks, commits, cells=CELLS)
    compactor, states = Compactor(store, marks, commits), LatestStates(store)
    rng, began, cpu, made_cpu = random.Random(1), time.perf_counter(), time.process_time(), 0.0
    for step in range(windows):
        making = time.process_time()
        start = START + step * WINDOW
        shards: dict[int, list[PlantWindow]] = defaultdict(list)
        for plant in range(plants):
            window = plant_window(plant, start, rng)
            shards[int(cell_of(window.plant_id, CELLS)[1:]) % SHARDS].append(window)
        made_cpu += time.process_time() - making
        for shard, batch in shards.items():
            await writer.commit(batch, Commit(str(shard), step, step, int(start.timestamp() * 1000)))
            if step % LATEST_EVERY == LATEST_EVERY - 1:
                await _write_latest(states, batch)
    await compactor.roll_up(marks.due(time.monotonic() + 1))
    wall_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu - made_cpu
    return Run(plants * windows, wall_s, cpu_s, _charged())


async def _write_latest(states: LatestStates, batch: Sequence[PlantWindow]) -> None:
    by_cell: dict[str, dict[str, list[Any]]] = defaultdict(dict)
    for plant_id, row in newest(batch).items():
        by_cell[cell_of(plant_id, CELLS)][plant_id] = row
    await asyncio.gather(*(states.merge(cell, rows) for cell, rows in by_cell.items()))


def _charged() -> float:
    """What the store has counted, over all containers and operations."""
    return sum(
        sample.value
        for metric in REGISTRY.collect()
        if metric.name == "heliograph_sink_request_units"
        for sample in metric.samples
        if sample.name.endswith("_total")
    )


async def run_upserts(client: CosmosClient, plants: int, windows: int) -> Run:
    """One upsert per window into a container with default indexing, eight at a time."""
    database = await client.create_database_if_not_exists("peer")
    container = await database.create_container_if_not_exists("windows", PartitionKey(path="/plant_id"))
    charged, rng = [0.0], random.Random(1)
    documents = [
        {**msgspec.to_builtins(window), "id": plant_window_id(window.plant_id, window.window, window.window_start)}
        for step in range(windows)
        for window in (plant_window(plant, START + step * WINDOW, rng) for plant in range(plants))
    ]

    def charge(headers: dict[str, str], *_rest: object) -> None:
        charged[0] += float(headers["x-ms-request-charge"])

    async def work(queue: Iterator[dict[str, Any]]) -> None:
        for document in queue:
            await container.upsert_item(document, response_hook=charge)

    began, cpu, queue = time.perf_counter(), time.process_time(), iter(documents)
    await asyncio.gather(*(work(queue) for _ in range(8)))
    return Run(len(documents), time.perf_counter() - began, time.process_time() - cpu, charged[0])


@contextmanager
def cosmos(folder: Path) -> Iterator[str]:
    """A local Cosmos DB server of its own process with its documents in the folder; yields its endpoint."""
    command = [sys.executable, "-m", "local_azure.cosmos", f"--data={folder}", "--port=0", "--limits=off"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        yield next(line.split("endpoint=")[1].split()[0] for line in process.stderr if "endpoint=" in line)
    finally:
        process.terminate()
        process.wait(60)


async def measure(*, quick: bool) -> dict[str, Any]:
    """Runs both and puts them side by side."""
    plants, windows = (1280, 60) if quick else (1280, 360)
    with tempfile.TemporaryDirectory() as folder, cosmos(Path(folder)) as endpoint:
        async with CosmosClient(endpoint, EMULATOR_KEY, enable_endpoint_discovery=False) as client:
            ours = await run_sink(client, plants, windows)
            peer = await run_upserts(client, 100, 5 if quick else 20)
    ru, naive_ru = ours.request_units / ours.windows, peer.request_units / peer.windows
    return {
        "bench": "sink",
        "unit": "documents per CPU second",
        "ours": round(ours.windows / ours.cpu_s),
        "peers": {"upsert_per_window": round(peer.windows / peer.cpu_s)},
        "detail": {
            "ru_per_plant_window": round(ru, 3),
            "naive_ru_per_plant_window": round(naive_ru, 3),
            "published_ru_per_write": PUBLISHED_RU_PER_WRITE,
            "times_fewer_ru_than_naive": round(naive_ru / ru, 1),
            "times_fewer_ru_than_published": round(PUBLISHED_RU_PER_WRITE / ru, 1),
            "documents_per_s": round(ours.windows / ours.wall_s),
            "naive_documents_per_s": round(peer.windows / peer.wall_s),
            "plant_windows": ours.windows,
            "plants_per_cell": plants // CELLS,
        },
    }


def main() -> None:
    """Prints the result."""
    options = report.parser(__doc__, quick="ten minutes instead of an hour").parse_args()
    report.tell(asyncio.run(measure(quick=options.quick)), as_json=options.json)


if __name__ == "__main__":
    main()
