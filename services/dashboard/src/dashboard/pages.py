"""The page itself, from the built assets, and the headers that every answer carries."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ASSETS: Final = Path(__file__).parent / "static" / "app"

_HEADERS: Final = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
        b"font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
_NOT_BUILT: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Heliograph</title>
<h1>The page is not built yet</h1>
<p>Run <code>npm ci &amp;&amp; npm run build</code> in <code>services/dashboard/frontend</code>, or
<code>make up</code>, and load this page again. The API works without it: see
<a href="/api/v1/docs">its description</a>.</p></html>"""


class SafeHeaders:
    """Adds the security headers to every answer; a stream passes through untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS]
            await send(message)

        await self._app(scope, receive, send_with_headers)


class _Assets(StaticFiles):
    """Assets have a hash of their content in their names and may be kept; the page itself may not."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """As the base class, with how long it may be kept."""
        response = await super().get_response(path, scope)
        kept = "public, max-age=31536000, immutable" if path.startswith("assets/") else "no-cache"
        response.headers["cache-control"] = kept
        return response


def add_page(app: FastAPI, assets: Path = ASSETS) -> None:
    """Serves the built page at `/`, or a word on how to build it."""
    if (assets / "index.html").is_file():
        app.mount("/", _Assets(directory=assets, html=True), name="page")
        return

    @app.get("/", include_in_schema=False)
    async def not_built() -> HTMLResponse:
        return HTMLResponse(_NOT_BUILT, status_code=503)
