"""The admin API, call for call as Azure Functions has it, so that its tools and habits go on working."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, ValidationError

from ingest.alarms import Alarms
from ingest.authority import Authority, DeniedError
from ingest.request_body import read_body
from ingest.schedule.status import Status
from ingest.schedule.timer import Timer

DrainState = Literal["Disabled", "InProgress", "Completed"]


class Trigger(BaseModel):
    """What Azure has a run told; no source takes any."""

    model_config = ConfigDict(strict=True)

    input: str | None = None


class Host:
    """What the admin API looks at and turns."""

    def __init__(
        self,
        timers: Sequence[Timer],
        alarms: Alarms,
        replica: str,
        *,
        outstanding: Callable[[], Mapping[str, int]],
        loaded: Callable[[], bool],
        stopping: Callable[[], bool],
    ) -> None:
        self.timers = {timer.job.name: timer for timer in timers}
        self._alarms = alarms
        self._replica = replica
        self._outstanding = outstanding
        self.loaded = loaded
        self.stopping = stopping
        self.draining = False
        self._begun_s = time.monotonic()

    def status(self) -> dict[str, Any]:
        """State, version and errors, with the names that Azure gives them."""
        state = "Stopping" if self.stopping() else "Draining" if self.draining else "Running"
        return {
            "id": "heliograph-ingest",
            "instanceId": self._replica,
            "state": state,
            "version": version("heliograph-ingest"),
            "processUptime": int((time.monotonic() - self._begun_s) * 1000),
            "errors": [f"{subject}: {reason}" for subject, reason in self._alarms.standing.items()],
        }

    def drain(self) -> None:
        """No new runs, no new pushes; what is under way is finished."""
        self.draining = True
        for timer in self.timers.values():
            timer.enabled.clear()

    def resume(self) -> None:
        """Takes up work again."""
        self.draining = False
        for timer in self.timers.values():
            timer.enabled.set()

    def drain_status(self) -> dict[str, Any]:
        """How far the drain is."""
        outstanding = {**self._outstanding(), "runs": sum(timer.running for timer in self.timers.values())}
        state: DrainState = "Disabled"
        if self.draining:
            state = "InProgress" if any(outstanding.values()) else "Completed"
        return {"state": state, "outstandingInvocations": outstanding["runs"], "outstanding": outstanding}


def _metadata(timer: Timer) -> dict[str, Any]:
    return {
        "name": timer.job.name,
        "trigger": "timerTrigger",
        "schedule": timer.schedule.text,
        "timezone": timer.schedule.zone,
        "isDisabled": not timer.enabled.is_set(),
        "ownedHere": timer.owned,
        "running": timer.running,
    }


def _status(timer: Timer, status: Status) -> dict[str, Any]:
    return {
        "name": timer.job.name,
        "errors": [status.last_error] if status.last_error else [],
        "owner": status.owner,
        "token": status.token,
        "last": status.last_start,
        "lastDue": status.last_due,
        "lastResult": status.last_result,
        "lastSuccess": status.last_success,
        "isPastDue": status.past_due,
        "next": status.next_due,
        "lastUpdated": status.last_end,
        "runs": status.runs,
        "failures": status.failures,
        "cursor": status.cursor,
    }


def admin_routes(host: Host, authority: Authority) -> APIRouter:
    """The routes; all but `ping` want the master key."""

    def administrator(
        key: Annotated[str | None, Header(alias="x-functions-key")] = None,
        code: Annotated[str | None, Query(description="the key, where a header can't be sent")] = None,
    ) -> None:
        try:
            authority.may_administer(key if key is not None else code)
        except DeniedError as error:
            raise HTTPException(401, str(error)) from None

    routes = APIRouter(prefix="/admin", tags=["admin"])
    guarded = APIRouter(dependencies=[Depends(administrator)], responses={401: {"description": "not the master key"}})

    def timer_of(name: str) -> Timer:
        if name not in host.timers:
            raise HTTPException(404, f"no function {name!r}; there are {', '.join(sorted(host.timers)) or 'none'}")
        return host.timers[name]

    _function_routes(guarded, host, timer_of)
    _host_routes(guarded, host)

    @routes.get("/host/ping", response_class=Response, responses={429: {"description": "loaded"}})
    @routes.post("/host/ping", response_class=Response, responses={429: {"description": "loaded"}})
    async def ping() -> Response:
        """Whether the host can take more; needs no key."""
        return Response(status_code=429 if host.loaded() else 200)

    routes.include_router(guarded)
    return routes


def _function_routes(routes: APIRouter, host: Host, timer_of: Callable[[str], Timer]) -> None:
    unknown: dict[int | str, dict[str, Any]] = {404: {"description": "no such function"}}

    @routes.get("/functions")
    async def functions() -> list[dict[str, Any]]:
        """The schedules of this service."""
        return [_metadata(timer) for timer in host.timers.values()]

    @routes.get("/functions/{name}", responses=unknown)
    async def function(name: str) -> dict[str, Any]:
        """One of them."""
        return _metadata(timer_of(name))

    @routes.get("/functions/{name}/status", responses=unknown)
    async def function_status(name: str) -> dict[str, Any]:
        """Its last run, whichever replica made it, and the next."""
        timer = timer_of(name)
        return _status(timer, await timer.stored_status())

    @routes.post(
        "/functions/{name}",
        status_code=202,
        response_class=Response,
        responses={**unknown, 400: {"description": "no body, or another than this"}},
        openapi_extra={"requestBody": _TRIGGER_BODY},
    )
    async def trigger(name: str, request: Request) -> Response:
        """Runs it now, on the replica that owns it."""
        timer = timer_of(name)
        _check_trigger(await read_body(request))
        await timer.trigger()
        return Response(status_code=202)


_TRIGGER_BODY: dict[str, Any] = {
    "required": True,
    "content": {"application/json": {"schema": Trigger.model_json_schema()}},
}


def _check_trigger(body: bytes) -> None:
    if not body.strip():
        raise HTTPException(400, 'a body is needed, at least {"input": ""}')
    try:
        Trigger.model_validate_json(body)
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(map(str, fault["loc"])) or "body"
        raise HTTPException(400, f"{place}: {fault['msg']}, given {fault['input']!r:.200}") from None


def _host_routes(routes: APIRouter, host: Host) -> None:
    @routes.get("/host/status")
    async def host_status() -> dict[str, Any]:
        """State, version, uptime in ms, and what is wrong."""
        return host.status()

    @routes.post("/host/drain", status_code=202)
    async def drain() -> JSONResponse:
        """Finishes what is under way and takes nothing new."""
        host.drain()
        return JSONResponse(host.drain_status(), status_code=202)

    @routes.get("/host/drain/status")
    async def drain_status() -> dict[str, Any]:
        """`Disabled`, `InProgress` or `Completed`, with what is outstanding."""
        return host.drain_status()

    @routes.post("/host/resume", responses={409: {"description": "the host is shutting down"}})
    async def resume() -> dict[str, Any]:
        """Takes up work again after a drain."""
        if host.stopping():
            raise HTTPException(409, "the host is shutting down")
        host.resume()
        return {"state": host.status()["state"]}
