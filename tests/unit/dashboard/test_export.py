"""Exports take turns and are bounded, and a question that is wrong is told so, whoever asks and however often."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import httpx
import pytest

from dashboard import routes_export
from dashboard.app import build_app
from dashboard.broadcast import Broadcast
from dashboard.fleet import Changes, Fleet
from dashboard.freshness import Arrivals
from dashboard.history import History
from dashboard.parts import Parts
from dashboard.settings import DashboardSettings
from heliograph.contracts import PlantWindow
from heliograph.sites import SiteBook

START = datetime(2026, 6, 1, 3, tzinfo=UTC)
DAYS = "/api/v1/export?what=days&from=2026-06-01T00:00:00Z&to=2026-06-{:02d}T00:00:00Z"


class Gated:
    """A store whose answers, `found`, wait for `opened`; counts who waits at once."""

    def __init__(self) -> None:
        self.found: list[dict] = []
        self.texts: list[str] = []
        self.opened, self.asked = asyncio.Event(), asyncio.Event()
        self.waiting = self.most = 0

    async def query(self, _label: str, _spec: object, text: str, *_parameters, **_options) -> list:
        self.texts.append(text)
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        self.asked.set()
        await self.opened.wait()
        self.waiting -= 1
        return self.found


def window(plant_id: str) -> PlantWindow:
    return PlantWindow(v=1, plant_id=plant_id, region="KR-46", window="10s", window_start=START, revision=0, readings=1,
                       window_end=START + timedelta(seconds=10), capacity_kw=10.0, state="ok")  # fmt: skip


@pytest.fixture
def store() -> Gated:
    return Gated()


@pytest.fixture
def http(store: Gated) -> httpx.AsyncClient:
    """The API in the mode in which anybody may ask, with a fleet of ten plants."""
    settings = DashboardSettings(cosmos_endpoint="http://x", eventhub_namespace="x", storage_account="x")
    fleet = Fleet()
    fleet.apply([window(f"p{n}") for n in range(10)], Changes())
    unused = SimpleNamespace()
    of = build_app(settings)
    of.state.parts = Parts(
        settings=settings, fleet=fleet, sites=SiteBook(), broadcast=Broadcast(1), feed=unused, store=store,
        history=History(store, cells=16, zone=ZoneInfo("Asia/Seoul")), sender=unused, uploads=unused,
        thumbnails=unused, arrivals=Arrivals(watched_since=START),
    )  # fmt: skip
    return httpx.AsyncClient(transport=httpx.ASGITransport(of), base_url="http://dash.example")


async def test_one_export_is_made_at_a_time(store: Gated, http: httpx.AsyncClient) -> None:
    """Those who ask meanwhile wait for their turn and get their file."""
    asking = [asyncio.ensure_future(http.get(DAYS.format(2))) for _ in range(4)]
    await store.asked.wait()
    await asyncio.sleep(0.1)  # time in which the others would ask
    store.opened.set()
    assert [answer.status_code for answer in await asyncio.gather(*asking)] == [200] * 4
    assert store.most == 1


async def test_who_waits_too_long_for_an_export_is_told_to_come_back(
    store: Gated, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A turn that does not come within the time of an answer is a 503 with Retry-After, and the next one comes."""
    monkeypatch.setattr(routes_export, "ANSWER_S", 0.05)
    first = asyncio.ensure_future(http.get(DAYS.format(2)))
    await store.asked.wait()
    late = await http.get(DAYS.format(2))
    assert (late.status_code, late.headers["retry-after"]) == (503, "5")
    assert "another export" in late.json()["detail"]
    store.opened.set()
    assert (await first).status_code == 200
    assert (await http.get(DAYS.format(2))).status_code == 200


async def test_a_question_that_is_wrong_holds_no_turn(store: Gated, http: httpx.AsyncClient) -> None:
    """After an export that was refused the next one is made."""
    store.opened.set()
    assert (await http.get("/api/v1/export?what=windows")).status_code == 400
    assert (await http.get(DAYS.format(2))).status_code == 200


async def test_days_of_all_plants_are_bounded(
    store: Gated, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More rows than memory is there for are refused with 400, before anything is read."""
    assert routes_export.MAX_DAYS <= 100_000
    monkeypatch.setattr(routes_export, "MAX_DAYS", 50)
    store.opened.set()
    assert (await http.get(DAYS.format(6))).status_code == 200
    answer = await http.get(DAYS.format(7))
    assert answer.status_code == 400
    assert "10 plants over 6 days are over 50 rows" in answer.json()["detail"]


async def test_no_export_of_alerts_ends_early(
    store: Gated, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many alerts as memory is there for are a file of all of them, and one more is a 400 that says what to do."""
    assert routes_export.MAX_ALERTS <= 30_000
    monkeypatch.setattr(routes_export, "MAX_ALERTS", 3)
    store.opened.set()
    store.found = [{"alert_id": f"p{n}:trip:x"} for n in range(3)]
    assert len((await http.get("/api/v1/export?what=alerts")).text.splitlines()) == 1 + 3
    assert "LIMIT 4" in store.texts[-1]
    assert "c.actions" not in store.texts[-1], "what the file does not hold is not read"
    store.found.append({"alert_id": "p4:trip:x"})
    answer = await http.get("/api/v1/export?what=alerts")
    assert answer.status_code == 400
    assert "over 3 alerts: ask for fewer days" in answer.json()["detail"]


async def test_an_export_is_kept_by_no_cache(store: Gated, http: httpx.AsyncClient) -> None:
    """A file that a sign-in was needed for is not left in a browser that others use."""
    store.opened.set()
    assert (await http.get(DAYS.format(2))).headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("alerts?region=KR-999", 404, ["KR-999"]),
        ("export?what=days&region=KR-999", 404, ["KR-999"]),
        ("export?what=alerts&region=KR-999", 404, ["KR-999"]),
        ("alerts?from=2026-06-02T00:00:00Z&to=2026-06-01T00:00:00Z", 400, ["2026-06-02", "2026-06-01"]),
        ("alerts?rule=tripp", 422, ["query rule", "'tripp'"]),
        ("alerts?limit=0&state=odd", 422, ["query limit", "'0'", "query state", "'odd'"]),
        ("at", 422, ["query time", "required"]),
        ("nation/day?date=soon", 422, ["query date", "'soon'"]),
        ("export?what=odd", 422, ["query what", "'odd'"]),
    ],
)
async def test_what_is_wrong_with_a_question_is_told_in_words(
    store: Gated, http: httpx.AsyncClient, path: str, status: int, words: list[str]
) -> None:
    """An unknown name or a range without any time is no empty list, and each refusal is one text that names every
    field and what it was given."""
    store.opened.set()
    answer = await http.get(f"/api/v1/{path}")
    assert answer.status_code == status
    detail = answer.json()["detail"]
    assert isinstance(detail, str)
    assert [word for word in words if word not in detail] == []


@pytest.mark.parametrize("body", [{"name": "kim", "password": 20261127}, {"password": "20261127"}, ["20261127"]])
async def test_a_refusal_repeats_no_password(http: httpx.AsyncClient, body: object) -> None:
    """What was typed as a password stands in no answer, however the request is malformed."""
    answer = await http.post("/api/v1/login", json=body, headers={"x-heliograph": "1"})
    assert answer.status_code == 422
    assert "20261127" not in answer.text
