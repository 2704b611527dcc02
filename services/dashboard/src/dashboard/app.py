"""The app: its routes, its gate and its headers."""

from __future__ import annotations

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError

from dashboard import reference, routes_alerts, routes_export, routes_plants, routes_records, routes_regions
from dashboard.access import EntraGate, Gate, OpenGate, PasswordGate, PublicGate, reader
from dashboard.doors import NEIGHBOURS_FAIL, BoundedBodies, neighbour_fails, refusals, wrong_input
from dashboard.front import Front
from dashboard.pages import SafeHeaders
from dashboard.passwords import Sessions
from dashboard.routes_live import live_routes, session_routes
from dashboard.settings import DashboardSettings

PREFIX = "/api/v1"
_ROUTES = (
    routes_regions.routes, routes_alerts.routes, routes_records.routes, routes_plants.routes, routes_export.routes,
    live_routes,
)  # fmt: skip
"""In this order: a plant's id may hold slashes, so what lies below it is looked for first."""


def build_app(settings: DashboardSettings) -> FastAPI:
    """The app with all routes; they answer 503 until the parts are there."""
    app = FastAPI(
        title="Heliograph",
        version="1",
        description="Solar plants in real time. Requests that change something need the header `X-Heliograph: 1`.",
        docs_url=None,
        redoc_url=None,
        openapi_url=f"{PREFIX}/openapi.json",
    )
    app.state.gate = open_gate(settings)
    for kind in NEIGHBOURS_FAIL:
        app.add_exception_handler(kind, neighbour_fails)
    app.add_exception_handler(RequestValidationError, wrong_input)
    app.add_middleware(BoundedBodies, max_upload_bytes=int(settings.max_photo_mb * 1024 * 1024))
    app.add_middleware(SafeHeaders)
    app.include_router(session_routes, prefix=PREFIX)
    app.include_router(reference.routes, prefix=PREFIX)
    for routes in _ROUTES:
        app.include_router(routes, prefix=PREFIX, dependencies=[Depends(reader)], responses=refusals(401, 422, 503))
    return app


def open_gate(settings: DashboardSettings) -> Gate:
    """The gate of the chosen mode. Raises `PasswordFileError` and `OSError` for a password file that can't be used."""
    match settings.access:
        case "entra":
            front = Front(settings.front_url or "")
            return EntraGate(settings.entra_tenant_id or "", settings.entra_operator_role, front)
        case "password" if settings.password_file:
            return PasswordGate(Sessions(settings.password_file.read_text(), hours=settings.session_hours))
        case "open":
            return OpenGate()
        case _:
            return PublicGate()
