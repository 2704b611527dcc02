"""The account: everything that the routes work on, put together once."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

from local_azure.cosmos import definition
from local_azure.cosmos.errors import CONTAINER_RECREATED, CosmosError
from local_azure.cosmos.jsontext import Json
from local_azure.cosmos.message import Request
from local_azure.cosmos.query.functions import register
from local_azure.cosmos.store import items
from local_azure.cosmos.store.catalog import ROOT, Catalog, Container, Resource
from local_azure.cosmos.store.database import Database
from local_azure.cosmos.store.items import Items

_READERS = 4
T = TypeVar("T")


@dataclass(frozen=True)
class Settings:
    """What the operator chooses.

    `limits`: "explicit" holds containers to the throughput that somebody asked for, "all" also to the default of
    400 RU/s, "off" none. `serverless` refuses offers as a serverless account does. `trust_bearer_tokens` takes any
    JSON web token, unverified.
    """

    cache_mb: int = 48
    sync_each_commit: bool = False
    serverless: bool = False
    limits: str = "explicit"
    trust_bearer_tokens: bool = False
    query_timeout_s: float = 30.0
    script_limit_s: float = 2.0


class Account:
    """Owns the store; hands out containers; runs queries beside the event loop."""

    def __init__(self, data_dir: Path, key: str, settings: Settings) -> None:
        data_dir.mkdir(parents=True, exist_ok=True)
        self.key = key
        self.settings = settings
        self.database = Database(
            data_dir / "cosmos.sqlite",
            cache_mb=settings.cache_mb,
            sync_each_commit=settings.sync_each_commit,
            prepare=register,
        )
        self.catalog = Catalog(self.database)
        self.writing = asyncio.Lock()
        self._containers: dict[str, Container] = {}
        self._threads = ThreadPoolExecutor(_READERS, thread_name_prefix="cosmos-query")
        self._readers: SimpleQueue[sqlite3.Connection] = SimpleQueue()

    def database_of(self, request: Request) -> Resource:
        """The database in the path, as an owner."""
        return self.catalog.owner("dbs", ROOT, request.names[0])

    def container_of(self, request: Request) -> Container:
        """The container in the path, as an owner.

        Raises CosmosError 404, and 400/1024 when the client means one that was removed and made anew.
        """
        resource = self.catalog.owner("colls", self.database_of(request).rid, request.names[1])
        intended = request.header("x-ms-cosmos-intended-collection-rid")
        if intended and intended != resource.rid:
            raise CosmosError(400, "The container was recreated.", substatus=CONTAINER_RECREATED)
        return self.container(resource)

    def container(self, resource: Resource) -> Container:
        """The container of this node; its definition is read anew when the node was replaced."""
        known = self._containers.get(resource.rid)
        if known is None or known.resource is not resource:
            fresh = Container(resource, definition.parse(resource.body))
            known = self._containers[resource.rid] = items.open_container(self.database.writer, fresh)
        return known

    def containers(self) -> list[Container]:
        """All of them."""
        databases = self.catalog.children("dbs", ROOT)
        return [self.container(node) for db in databases for node in self.catalog.children("colls", db.rid)]

    def forget(self, resource: Resource) -> None:
        """Let go of what was read from a removed container."""
        self._containers.pop(resource.rid, None)

    def items(self, container: Container) -> Items:
        """The documents of a container."""
        return Items(self.database, container, self.catalog.link(container.resource))

    async def aside(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on a thread with a reading connection of its own."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._with_reader, work)

    def _with_reader(self, work: Callable[[sqlite3.Connection], T]) -> T:
        connection = self.database.connect() if self._readers.empty() else self._readers.get()
        try:
            return work(connection)
        finally:
            self._readers.put(connection)

    def close(self) -> None:
        """Finish what runs, then close the file."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        while not self._readers.empty():
            self._readers.get().close()
        self.database.close()


def is_json_object(value: Json) -> bool:
    """Whether a decoded value is an object."""
    return isinstance(value, dict)
