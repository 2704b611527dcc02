"""Sign-in headers are believed only where something in front keeps made-up ones out."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from dashboard.app import build_app
from dashboard.front import Front
from dashboard.settings import DashboardSettings

TENANT = "11111111-2222-3333-4444-555555555555"
SESSION = "/api/v1/session"


def made_up() -> dict[str, str]:
    """Headers that fit together and name the tenant, as anybody can write them: tenant ids are no secret."""
    claims = [{"typ": kind, "val": value} for kind, value in (("tid", TENANT), ("name", "Eve"), ("oid", "object-1"))]
    return {
        "x-ms-client-principal": base64.b64encode(json.dumps({"claims": claims}).encode()).decode(),
        "x-ms-client-principal-name": "Eve",
        "x-ms-client-principal-id": "object-1",
        "x-ms-client-principal-idp": "aad",
    }


@asynccontextmanager
async def served(app: Starlette) -> AsyncIterator[str]:
    """The app on a real port; yields its address."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="off"))
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await running


def dashboard(front_url: str) -> FastAPI:
    return build_app(
        DashboardSettings(
            access="entra", entra_tenant_id=TENANT, front_url=front_url,
            cosmos_endpoint="http://x", eventhub_namespace="x", storage_account="x",
        )
    )  # fmt: skip


def platform(answer: Callable[[Request], Response]) -> Starlette:
    """What stands in front, played by a local server that answers everything in one way."""
    return Starlette(routes=[Route("/{path:path}", answer)])


async def test_made_up_headers_let_nobody_in_where_nothing_is_in_front() -> None:
    """A dashboard that its users reach directly finds its own made-up headers coming through, and believes none."""
    of = dashboard("http://127.0.0.1:9")
    async with served(of) as url, httpx.AsyncClient(base_url=url) as http:
        of.state.gate.front.url = url
        await of.state.gate.front.look(http)
        session = (await http.get(SESSION, headers=made_up())).json()
        assert (await http.get("/api/v1/plants", headers=made_up())).status_code == 401
    assert session["user"] is None
    assert "lets made-up sign-in headers through" in session["trouble"]


async def test_before_the_first_look_nobody_is_believed() -> None:
    """A process that has just started has no proof yet."""
    transport = httpx.ASGITransport(dashboard("https://dash.example"))
    async with httpx.AsyncClient(transport=transport, base_url="https://dash.example") as http:
        assert (await http.get("/api/v1/plants", headers=made_up())).status_code == 401


def stripped(_request: Request) -> Response:
    return Response(json.dumps({"principal": False}))


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        (lambda request: Response(status_code=401), None),
        (lambda request: RedirectResponse("https://login.windows.net/common"), None),
        (lambda request: RedirectResponse("/.auth/login/aad"), None),
        (stripped, None),
        (lambda request: RedirectResponse("/elsewhere"), "sends on to /elsewhere"),
        (lambda request: Response(json.dumps({"principal": True})), "lets made-up"),
        (lambda request: Response("<h1>It works!</h1>"), "not as this dashboard does"),
        (lambda request: Response("RBAC: access denied", status_code=403), "let its own address in"),
        (lambda request: Response(status_code=502), "answers 502"),
    ],
)
async def test_what_proves_a_sign_in(answer: Callable[[Request], Response], trouble: str | None) -> None:
    """A refusal, a way to a sign-in and headers that were taken away prove it; anything else does not."""
    async with served(platform(answer)) as url, httpx.AsyncClient() as http:
        front = Front(url)
        await front.look(http)
    assert (front.trouble is None) is (trouble is None), front.trouble
    assert (trouble or "") in (front.trouble or "")


async def test_a_front_that_does_not_answer_proves_nothing() -> None:
    """Without an answer headers are not believed, even if they were before."""
    front = Front("http://127.0.0.1:9")
    front.trouble = None
    async with httpx.AsyncClient() as http:
        await front.look(http)
    assert "does not answer" in (front.trouble or "")


def test_away_from_container_apps_the_way_in_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Container Apps says its own address; anywhere else a setting must, or the start fails."""
    monkeypatch.setenv("CONTAINER_APP_HOSTNAME", "dash--1.example.azurecontainerapps.io")
    known = {"access": "entra", "entra_tenant_id": TENANT, "cosmos_endpoint": "x", "eventhub_namespace": "x",
             "storage_account": "x"}  # fmt: skip
    assert DashboardSettings(**known).front_url == "https://dash--1.example.azurecontainerapps.io"
    monkeypatch.delenv("CONTAINER_APP_HOSTNAME")
    with pytest.raises(ValueError, match="HELIOGRAPH_FRONT_URL"):
        DashboardSettings(**known)
