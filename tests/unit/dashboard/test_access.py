"""Who may read, who may act, and from where."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI, Request
from pydantic import ValidationError

from dashboard import routes_live
from dashboard.access import SESSION_COOKIE
from dashboard.app import build_app
from dashboard.broadcast import Broadcast
from dashboard.freshness import Arrivals
from dashboard.passwords import PasswordFileError, Sessions, parse_password_file
from dashboard.settings import DashboardSettings

TENANT = "11111111-2222-3333-4444-555555555555"
ACKNOWLEDGE = "/api/v1/alerts/p1%3Atrip%3Ax/acknowledge"
OWN = {"x-heliograph": "1"}
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def app(**settings) -> FastAPI:
    known = {"cosmos_endpoint": "http://x", "eventhub_namespace": "x", "storage_account": "x"}
    return build_app(DashboardSettings(**{**known, **settings}))


def entra_app(**settings) -> FastAPI:
    """Behind an authentication that has been seen at work."""
    of = app(access="entra", entra_tenant_id=TENANT, front_url="https://dash.example", **settings)
    of.state.gate.front.trouble = None
    return of


def client(of: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(of), base_url="http://dash.example")


def principal(name: str = "kim@example.org", tenant: str = TENANT, roles=(), **replaced) -> dict[str, str]:
    """The headers of Container Apps' authentication."""
    claims = [("tid", tenant), ("name", "Kim"), ("preferred_username", name), ("oid", "object-1")]
    claims += [("roles", role) for role in roles]
    body = {"auth_typ": "aad", "claims": [{"typ": kind, "val": value} for kind, value in claims]}
    headers = {
        "x-ms-client-principal": base64.b64encode(json.dumps(body).encode()).decode(),
        "x-ms-client-principal-name": name,
        "x-ms-client-principal-id": "object-1",
        "x-ms-client-principal-idp": "aad",
    }
    return {**headers, **replaced}


async def status(of: FastAPI, method: str, path: str, **options) -> int:
    async with client(of) as http:
        return (await http.request(method, path, **options)).status_code


STARTING = 503
"""What a request that was let in gets while the parts are not there."""


async def test_public_mode_reads_and_never_acts() -> None:
    """In the public mode everyone reads; to act is refused even from the page itself."""
    assert await status(app(access="public"), "GET", "/api/v1/plants") == STARTING
    assert await status(app(access="public"), "POST", ACKNOWLEDGE, json={"by": "x"}, headers=OWN) == 403


def test_reading_only_is_the_default() -> None:
    """Without a setting nobody may act."""
    assert DashboardSettings(cosmos_endpoint="x", eventhub_namespace="x", storage_account="x").access == "public"


async def test_open_mode_acts() -> None:
    """On a machine of one's own the page acts without a sign-in."""
    assert await status(app(access="open"), "POST", ACKNOWLEDGE, json={"by": "x"}, headers=OWN) == STARTING


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {**OWN, "origin": "http://evil.example"},
        {**OWN, "sec-fetch-site": "cross-site"},
        {**OWN, "sec-fetch-site": "same-site"},
        {**OWN, "origin": "null"},
    ],
)
async def test_another_site_can_not_act(headers) -> None:
    """Without our header, from another origin, or from a sibling site a request that changes something is refused."""
    assert await status(app(access="open"), "POST", ACKNOWLEDGE, json={"by": "x"}, headers=headers) == 403


async def test_no_other_site_is_given_permission() -> None:
    """A preflight from another site gets no permission, so a browser never sends our header for it."""
    preflight = {"origin": "http://evil.example", "access-control-request-method": "POST",
                 "access-control-request-headers": "x-heliograph"}  # fmt: skip
    async with client(app(access="open")) as http:
        answer = await http.options(ACKNOWLEDGE, headers=preflight)
    assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_every_route_that_tells_something_needs_a_sign_in() -> None:
    """With a sign-in required, no route of the API but the session's answers without one."""
    entra = entra_app()
    paths = entra.openapi()["paths"]
    free = {"/api/v1/session", "/api/v1/login", "/api/v1/logout"}
    for path in paths.keys() - free:
        for method in paths[path]:
            assert await status(entra, method, path.replace("{", "").replace("}", ""), headers=OWN) == 401, path


async def test_entra_lets_in_who_the_platform_signed_in() -> None:
    """Headers that fit together and name our tenant are a user; the session tells the name."""
    async with client(entra_app()) as http:
        answer = (await http.get("/api/v1/session", headers=principal())).json()
    assert (answer["user"], answer["can_act"]) == ("Kim", True)


@pytest.mark.parametrize(
    "headers",
    [
        {"x-ms-client-principal-name": "kim@example.org"},
        principal(tenant="another"),
        principal(**{"x-ms-client-principal-name": "lee@example.org"}),
        principal(**{"x-ms-client-principal-id": "object-2"}),
        principal(**{"x-ms-client-principal-idp": "github"}),
        principal(**{"x-ms-client-principal": "not base64!"}),
        principal(**{"x-ms-client-principal": base64.b64encode(b'{"claims": 5}').decode()}),
    ],
)
async def test_entra_headers_must_fit_together(headers) -> None:
    """A bare name, another tenant, or parts that contradict each other let nobody in."""
    assert await status(entra_app(), "GET", "/api/v1/plants", headers=headers) == 401


async def test_the_operator_role_is_needed_to_act() -> None:
    """Where a role is set, a user without it reads and does not act."""
    entra = entra_app(entra_operator_role="operator")
    body = {"json": {"note": "x"}}
    assert await status(entra, "POST", ACKNOWLEDGE, headers={**principal(), **OWN}, **body) == 403
    assert (
        await status(entra, "POST", ACKNOWLEDGE, headers={**principal(roles=["operator"]), **OWN}, **body) == STARTING
    )


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    file = tmp_path / "passwords"
    file.write_text(f"# operators\nkim:{CHEAP.hash('right')}\n")
    return file


async def test_a_password_signs_in(password_file: Path) -> None:
    """The right password gives a cookie that scripts can't read and other sites don't send, and that lets in."""
    async with client(app(access="password", password_file=password_file)) as http:
        assert (await http.get("/api/v1/plants")).status_code == 401
        body = {"name": "kim", "password": "right"}
        assert (await http.post("/api/v1/login", json=body)).status_code == 403, "not from the page"
        answer = await http.post("/api/v1/login", json=body, headers=OWN)
        assert answer.status_code == 204
        assert {"httponly", "samesite=strict"} <= {
            part.strip().lower() for part in answer.headers["set-cookie"].split(";")
        }
        assert (await http.get("/api/v1/plants")).status_code == STARTING
        assert (await http.get("/api/v1/session")).json()["user"] == "kim"
        await http.post("/api/v1/logout", headers=OWN)
        assert (await http.get("/api/v1/plants")).status_code == 401


@pytest.mark.parametrize("body", [{"name": "kim", "password": "wrong"}, {"name": "lee", "password": "right"}])
async def test_a_wrong_password_does_not(password_file: Path, body) -> None:
    """A wrong password and an unknown name are refused in the same words."""
    async with client(app(access="password", password_file=password_file)) as http:
        answer = await http.post("/api/v1/login", json=body, headers=OWN)
    assert (answer.status_code, answer.json()["detail"]) == (401, "name and password do not fit")


async def test_cookies_end_and_can_not_be_forged(password_file: Path) -> None:
    """A cookie ends after its hours, with any change to it, and when its name's password changes."""
    now = [1000.0]
    content = password_file.read_text()
    sessions = Sessions(content, hours=1, clock=lambda: now[0])
    cookie = await sessions.sign_in("kim", "right")
    assert cookie is not None
    assert sessions.name_of(cookie) == "kim"
    payload, _, signature = cookie.partition(".")
    for forged in (f"{signature}.{payload}", f"x{cookie}", payload, f"{payload}.", f"{payload}.{signature[::-1]}", ""):
        assert sessions.name_of(forged) is None
    assert Sessions(content, hours=1, clock=lambda: now[0]).name_of(cookie) == "kim", "another replica accepts it"
    assert Sessions(f"{content}\nlee:{CHEAP.hash('x')}", hours=1, clock=lambda: now[0]).name_of(cookie) is None
    now[0] += 3601
    assert sessions.name_of(cookie) is None


async def test_a_stream_ends_with_its_sign_in(password_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who listens when the sign-in ends is told nothing more, not even what already waits."""
    now = [1000.0]
    monkeypatch.setattr(routes_live, "HEARTBEAT_S", 0.0)
    of = app(access="password", password_file=password_file)
    sessions = of.state.gate.sessions = Sessions(password_file.read_text(), hours=1, clock=lambda: now[0])
    cookie = await sessions.sign_in("kim", "right")
    request = Request({"type": "http", "app": of, "headers": [(b"cookie", f"{SESSION_COOKIE}={cookie}".encode())]})
    parts = SimpleNamespace(broadcast=Broadcast(10**6), arrivals=Arrivals(datetime.now(UTC)))
    parts.settings = SimpleNamespace(stale_after_s=60)
    stream = (await routes_live.events(request, parts)).body_iterator
    assert b"retry" in await anext(stream)
    assert b"heartbeat" in await anext(stream)
    parts.broadcast.send_unkept(b"while signed in")
    assert await anext(stream) == b"while signed in"
    now[0] += 3601
    parts.broadcast.send_unkept(b"afterwards")
    assert await anext(stream, None) is None
    assert not parts.broadcast.pages


def test_a_broken_password_file_stops_the_start() -> None:
    """A file that names nobody or holds a plain password is refused with its line."""
    with pytest.raises(PasswordFileError, match="line 2"):
        parse_password_file(f"kim:{CHEAP.hash('x')}\nlee:plain")
    with pytest.raises(PasswordFileError, match="nobody"):
        parse_password_file("# none\n")


@pytest.mark.parametrize("access", ["entra", "password"])
def test_a_mode_without_its_settings_stops_the_start(access: str) -> None:
    """A sign-in that can't work is an error at start, not an open door."""
    with pytest.raises(ValidationError, match="needs HELIOGRAPH_"):
        app(access=access)


async def test_headers_of_every_answer() -> None:
    """Every answer, errors too, forbids inline script, framing and sniffing."""
    async with client(app(access="open")) as http:
        for path in ("/api/v1/session", "/api/v1/plants", "/nowhere"):
            answer = await http.get(path)
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert answer.headers["x-content-type-options"] == "nosniff"


async def test_the_api_describes_itself() -> None:
    """Every route of the API is in the OpenAPI document with a summary."""
    paths = app(access="open").openapi()["paths"]
    assert len(paths) > 15
    assert all(route["summary"] for methods in paths.values() for route in methods.values())


async def test_the_reference_page_needs_no_script() -> None:
    """The API's description is a plain page that names every route and loads nothing."""
    of = app(access="open")
    async with client(of) as http:
        page = (await http.get("/api/v1/docs")).text
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert all(path in page for path in of.openapi()["paths"])
