"""A dashboard and a sink as processes between a real hub, Cosmos DB and blobs, shared by this folder's tests."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from azure.eventhub.aio import EventHubProducerClient

from heliograph.contracts import Aggregate, Alert, Insight, PlantWindow, RegionWindow, alert_id
from heliograph.topology import INSIGHTS_HUB, shard_of
from heliograph.wire import encode, to_event
from tests.conftest import COSMOS_KEY, HOST, free_port, running, running_broker, running_cosmos, wait_for

START = datetime(2026, 6, 1, 3, tzinfo=UTC)


@dataclass
class Stack:
    """The way to the servers, and to start a dashboard."""

    env: dict[str, str]
    folder: Path
    url: str

    def elsewhere(self) -> Stack:
        """The same servers, and another port for a dashboard."""
        port = free_port()
        return replace(self, env=self.env | {"HELIOGRAPH_HTTP_PORT": str(port)}, url=f"http://{HOST}:{port}")

    def dashboard(self) -> AbstractContextManager:
        """A dashboard process; not ready yet."""
        return running("dashboard", log=self.folder / "dashboard.log", env=self.env)

    def wait_ready(self) -> None:
        wait_for(lambda: is_ready(self.url), f"the dashboard (see {self.folder / 'dashboard.log'})", 150)

    async def send(self, insights: list[Insight], key: str = "p1") -> None:
        connection = self.env["HELIOGRAPH_EVENTHUB_CONNECTION_STRING"]
        async with EventHubProducerClient.from_connection_string(connection, eventhub_name=INSIGHTS_HUB) as producer:
            batch = await producer.create_batch(partition_key=shard_of(key))
            batch.add(to_event(encode(insights)))
            await producer.send_batch(batch)

    def http(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=f"{self.url}/api/v1", timeout=60, headers={"x-heliograph": "1"})


def is_ready(url: str) -> bool:
    """Whether a service says that it can work; its probes may take their time on a busy machine."""
    try:
        answer = httpx.get(f"{url}/readyz", timeout=10)
    except httpx.TransportError:
        return False
    if answer.status_code != 200:
        print(answer.text)
    return answer.status_code == 200


@contextmanager
def with_a_sink(folder: Path, hub: str, cosmos: str, blobs: str) -> Iterator[Stack]:
    """A sink between the servers; no dashboard yet."""
    env = os.environ | {
        "HELIOGRAPH_EVENTHUB_CONNECTION_STRING": hub,
        "HELIOGRAPH_STORAGE_CONNECTION_STRING": blobs,
        "HELIOGRAPH_COSMOS_ENDPOINT": cosmos,
        "HELIOGRAPH_COSMOS_KEY": COSMOS_KEY,
        "HELIOGRAPH_HTTP_HOST": HOST,
        "HELIOGRAPH_FLUSH_S": "0.5",
        "HELIOGRAPH_ACCESS": "open",
    }
    sink_port, port = free_port(), free_port()
    with running("sink", log=folder / "sink.log", env=env | {"HELIOGRAPH_HTTP_PORT": str(sink_port)}):
        wait_for(lambda: is_ready(f"http://{HOST}:{sink_port}"), f"the sink (see {folder / 'sink.log'})", 150)
        yield Stack(env | {"HELIOGRAPH_HTTP_PORT": str(port)}, folder, f"http://{HOST}:{port}")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, azurite: str) -> Iterator[Stack]:
    """Servers and a sink; no dashboard yet."""
    folder = tmp_path_factory.mktemp("dashboard")
    with (
        running_broker(folder) as hub,
        running_cosmos(folder) as cosmos,
        with_a_sink(folder, hub, cosmos, azurite) as found,
    ):
        yield found


@pytest.fixture(scope="module")
def live(stack: Stack) -> Iterator[Stack]:
    """With a dashboard that is ready."""
    with stack.dashboard():
        stack.wait_ready()
        yield stack


class Events:
    """An EventSource: reads events and remembers the last id."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines
        self.last_id = ""

    async def next(self, *names: str, timeout_s: float = 60.0) -> dict:
        """The data of the next event with one of the names."""
        async with asyncio.timeout(timeout_s):
            name = ""
            async for line in self._lines:
                field, _, value = line.partition(": ")
                if field == "id":
                    self.last_id = value
                elif field == "event":
                    name = value
                elif field == "data" and name in names:
                    return {"event": name, **json.loads(value)}
        raise AssertionError("the stream ended")


@asynccontextmanager
async def events(stack: Stack, last_id: str = "") -> AsyncIterator[Events]:
    """The live feed, from where a page left off."""
    headers = {"last-event-id": last_id} if last_id else {}
    async with stack.http() as http, http.stream("GET", "/events", headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield Events(answer.aiter_lines())


@pytest.fixture
def listen():
    """Opens the live feed."""
    return events


def plant_window(plant_id: str, after_s: float, kw: float, **fields) -> PlantWindow:
    start = START + timedelta(seconds=after_s)
    power = Aggregate(count=1, sum=kw, min=kw, max=kw, mean=kw, first=kw, last=kw)
    known = {"state": "ok", "revision": 0, **fields}
    return PlantWindow(v=1, plant_id=plant_id, region="KR-46", window="10s", window_start=start,
                       window_end=start + timedelta(seconds=10), readings=1, capacity_kw=1000.0, generation_kw=power,
                       expected_kw=600.0, **known)  # fmt: skip


def region_window(partition: str, after_s: float, kw: float) -> RegionWindow:
    start = START + timedelta(seconds=after_s)
    return RegionWindow(v=1, region="KR-46", partition=partition, window="10s", window_start=start, readings=1,
                        window_end=start + timedelta(seconds=10), plants=1, capacity_kw=1000.0, generation_kw=kw,
                        expected_kw=600.0)  # fmt: skip


def trip(plant_id: str, state: str = "open") -> Alert:
    return Alert(v=1, alert_id=alert_id(plant_id, "trip", START), rule="trip", severity="critical", state=state,
                 region="KR-46", plant_id=plant_id, onset=START, updated_at=START + timedelta(minutes=1),
                 message="tripped")  # fmt: skip


@pytest.fixture
def make():
    """Makes insights: `plant`, `region`, `trip`."""
    return type("Make", (), {"plant": staticmethod(plant_window), "region": staticmethod(region_window),
                             "trip": staticmethod(trip)})  # fmt: skip


@pytest.fixture
def until():
    """Waits for an asynchronous check to be true, and returns its answer."""

    async def wait(check, what: str, timeout_s: float = 60.0):
        try:
            async with asyncio.timeout(timeout_s):
                while not (answer := await check()):
                    await asyncio.sleep(0.2)
        except TimeoutError:
            raise AssertionError(f"{what} did not come within {timeout_s:g} s") from None
        return answer

    return wait
