"""A headless Chromium before the real stack, with a fleet whose readings the tests send themselves."""

from __future__ import annotations

import os
import random
import shutil
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from azure.eventhub import EventData, EventHubProducerClient
from azure.eventhub.amqp import AmqpAnnotatedMessage
from azure.storage.blob import BlobServiceClient
from playwright.sync_api import Browser, Page, expect, sync_playwright

from heliograph.contracts import Reading
from heliograph.regions import KOREA
from heliograph.sites import Site, encode_sites
from heliograph.topology import READINGS_HUB, SITES, shard_of
from heliograph.wire import encode, to_event
from tests.flow.conftest import Stack, eventually, running_stack_in

ROOT = Path(__file__).parents[2]
BUILT = ROOT / "services/dashboard/src/dashboard/static/app/index.html"
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
NOON = datetime(2026, 6, 21, 3, 0, tzinfo=UTC)
"""In Korea."""
CAPACITY_KW = 1000.0
PLANTS, FED = 20_000, 200
AN_EVENT = 200
DICE = random.Random(11)
expect.set_options(timeout=30_000)
"""Five seconds, the default, are too few where others load the machine; what is quick is measured by itself."""


_UNTIL = """(seconds) => new Promise((resolve) => {
  const start = performance.now();
  const look = () => {
    const took = (performance.now() - start) / 1000;
    if (CONDITION) resolve(took);
    else if (took > seconds) resolve(null);
    else requestAnimationFrame(look);
  };
  look();
})"""


def chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One browser for all tests of this folder; it goes before the asynchronous tests of others begin."""
    executable = chromium()
    if executable is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    if not BUILT.is_file():
        pytest.skip("the page is not built: make page")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield running
        running.close()


class Field:
    """A stack, plants in it, and a feed that gives every second what the plants give in bright sun.

    The feed's clock starts at noon in Korea and goes as fast as ours, so that no rule of the analyzer depends on when
    the tests run.
    """

    def __init__(self, stack: Stack, sites: Sequence[Site]) -> None:
        self.stack = stack
        self.sites = sites
        self.fed = sites[:FED]
        self.broken = self.fed[20]
        """Gives nothing from the start, so that there is an alert."""
        self.dead = {self.broken.plant_id}
        self.sent: list[tuple[datetime, float]] = []
        """Stamp of each second's readings, and when they were sent by the monotonic clock."""
        self._stop = threading.Event()

    @property
    def url(self) -> str:
        return self.stack.url("dashboard")

    def plants(self) -> dict[str, list[Any]]:
        """The rows of all plants, as the page gets them."""
        answer = httpx.get(f"{self.url}/api/v1/plants", timeout=30).raise_for_status().json()
        return {row[0]: row for row in answer["rows"]}

    def flood(self) -> None:
        """One reading of every plant, now."""
        stamp = self.sent[-1][0]
        with self._producer() as producer:
            self._send(producer, self.sites[FED:], stamp)

    def feed(self) -> None:
        """Sends until it is stopped; a second that is missed is left out, as a real source does."""
        started = time.monotonic()
        with self._producer() as producer:
            while not self._stop.wait(1 - (time.monotonic() - started) % 1):
                now = time.monotonic()
                stamp = NOON + timedelta(seconds=round(now - started, 3))
                self.sent.append((stamp, now))
                self._send(producer, self.fed, stamp)

    def stop(self) -> None:
        self._stop.set()

    def when_sent(self, stamp: datetime) -> float:
        """When the first readings of that stamp or later were sent, by the monotonic clock."""
        return next(moment for sent, moment in self.sent if sent >= stamp)

    def _producer(self) -> EventHubProducerClient:
        return EventHubProducerClient.from_connection_string(self.stack.hubs, eventhub_name=READINGS_HUB)

    def _send(self, producer: EventHubProducerClient, sites: Sequence[Site], stamp: datetime) -> None:
        shards: dict[str, list[Reading]] = defaultdict(list)
        for site in sites:
            shards[shard_of(site.plant_id)].append(_reading(site, stamp, site.plant_id in self.dead))
        for shard, readings in shards.items():
            events: list[EventData | AmqpAnnotatedMessage] = [
                to_event(encode(readings[at : at + AN_EVENT])) for at in range(0, len(readings), AN_EVENT)
            ]
            producer.send_batch(events, partition_key=shard)


def _reading(site: Site, at: datetime, dead: bool) -> Reading:
    light = 0.72 + DICE.uniform(-0.03, 0.03)
    return Reading(
        v=1,
        plant_id=site.plant_id,
        source="field",
        observed_at=at,
        region=site.region,
        capacity_kw=site.capacity_kw,
        generation_kw=0.0 if dead else round(site.capacity_kw * light * 0.95, 2),
        poa_w_m2=round(1000 * light, 1),
        module_c=round(38 + DICE.uniform(-2, 2), 1),
        ambient_c=24.0,
        wind_m_s=2.5,
    )


def make_sites(count: int, seed: int = 7) -> list[Site]:
    """Plants around the middles of the provinces, none on another."""
    dice = random.Random(seed)
    provinces = [region for region in KOREA if region.code not in {"KR-11", "KR-26", "KR-28"}]
    sites = []
    for number in range(count):
        region = provinces[number % len(provinces)]
        sites.append(
            Site(
                plant_id=f"field-{number:05d}",
                name=f"{region.name} field {number}",
                region=region.code,
                latitude=region.latitude + dice.uniform(-0.25, 0.25),
                longitude=region.longitude + dice.uniform(-0.3, 0.3),
                capacity_kw=CAPACITY_KW,
            )
        )
    return sites


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


@pytest.fixture(scope="package")
def field(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    """A stack whose dashboard lets everyone act and knows 20,000 plants, of which the first 200 are fed.

    Each test takes plants of its own.
    """
    folder = tmp_path_factory.mktemp("field")
    with _environment("HELIOGRAPH_ACCESS", "open"), running_stack_in(folder, "--sources=none") as stack:
        running = Field(stack, make_sites(PLANTS))
        with BlobServiceClient.from_connection_string(stack.storage) as blobs:
            blobs.get_blob_client(SITES, "field.json").upload_blob(encode_sites(running.sites))
        feed = threading.Thread(target=running.feed, name="feed")
        feed.start()
        try:
            lit = eventually(lambda: _lit(running), lambda ok: ok >= FED - 1, 90)
            assert lit >= FED - 1
            assert len(running.plants()) == PLANTS
            yield running
        finally:
            running.stop()
            feed.join()


def _lit(field: Field) -> int:
    """Plants that the dashboard knows the place of and whose newest window is well."""
    return sum(row[3] is not None and row[6] == "ok" for row in field.plants().values())


@pytest.fixture
def open_page(browser: Browser, field: Field) -> Iterator[Callable[..., Page]]:
    """Opens the dashboard in a browser context of its own; what the page logs as an error fails the test."""
    contexts, errors = [], []

    def open_one(
        path: str = "", *, width: int = 1440, height: int = 900, theme: str = "dark", language: str = "en"
    ) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce")
        contexts.append(context)
        context.add_init_script(
            f"localStorage.setItem('heliograph.theme', '{theme}');"
            f"localStorage.setItem('heliograph.language', '{language}')"
        )
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if _is_refusal(message.text) else None)
        page.goto(f"{field.url}/{path}", wait_until="domcontentloaded")
        page.wait_for_selector(".liveness[data-state=live]", timeout=30_000)
        until(page, "document.querySelector('.legend-count').textContent !== '0'")
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert errors == []


def until(page: Page, condition: str, timeout_s: float = 30) -> float:
    """Waits frame by frame until an expression is true in the page; the time that it took, seconds.

    Playwright's own `wait_for_function` uses `eval`, which the page's content security policy forbids.
    """
    took: float | None = page.evaluate(_UNTIL.replace("CONDITION", condition), timeout_s)
    assert took is not None, f"not within {timeout_s:g} s: {condition}"
    return took


def _is_refusal(text: str) -> bool:
    """The content security policy refused something."""
    return "Content Security Policy" in text or "Content-Security-Policy" in text
