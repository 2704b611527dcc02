"""The server as something to start and stop, in this process or as a process of its own."""

import asyncio
import logging
import socket
import sqlite3
import ssl
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import Self

import uvicorn
from starlette.applications import Starlette
from uvicorn.server import ServerState

from local_azure.certificate import server_context
from local_azure.cosmos import auth, message
from local_azure.cosmos.account import Account, Settings
from local_azure.cosmos.app import Front
from local_azure.cosmos.errors import CosmosError
from local_azure.cosmos.listener import Listener
from local_azure.cosmos.protocol import CuttableProtocol
from local_azure.cosmos.store.catalog import Container
from local_azure.directory import owned
from local_azure.faults import Faults, admin_app

_log = logging.getLogger(__name__)

_SWEEP_EVERY_S = 1.0
_CLOSE_WITHIN_S = 10


class CosmosServer:
    """`async with CosmosServer(data_dir=…, port=0) as server:` serves on `server.endpoint` until the block ends.

    Both HTTP and HTTPS are spoken on the one port. `certificate` and `certificate_key` are PEM files; without them a
    self-signed certificate is made in the data folder at first start.
    """

    def __init__(
        self,
        data_dir: Path,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        key: str = auth.EMULATOR_KEY,
        settings: Settings | None = None,
        faults: Faults | None = None,
        certificate: Path | None = None,
        certificate_key: Path | None = None,
        admin_port: int | None = None,
    ) -> None:
        self.key = key
        self.faults = faults or Faults()
        self._data_dir = data_dir
        self._host = host
        self._port = port
        self._settings = settings or Settings()
        self._certificate = certificate
        self._certificate_key = certificate_key
        self._admin_port = admin_port

    @property
    def port(self) -> int:
        """The port, once started."""
        return self._port

    @property
    def endpoint(self) -> str:
        """Base address over HTTP, once started."""
        return f"http://{self._host}:{self._port}/"

    @property
    def https_endpoint(self) -> str:
        """Base address over HTTPS, once started."""
        return f"https://{self._host}:{self._port}/"

    @property
    def admin_port(self) -> int | None:
        """Where faults are armed over HTTP, once started; None when that is off."""
        return self._admin_port

    @property
    def connection_string(self) -> str:
        """As the Azure portal gives it."""
        return f"AccountEndpoint={self.endpoint};AccountKey={self.key};"

    async def __aenter__(self) -> Self:
        """Open the store and listen.

        Raises DataDirectoryInUseError when another server has the folder, OSError when a port is taken or a file can
        not be used, sqlite3.Error when the store is none.
        """
        with ExitStack() as opened:
            # Two would give the same numbers to documents.
            opened.enter_context(owned(self._data_dir, "cosmos.lock", "Cosmos server"))
            bound = opened.enter_context(closing(_bind(self._host, self._port)))
            admin = None
            if self._admin_port is not None:
                admin = opened.enter_context(closing(_bind(self._host, self._admin_port)))
            tls = server_context(self._data_dir, self._certificate, self._certificate_key)
            self._account = Account(self._data_dir, self.key, self._settings)
            opened.callback(self._account.close)
            self._opened = opened.pop_all()
        self._port = bound.getsockname()[1]
        self._states: list[ServerState] = []
        self._tasks = [asyncio.create_task(self._sweep())]
        self._serve(bound, Front(self._account, self.faults).app(), tls)
        if admin is not None:
            self._admin_port = admin.getsockname()[1]
            self._serve(admin, admin_app(self.faults), tls)
        return self

    def _serve(self, bound: socket.socket, app: Starlette, tls: ssl.SSLContext) -> None:
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            http=CuttableProtocol,
            ws="none",
            server_header=False,
            date_header=False,
        )
        config.load()
        state = ServerState()
        listener = Listener(bound, lambda: CuttableProtocol(config=config, server_state=state, app_state={}), tls)
        self._states.append(state)
        self._tasks.append(asyncio.create_task(listener.run()))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening, let the requests that run finish, close the store."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for connection in [connection for state in self._states for connection in state.connections]:
            connection.shutdown()
        running = [task for state in self._states for task in state.tasks]
        if running:
            await asyncio.wait(running, timeout=_CLOSE_WITHIN_S)
        self._opened.close()

    async def wait(self) -> None:
        """Until the listener or the sweeper dies, which they do only by a fault of ours; raises that fault."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def _sweep(self) -> None:
        """Remove documents whose time to live is over, and versions that are no longer kept."""
        while True:
            await asyncio.sleep(_SWEEP_EVERY_S)
            for container in self._account.containers():
                if container.definition.default_ttl_s is not None or container.keeps_versions:
                    await self._sweep_out(container)

    async def _sweep_out(self, container: Container) -> None:
        """All that is due in one container, a few at a time, so that requests get their turn between.

        What can not be removed now, for instance because the disk is full, is hidden all the same and waits.
        """
        removed = 1
        while removed:
            async with self._account.writing:
                if self._account.catalog.by_rid(container.resource.rid) is None:
                    return
                try:
                    with self._account.database.transaction():
                        removed = self._account.items(container).sweep(int(message.now_utc().timestamp()))
                except (CosmosError, sqlite3.Error) as error:
                    _log.warning("container=%s can not be swept now: %s", container.resource.id, error)
                    return
            await asyncio.sleep(0)


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.listen(1024)
    except OSError as error:
        bound.close()
        raise OSError(error.errno, f"cannot listen on {host}:{port}: {error.strerror}") from error
    return bound
