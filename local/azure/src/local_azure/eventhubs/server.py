"""The broker as a whole: data directory, listeners, and the work that recurs."""

import asyncio
import contextlib
import logging
import ssl
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local_azure.directory import owned
from local_azure.eventhubs.config import BrokerConfig, FsyncPolicy
from local_azure.eventhubs.hub import Namespace
from local_azure.eventhubs.service import Service
from local_azure.eventhubs.transport import Endpoint
from local_azure.faults import Faults, admin_app
from local_azure.serving import serve_http

_log = logging.getLogger(__name__)

_TICK_S = 1.0
_MIN_TICK_S = 0.02
_CLOSING_GRACE_S = 1.0


class Broker:
    """An Event Hubs namespace that runs while its `async with` block does.

    >>> async with Broker(data_dir=folder, config=config, port=0) as broker:
    ...     EventHubProducerClient.from_connection_string(broker.connection_string, eventhub_name="readings")
    """

    def __init__(
        self,
        *,
        data_dir: Path,
        config: BrokerConfig,
        host: str = "127.0.0.1",
        port: int = 5672,
        tls: ssl.SSLContext | None = None,
        tls_port: int = 5671,
        health_port: int | None = None,
        admin_port: int | None = None,
        faults: Faults | None = None,
    ) -> None:
        """Prepare a broker; every port may be 0, and is then chosen by the system.

        `tls` adds a listener on `tls_port`. `faults` may be shared with other servers of the process; `admin_port`
        opens it to HTTP.
        """
        self.port = port
        self.tls_port = tls_port
        self.health_port = health_port
        self.admin_port = admin_port
        self.faults = faults or Faults()
        self._data_dir = data_dir
        self._config = config
        self._host = host
        self._tls = tls
        self._endpoints: set[Endpoint] = set()
        self._all_closed = asyncio.Event()
        self._stack = AsyncExitStack()
        self._namespace: Namespace
        self._chores: asyncio.Task[None]

    @property
    def connection_string(self) -> str:
        """What a client on this machine connects with, in the form of Microsoft's emulator."""
        key_name, key = next(iter(self._config.keys.items()))
        return (
            f"Endpoint=sb://{self._host}:{self.port};SharedAccessKeyName={key_name};SharedAccessKey={key};"
            "UseDevelopmentEmulator=true;"
        )

    @property
    def connection_count(self) -> int:
        """How many clients are connected."""
        return len(self._endpoints)

    async def __aenter__(self) -> Self:
        """Recover the data and listen.

        Raises:
            DataDirectoryInUseError: another broker has the directory.
            OSError: a port is taken, or the directory cannot be used.
        """
        async with AsyncExitStack() as stack:
            stack.enter_context(owned(self._data_dir, "eventhubs.lock", "broker"))
            started_s = time.monotonic()
            self._namespace = Namespace(self._data_dir / "eventhubs", self._config)
            stack.callback(self._namespace.close)
            _log.info("hubs=%d recovered in %.2f s", len(self._namespace.hubs()), time.monotonic() - started_s)
            await self._listen(stack)
            self._chores = asyncio.create_task(self._do_chores(), name="broker chores")
            stack.push_async_callback(self._stop_chores)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close listeners, connections and files, in this order."""
        await self._stack.aclose()

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set.

        Raises:
            Exception: recurring work failed, for instance the disk at an fsync.
        """
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({stopping, self._chores}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
        if self._chores.done():
            self._chores.result()

    async def _listen(self, stack: AsyncExitStack) -> None:
        service = Service(self._namespace, self._config, self.faults)

        def accept() -> Endpoint:
            endpoint = Endpoint(service, self._forget)
            self._endpoints.add(endpoint)
            return endpoint

        stack.push_async_callback(self._close_endpoints)
        self.port = await self._serve_amqp(stack, accept, self.port, None)
        if self._tls is not None:
            self.tls_port = await self._serve_amqp(stack, accept, self.tls_port, self._tls)
        if self.health_port is not None:
            app = Starlette(routes=[Route("/health", self._health)])
            self.health_port = await stack.enter_async_context(serve_http(app, self._host, self.health_port))
        if self.admin_port is not None:
            app = admin_app(self.faults)
            self.admin_port = await stack.enter_async_context(serve_http(app, self._host, self.admin_port))

    async def _serve_amqp(
        self, stack: AsyncExitStack, accept: Callable[[], Endpoint], port: int, tls: ssl.SSLContext | None
    ) -> int:
        server = await asyncio.get_running_loop().create_server(accept, self._host, port, ssl=tls)
        stack.callback(server.close)
        return int(server.sockets[0].getsockname()[1])

    def _forget(self, endpoint: Endpoint) -> None:
        self._endpoints.discard(endpoint)
        if not self._endpoints:
            self._all_closed.set()

    async def _close_endpoints(self) -> None:
        for endpoint in list(self._endpoints):
            endpoint.shut_down()
        if self._endpoints:
            self._all_closed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._all_closed.wait(), _CLOSING_GRACE_S)
        for endpoint in list(self._endpoints):
            endpoint.abort()

    async def _health(self, _: Request) -> Response:
        return JSONResponse({"status": "healthy", "hubs": [hub.name for hub in self._namespace.hubs()]})

    async def _stop_chores(self) -> None:
        self._chores.cancel()
        await asyncio.wait({self._chores})

    async def _do_chores(self) -> None:
        """Tick the connections, sync and retire, each at its own pace."""
        loop = asyncio.get_running_loop()
        config = self._config
        tick_s = max(_MIN_TICK_S, min(_TICK_S, config.idle_timeout_ms / 4000, config.fsync_interval_s))
        sync_due_s = retire_due_s = 0.0
        while True:
            await asyncio.sleep(tick_s)
            now_s = loop.time()
            for endpoint in list(self._endpoints):
                endpoint.tick(now_s)
            if config.fsync is FsyncPolicy.INTERVAL and now_s >= sync_due_s:
                await self._sync()
                sync_due_s = loop.time() + config.fsync_interval_s
            if now_s >= retire_due_s:
                self._retire()
                retire_due_s = now_s + config.retention_check_s

    async def _sync(self) -> None:
        for hub in self._namespace.hubs():
            for partition in hub.partitions:
                sync = partition.sync.take_dirty()
                if sync is not None:
                    await asyncio.to_thread(sync)

    def _retire(self) -> None:
        retention_s = self._config.retention_s
        oldest_ms = 0 if retention_s is None else int((time.time() - retention_s) * 1000)
        for hub in self._namespace.hubs():
            for partition in hub.partitions:
                retired = partition.log.retire(oldest_ms, self._config.retention_bytes)
                if retired:
                    _log.info("hub=%s partition=%s retired_segments=%d", hub.name, partition.id, retired)
