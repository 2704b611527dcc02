"""The web application of ingest: its face to integrators is the OpenAPI document at `/openapi.json` and `/docs`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exception_handlers import request_validation_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from starlette.routing import BaseRoute, Match, Route

from ingest.push import add_schemas

DESCRIPTION = """
Push readings of solar plants, and operators' notes.

- Plants must be in the site registry.
- Times are ISO 8601 with an offset and mark the **end** of the interval that the values stand for. Powers are AC kW.
- (`plant_id`, `source`, `observed_at`) identifies a reading: sending it again changes nothing, sending it with other
  values is taken as a revision.
- `429` and `503` come with `Retry-After`: wait that many seconds and send the same body again.
"""


def build_app() -> FastAPI:
    """The application without the routes that need the running service."""
    app = FastAPI(title="Heliograph ingest", version="1", description=DESCRIPTION, redoc_url=None)

    def openapi() -> dict[str, Any]:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        return add_schemas(document)

    async def not_allowed(request: Request, _error: Exception) -> Response:
        return JSONResponse(
            {"detail": "Method Not Allowed"}, 405, {"Allow": ", ".join(sorted(_methods(app.routes, request)))}
        )

    async def invalid(request: Request, error: Exception) -> Response:
        """The framework answers 422 to what is no JSON at all."""
        assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it alone
        broken = next((fault for fault in error.errors() if fault["type"] == "json_invalid"), None)
        if broken is None:
            return await request_validation_exception_handler(request, error)
        return JSONResponse({"detail": f"the body is no JSON: {broken['ctx']['error']} at {broken['loc'][-1]}"}, 400)

    app.add_exception_handler(405, not_allowed)
    app.add_exception_handler(RequestValidationError, invalid)
    app.openapi = openapi  # type: ignore[method-assign]
    return app


def _methods(routes: Sequence[BaseRoute], request: Request) -> set[str]:
    """What a path answers to, over all routes that share it: the framework names those of the first alone."""
    found: set[str] = set()
    for route in routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            found |= route.methods or set()
    return found
