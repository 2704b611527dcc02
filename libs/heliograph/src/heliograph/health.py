"""`/healthz` (alive), `/readyz` (really able to work) and `/metrics`, the same on every service."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

PROBE_TIMEOUT_S = 5.0
HEALTH_PATHS = ("/healthz", "/readyz", "/metrics")

Probe = Callable[[], Awaitable[object]]


class Readiness:
    """The probes that must pass for the service to be called ready; each raises when it can't work."""

    def __init__(self) -> None:
        self._probes: dict[str, Probe] = {}

    def add(self, name: str, probe: Probe) -> None:
        """A probe under a name that an operator understands, e.g. `hub readings`."""
        self._probes[name] = probe

    @property
    def is_starting(self) -> bool:
        """A service without probes has not got so far yet."""
        return not self._probes

    async def failures(self) -> dict[str, str]:
        """Why each failing probe failed; empty when all pass."""
        if self.is_starting:
            return {"start": "the service is still starting"}
        reasons = await asyncio.gather(*(_try(probe) for probe in self._probes.values()))
        return {name: reason for name, reason in zip(self._probes, reasons, strict=True) if reason}


async def _try(probe: Probe) -> str | None:
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            await probe()
    except TimeoutError:
        return f"no answer within {PROBE_TIMEOUT_S:g} s"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def health_routes(service: str, readiness: Readiness, stopping: asyncio.Event) -> APIRouter:
    """The three routes. The process ends when its work ends, so that an answer at all means that it lives."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/healthz")
    async def healthz() -> JSONResponse:
        return JSONResponse({"service": service, "status": "alive"})

    @routes.get("/readyz")
    async def readyz() -> JSONResponse:
        failures = {"shutdown": "draining"} if stopping.is_set() else await readiness.failures()
        body = {"service": service, "status": "not ready" if failures else "ready", "failures": failures}
        return JSONResponse(body, status_code=503 if failures else 200)

    @routes.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return routes
