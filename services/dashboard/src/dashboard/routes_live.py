"""The session, the state of the data, and the live feed."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, HTTPException, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from dashboard import metrics
from dashboard.access import SESSION_COOKIE, EntraGate, PasswordGate, gate_of, own_page
from dashboard.answers import json_answer
from dashboard.broadcast import Broadcast, Page
from dashboard.cursor import decode, encode
from dashboard.doors import refusals
from dashboard.feed import sse
from dashboard.freshness import status
from dashboard.front import PATH, PRINCIPAL_HEADERS
from dashboard.parts import Parts, parts_of
from dashboard.settings import ZONE

live_routes = APIRouter(tags=["live"])
session_routes = APIRouter(tags=["session"], responses=refusals(401, 403, 404, 422))
TheParts = Annotated[Parts, Depends(parts_of)]

RETRY_MS = 1000
"""How long a page waits before it connects again."""
HEARTBEAT_S = 5.0
CATCH_UP_S = 10.0
"""After this a page is let in all the same: it then sees at least how old the data is."""


class SignIn(BaseModel):
    """Name and password."""

    name: str = Field(max_length=64)
    password: str = Field(max_length=1024)


@session_routes.get("/session", summary="Who is asking, and what they may do")
async def session(request: Request) -> Response:
    gate = gate_of(request)
    user = gate.user(request)
    body = {
        "mode": gate.mode,
        "user": user.name if user else None,
        "can_act": user.can_act if user else False,
        "sign_in": gate.sign_in if user is None else None,
        "trouble": gate.front.trouble if isinstance(gate, EntraGate) else None,
        "timezone": ZONE.key,
    }
    return json_answer(request, body)


@session_routes.get(PATH.removeprefix("/api/v1"), include_in_schema=False)
async def front(request: Request) -> Response:
    """What is left of sign-in headers by the time that they get here; see `dashboard.front`."""
    return json_answer(request, {"principal": any(name in request.headers for name in PRINCIPAL_HEADERS)})


@session_routes.post("/login", status_code=204, summary="Signs in, where there is a password file")
async def login(request: Request, body: SignIn) -> Response:
    own_page(request)
    gate = gate_of(request)
    if not isinstance(gate, PasswordGate):
        raise HTTPException(404, "there is no sign-in by password here")
    cookie = await gate.sessions.sign_in(body.name, body.password)
    if cookie is None:
        raise HTTPException(401, "name and password do not fit")
    response = Response(status_code=204)
    response.set_cookie(
        SESSION_COOKIE,
        cookie,
        max_age=gate.sessions.seconds,
        httponly=True,
        samesite="strict",
        secure="https" in (request.url.scheme, request.headers.get("x-forwarded-proto")),
    )
    return response


@session_routes.post("/logout", status_code=204, summary="Signs out")
async def logout(request: Request) -> Response:
    own_page(request)
    response = Response(status_code=204)
    response.delete_cookie(SESSION_COOKIE)
    return response


@live_routes.get("/status", summary="How old the data is, and which service is to blame")
async def data_status(request: Request, parts: TheParts) -> Response:
    counts = {
        "plants": len(parts.fleet.plants),
        "sites": len(parts.sites.all()),
        "open_alerts": parts.fleet.all_open_alerts,
        "pages": len(parts.broadcast.pages),
    }
    return json_answer(request, {**present_status(parts), "counts": counts})


def present_status(parts: Parts) -> dict[str, Any]:
    """The state of the data now."""
    return status(parts.arrivals, datetime.now(UTC), parts.settings.stale_after_s)


@live_routes.get(
    "/events",
    summary="Server-sent events: what changes, as it changes",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}},
)
async def events(
    request: Request, parts: TheParts, last_event_id: Annotated[str | None, Header()] = None
) -> StreamingResponse:
    gate = gate_of(request)
    stream = stream_events(
        parts.broadcast, last_event_id, present_status(parts), lambda: gate.user(request) is not None
    )
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


async def stream_events(
    broadcast: Broadcast,
    last_event_id: str | None,
    present: object,
    may_read: Callable[[], bool],
    clock: Callable[[], float] = time.monotonic,
) -> AsyncIterator[bytes]:
    """First what the page has missed, or the present status, then what comes, until it leaves, can't keep up, may not
    read any more, or the service stops. A dashboard that just started reads the past first, which is no news to a
    page."""
    yield f"retry: {RETRY_MS}\n\n".encode()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(broadcast.caught_up.wait(), CATCH_UP_S)
    page = Page()
    broadcast.pages.add(page)
    metrics.PAGES.set(len(broadcast.pages))
    try:
        yield _beginning(broadcast, last_event_id, present)
        asked_s = clock()
        while not (page.cut_off or broadcast.closed):
            await page.woken.wait()
            if clock() >= asked_s + HEARTBEAT_S:  # heartbeats wake a page when nothing else does
                asked_s = clock()
                if not may_read():
                    break
            if data := page.take():
                yield data
        if page.cut_off:
            metrics.SLOW_PAGES.inc()
    finally:
        broadcast.pages.discard(page)
        metrics.PAGES.set(len(broadcast.pages))


def _beginning(broadcast: Broadcast, last_event_id: str | None, present: object) -> bytes:
    cursor = decode(last_event_id or "")
    missed = broadcast.missed(cursor) if cursor else []
    if cursor:
        metrics.RESUMED.labels("reset" if missed is None else "resumed").inc()
    if missed:
        return b"".join(frame.data for frame in missed)
    here = encode(broadcast.cursor())
    return sse("reset", {}, here) if missed is None else sse("heartbeat", present, here)
