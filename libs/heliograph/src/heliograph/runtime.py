"""Runs a service: its HTTP server and its work in one TaskGroup, a drain on SIGTERM, a non-zero exit on a crash."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from typing import Any, Generic, TypeVar

import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse

from heliograph.health import HEALTH_PATHS, Readiness, health_routes
from heliograph.settings import ServiceSettings, WrongSettingError, read_settings
from heliograph.stopping import grace
from heliograph.telemetry import configure_logging, log
from heliograph.tracing import configure_tracing

S = TypeVar("S", bound=ServiceSettings)
Asgi = Callable[..., Awaitable[Any]]
GARBAGE = 50_000
"""New objects beyond those that went by themselves, after which Python looks for cycles; by itself it does at 700."""


class Service(Generic[S]):
    """What `serve` works with: its settings, the FastAPI app it may add routes to, and the sign to stop."""

    def __init__(self, name: str, settings: S, app: FastAPI) -> None:
        self.name = name
        self.settings = settings
        self.app = app
        self.readiness = Readiness()
        self.stopping = asyncio.Event()
        app.include_router(health_routes(name, self.readiness, self.stopping))
        app.add_middleware(_NotYet, readiness=self.readiness)

    async def pause(self, seconds: float) -> bool:
        """Waits; true if the service is asked to stop meanwhile."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.stopping.wait(), seconds)
        return self.stopping.is_set()


class _NotYet:
    """Answers 503 to all but health while the service starts: its routes come later, and 404 would tell a client that
    it has the wrong address."""

    def __init__(self, app: Asgi, readiness: Readiness) -> None:
        self._app = app
        self._readiness = readiness

    async def __call__(self, scope: MutableMapping[str, Any], receive: Asgi, send: Asgi) -> None:
        if scope["type"] == "http" and self._readiness.is_starting and scope["path"] not in HEALTH_PATHS:
            answer = JSONResponse({"detail": "the service is still starting"}, 503, {"Retry-After": "1"})
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)


Serve = Callable[[Service[S]], Awaitable[None]]


class DrainError(RuntimeError):
    """The work did not end within `drain_s` of the sign to stop."""


def collect_less() -> None:
    """Spares the cyclic garbage collector what is no garbage: the loaded code, which lives as long as the process, and
    the thousands of rows of one batch or one answer, which go by themselves. It looked at each of them several times,
    a third of the CPU of a big answer."""
    gc.freeze()
    gc.set_threshold(GARBAGE)


def run(name: str, settings_type: type[S], serve: Serve[S], *, app: FastAPI | None = None) -> None:
    """Runs a service until SIGTERM or SIGINT. `serve` returns once `service.stopping` is set and its work drained.

    A wrong setting ends the process with code 2, a crash with code 1, a finished drain with 0.
    """
    settings = read_settings(settings_type)
    configure_logging(name, settings.log_level)
    configure_tracing(name, settings)
    collect_less()
    web = app or FastAPI(title=f"Heliograph {name}", docs_url=None, redoc_url=None, openapi_url=None)
    try:
        asyncio.run(_run(name, settings, serve, web))
    except* WrongSettingError as group:
        for error in _leaves(group):
            log.error("wrong setting", error=str(error))
        raise SystemExit(2) from None
    except* Exception as group:
        for error in _leaves(group):
            log.error("service failed", error=f"{type(error).__name__}: {error}", exc_info=error)
        raise SystemExit(1) from None


async def _run(name: str, settings: S, serve: Serve[S], app: FastAPI) -> None:
    service = Service(name, settings, app)
    listener = _listen(settings.http_host, settings.http_port)
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=3)
    server = _Server(config)
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, service.stopping.set)
    async with asyncio.TaskGroup() as tasks:
        http = tasks.create_task(server.serve(sockets=[listener]), name="http")
        async with _drained(service):
            log.info("service started", port=listener.getsockname()[1], pid=os.getpid())
            await serve(service)
        if not service.stopping.is_set():
            raise RuntimeError(f"the work of {name} ended although nobody asked it to")
        server.should_exit = True
        await http
    log.info("service drained")


@contextlib.asynccontextmanager
async def _drained(service: Service[S]) -> AsyncIterator[None]:
    """Gives the work inside `drain_s` seconds from the sign to stop. Raises `DrainError`."""
    try:
        async with grace(service.stopping, service.settings.drain_s) as limit:
            yield
    except TimeoutError as error:
        if limit.expired():
            raise DrainError(f"{service.name} did not drain within {service.settings.drain_s} s") from error
        raise


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        reason = f"can't listen on {host}:{port}: {error.strerror or error}"
        raise WrongSettingError(f"HELIOGRAPH_HTTP_HOST, HELIOGRAPH_HTTP_PORT: {reason}") from None
    listener.setblocking(False)
    return listener


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers, since the drain is ours."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
