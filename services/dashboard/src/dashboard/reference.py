"""The API described as a plain page: no script, no style, nothing from elsewhere, so that the strict policy holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

routes = APIRouter(include_in_schema=False)


@routes.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """All routes with their parameters."""
    return HTMLResponse(reference_page(request.app.openapi()))


def reference_page(openapi: Mapping[str, Any]) -> str:
    """The page for an OpenAPI document."""
    info = openapi["info"]
    body = "".join(_route(path, method, route) for path, methods in openapi["paths"].items()
                   for method, route in methods.items())  # fmt: skip
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(info["title"])} API</title>'
        f"<h1>{escape(info['title'])} API</h1><p>{escape(info['description'])}</p>"
        f'<p>For machines: <a href="openapi.json">openapi.json</a></p>{body}</html>'
    )


def _route(path: str, method: str, route: Mapping[str, Any]) -> str:
    items = "".join(_parameters(route))
    return (
        f"<h2><code>{method.upper()} {escape(path)}</code></h2><p>{escape(route.get('summary', ''))}</p>"
        f"{f'<ul>{items}</ul>' if items else ''}"
    )


def _parameters(route: Mapping[str, Any]) -> Iterator[str]:
    for parameter in route.get("parameters", ()):
        needed = "required" if parameter.get("required") else "optional"
        allowed = parameter["schema"].get("enum") or parameter["schema"].get("pattern") or ""
        words = [parameter["in"], needed, str(allowed), parameter.get("description", "")]
        yield f"<li><code>{escape(parameter['name'])}</code>: {escape(', '.join(word for word in words if word))}</li>"
