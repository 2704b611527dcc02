"""How long each of the dashboard's queries takes with ten million windows stored, and what it costs.

    uv run python -m bench.dashboard [--quick] [--data FOLDER] [--json]

5,000 plants with 2,000 windows each lie in the local Cosmos DB as the sink writes them, the last hours not yet rolled
up, with a month of roll-ups. Each query is asked of the API in this process twenty times (the first, which opens the
connection, is left out); what is measured is all that the server does: Cosmos DB, folding, encoding. `cpu_ms`
is that of the dashboard's process, without Cosmos DB; on a busy machine it and the best of twenty tell more.

Filling takes most of the time. With `--data` the documents stay in the folder, and a run that was broken off goes on
where it stopped; the next one only asks.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import httpx
from azure.cosmos.aio import CosmosClient
from prometheus_client import REGISTRY
from pydantic import SecretStr

from bench import report
from bench.sink import NO_LIMIT, cosmos, plant_window
from dashboard.app import PREFIX, build_app
from dashboard.broadcast import Broadcast
from dashboard.feed import Feed
from dashboard.fleet import Changes, Fleet
from dashboard.freshness import Arrivals
from dashboard.history import History
from dashboard.parts import Parts
from dashboard.settings import ZONE, DashboardSettings
from dashboard.store import Store as Reader
from heliograph.blobs import BlobFolder
from heliograph.contracts import Alert, PlantWindow, RegionWindow, alert_id, iso_seconds
from heliograph.hub import HubSender
from heliograph.regions import KOREA
from heliograph.rows import epoch_s, pack_plant
from heliograph.runtime import collect_less
from heliograph.sites import Site, SiteBook
from heliograph.storage import ALERTS, DEFAULT_CELLS, HOUR_S, ROLLUPS, WINDOWS, cell_of, day_of, document_id, subject_of
from local_azure.cosmos import EMULATOR_KEY
from sink.alerts import with_alert
from sink.compactor import mark_document
from sink.journal import Commit, Span, journal
from sink.rollup import plant_rollups, region_rollups
from sink.store import Document, Store

PLANTS = 5_000
END = datetime(2026, 6, 30, 5, 40, tzinfo=UTC)
WINDOW_S = 10
REPEATS = 20
LIMIT_MS = 50.0


async def write(store: Store, spec: Any, documents: Iterable[Document], key: str = "pk") -> None:  # noqa: ANN401
    """Writes documents in batches of one partition key, eight at a time."""
    groups: dict[str, list[Document]] = defaultdict(list)
    for document in documents:
        groups[document[key]].append(document)
    slots = asyncio.Semaphore(8)

    async def send(pk: str, batch: list[Document]) -> None:
        async with slots:
            await store.batch(spec, pk, [("upsert", (document,)) for document in batch])

    async with asyncio.TaskGroup() as tasks:
        for pk, members in groups.items():
            for start in range(0, len(members), 100):
                tasks.create_task(send(pk, members[start : start + 100]))


async def fill(store: Store, fleet: list[PlantWindow], windows: int, progress: Path) -> None:
    """Plants' windows up to `END`; each plant's power stays as it is, so that a document is quickly made. `progress`
    keeps how many are there already."""
    cells: dict[str, dict[str, list[Any]]] = defaultdict(dict)
    for window in fleet:
        row = pack_plant(window, epoch_s(window.window_start))
        cells[cell_of(window.plant_id)][window.plant_id] = [row]
    end_s = int(epoch_s(END))
    for start in range(_filled(progress), windows, 100):
        firsts = range(end_s - (start + 100) * WINDOW_S, end_s - start * WINDOW_S, WINDOW_S)
        await write(store, WINDOWS, (_document(pk, rows, first) for pk, rows in cells.items() for first in firsts))
        _note_filled(progress, start + 100)
    spans = {first // HOUR_S * HOUR_S for first in (end_s - WINDOW_S, end_s - HOUR_S)}
    await write(store, WINDOWS, (mark_document(Span(pk, "plants", span), "bench") for pk in cells for span in spans))


def _filled(progress: Path) -> int:
    return int(progress.read_text()) if progress.exists() else 0


def _note_filled(progress: Path, windows: int) -> None:
    progress.write_text(str(windows))


def _document(pk: str, rows: dict[str, list[Any]], first: int) -> Document:
    return {
        "id": f"plants:10s:{first}", "pk": pk, "of": "plants", "window": "10s", "first": first,
        "at": first, "count": len(rows), "readings": len(rows), "rows": rows,
    }  # fmt: skip


async def fill_rollups(store: Store) -> None:
    """A month of one cell's roll-ups, three days of all regions' curves and the last minutes of their partials."""
    rng_plant = "fleet-00001"
    pk = cell_of(rng_plant)

    rng = random.Random(1)
    for day in range(31):
        stored: dict[str, Document] = {}
        start = END.replace(hour=0, minute=0) - timedelta(days=day)
        for hour in range(12):
            span = Span(pk, "plants", int(epoch_s(start)) + hour * HOUR_S)
            windows = [plant_window(1, start + timedelta(hours=hour, minutes=m), rng) for m in range(60)]
            stored |= {document["id"]: document for document in plant_rollups(span, windows, stored)}
        await write(store, ROLLUPS, stored.values())
    for day in range(3):
        start = END.replace(hour=0, minute=0) - timedelta(days=day)
        stored = {}
        for step in range(288):
            at = start + timedelta(minutes=5 * step)
            partials = [region_window(region.code, str(p), at) for region in KOREA for p in range(2)]
            span = Span(day_of(at), "regions", int(epoch_s(at)))
            stored |= {document["id"]: document for document in region_rollups(span, partials, stored)}
        await write(store, ROLLUPS, stored.values())
    for step in range(60):
        at = END - timedelta(seconds=WINDOW_S * (step + 1))
        for p in range(8):
            partials = [region_window(region.code, str(p), at) for region in KOREA]
            written = journal(partials, Commit(str(p), step, step, 0), DEFAULT_CELLS)
            for documents in written.documents.values():
                await write(store, WINDOWS, documents)
    last = int(epoch_s(END)) - 300
    await write(store, WINDOWS, [mark_document(Span(day_of(END), "regions", last), "bench")])


def region_window(code: str, partition: str, at: datetime) -> RegionWindow:
    """A partition's part of a region."""
    return RegionWindow(
        v=1, region=code, partition=partition, window="10s", window_start=at,
        window_end=at + timedelta(seconds=WINDOW_S), readings=40, plants=40, capacity_kw=40_000.0,
        generation_kw=20_123.4567, expected_kw=23_456.789,
    )  # fmt: skip


async def fill_alerts(store: Store, count: int) -> None:
    """Alerts over a month, one in ten still open."""

    documents = []
    for n in range(count):
        plant, onset = f"fleet-{n % PLANTS:05d}", END - timedelta(minutes=n * 4)
        name = alert_id(plant, "trip", onset)
        alert = Alert(
            v=1, alert_id=name, rule="trip", severity="critical", state="resolved" if n % 10 else "open",
            region=f"KR-{41 + n % 8}", plant_id=plant, onset=onset, updated_at=onset + timedelta(minutes=3),
            message="Output fell to zero while the sun shone",
        )  # fmt: skip
        documents.append({**(with_alert(None, alert) or {}), "id": document_id(name), "subject": subject_of(name)})
    await write(store, ALERTS, documents, "subject")


def build_parts(client: CosmosClient, endpoint: str, fleet: list[PlantWindow]) -> Parts:
    """The dashboard's parts without hub and blobs, which these queries do not touch."""
    settings = DashboardSettings(
        access="open", cosmos_endpoint=endpoint, cosmos_key=SecretStr(EMULATOR_KEY),
        eventhub_namespace="none", storage_account="none",
    )  # fmt: skip
    known, broadcast, store = Fleet(), Broadcast(1), Reader(client)
    known.apply(fleet, Changes())
    known.apply([region_window(region.code, "0", END) for region in KOREA], Changes())
    sites = [
        Site(plant_id=w.plant_id, name=f"Plant {n}", region=w.region, latitude=36.0, longitude=127.0,
             capacity_kw=w.capacity_kw)
        for n, w in enumerate(fleet)
    ]  # fmt: skip
    nothing = cast("BlobFolder", None)
    return Parts(
        settings=settings, fleet=known, sites=SiteBook(sites), broadcast=broadcast,
        feed=Feed(settings, known, broadcast, replay_s=0), store=store,
        history=History(store, cells=settings.cells, zone=ZONE),
        sender=cast("HubSender", None), uploads=nothing, thumbnails=nothing, arrivals=Arrivals(datetime.now(UTC)),
    )  # fmt: skip


def queries() -> dict[str, str]:
    """The API's queries by name."""
    plant, hour_ago = "fleet-00001", iso_seconds(END - timedelta(hours=1))
    day_ago, month_ago = iso_seconds(END - timedelta(days=1)), iso_seconds(END - timedelta(days=30))
    past = iso_seconds(END - timedelta(hours=3, seconds=5))
    alert = quote(alert_id("fleet-00010", "trip", END - timedelta(minutes=40)), safe="")
    return {
        "plants": "/plants",
        "plant": f"/plants/{plant}",
        "plant windows of 15 minutes": f"/plants/{plant}/windows?resolution=window&from="
        f"{iso_seconds(END - timedelta(minutes=15))}&to={iso_seconds(END)}",
        "plant windows of an hour": f"/plants/{plant}/windows?resolution=window&from={hour_ago}&to={iso_seconds(END)}",
        "plant day by 5 minutes": f"/plants/{plant}/windows?resolution=5min&from={day_ago}&to={iso_seconds(END)}",
        "plant month by hours": f"/plants/{plant}/windows?resolution=hour&from={month_ago}&to={iso_seconds(END)}",
        "plant month by days": f"/plants/{plant}/windows?resolution=day&from={month_ago}&to={iso_seconds(END)}",
        "regions now": "/regions/now",
        "region day": "/regions/KR-46/day",
        "nation day": "/nation/day",
        "open alerts": "/alerts",
        "alerts of a plant": f"/alerts?state=all&plant={plant}",
        "alerts of a region and day": f"/alerts?state=all&region=KR-42&from={day_ago}",
        "one alert": f"/alerts/{alert}",
        "notes": f"/plants/{plant}/notes",
        "photos": f"/plants/{plant}/photos",
        "everything three hours ago": f"/at?time={past}",
        "search": "/search?q=plant%20123",
        "status": "/status",
    }


def charged() -> float:
    """Request units used so far."""
    return sum(
        sample.value
        for metric in REGISTRY.collect()
        if metric.name == "heliograph_dashboard_request_units"
        for sample in metric.samples
        if sample.name.endswith("_total")
    )


async def ask(parts: Parts) -> dict[str, dict[str, float]]:
    """Milliseconds and request units of each query."""
    app = build_app(parts.settings)
    app.state.parts = parts
    answers: dict[str, dict[str, float]] = {}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bench") as http:
        for name, path in queries().items():
            took_ms, size = [], 0
            before, cpu = charged(), time.process_time()
            for _ in range(REPEATS + 1):
                began = time.perf_counter()
                answer = await http.get(PREFIX + path)
                took_ms.append((time.perf_counter() - began) * 1000)
                answer.raise_for_status()
                size = len(answer.content)
            answers[name] = {
                "best_ms": round(min(took_ms[1:]), 1),
                "p50_ms": round(statistics.median(took_ms[1:]), 1),
                "p95_ms": round(sorted(took_ms[1:])[int(REPEATS * 0.95) - 1], 1),
                "cpu_ms": round((time.process_time() - cpu) * 1000 / (REPEATS + 1), 1),
                "request_units": round((charged() - before) / (REPEATS + 1), 1),
                "kilobytes": round(size / 1024, 1),
            }
    began, cpu, before = time.perf_counter(), time.process_time(), charged()
    for _ in range(5):
        await parts.history.refresh_present(END.astimezone(parts.zone).date())
    took = (time.perf_counter() - began) * 200
    answers["(two days' curves, in the background)"] = {
        "best_ms": round(took, 1), "p50_ms": 0.0, "p95_ms": 0.0, "cpu_ms": round((time.process_time() - cpu) * 200, 1),
        "request_units": round((charged() - before) / 5, 1), "kilobytes": 0.0,
    }  # fmt: skip
    return answers


async def measure(windows: int, folder: Path) -> dict[str, Any]:
    """Fills the store in the folder and asks."""

    fleet = [plant_window(n, END - timedelta(seconds=WINDOW_S), random.Random(n)) for n in range(PLANTS)]
    with cosmos(folder / "cosmos") as endpoint:
        async with CosmosClient(endpoint, EMULATOR_KEY, enable_endpoint_discovery=False) as client:
            store = Store(client, ru_budget_per_s=NO_LIMIT, writers=8)
            await store.prepare()
            began = time.perf_counter()
            await fill(store, fleet, windows, folder / "windows-filled")
            await fill_rollups(store)
            await fill_alerts(store, 3000)
            filled_s = time.perf_counter() - began
            collect_less()
            answers = await ask(build_parts(client, endpoint, fleet))
    return {
        "bench": "dashboard",
        "unit": "ms of the slowest query, median",
        "ours": max(answer["p50_ms"] for answer in answers.values()),
        "peers": {},
        "detail": {"windows_stored": windows * PLANTS, "filled_s": round(filled_s), "queries": answers},
    }


def main() -> None:
    """Prints the result."""
    parser = report.parser(__doc__, quick="two million windows")
    parser.add_argument("--data", type=Path, help="folder that keeps the documents")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.data or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        report.tell(asyncio.run(measure(400 if options.quick else 2000, folder)), as_json=options.json)


if __name__ == "__main__":
    main()
