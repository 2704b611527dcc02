"""Cosmos DB as the sink uses it: batches, point reads and queries, each within the budget and at bounded concurrency.

A 429 is waited out; what else Cosmos answers is raised as azure-core's `HttpResponseError`, the one ground of the SDK's
errors for requests and for batches.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from azure.core.exceptions import HttpResponseError
from azure.cosmos import PartitionKey
from azure.cosmos.aio import ContainerProxy, CosmosClient
from azure.cosmos.exceptions import CosmosResourceExistsError, CosmosResourceNotFoundError

from heliograph.resilience import Guard, is_transient, retry_after_s
from heliograph.storage import CONTAINERS, ContainerSpec
from heliograph.telemetry import log
from heliograph.topology import DATABASE
from sink import metrics
from sink.budget import RuBudget

Document = dict[str, Any]
Operation = tuple[str, tuple[Any, ...]] | tuple[str, tuple[Any, ...], dict[str, Any]]
T = TypeVar("T")

MAX_OPERATIONS = 100
"""In one batch, the limit of Cosmos."""
LOST_RACE = frozenset({409, 412})
_CHARGE = "x-ms-request-charge"
_PAUSE_S = 0.1


class Store:
    """The database, as one writer sees it."""

    def __init__(self, client: CosmosClient, *, ru_budget_per_s: float, writers: int) -> None:
        self._client = client
        self._database = client.get_database_client(DATABASE)
        self._containers = {spec.name: self._database.get_container_client(spec.name) for spec in CONTAINERS}
        self._budget = RuBudget(ru_budget_per_s, time.monotonic())
        self._slots = asyncio.Semaphore(writers)
        self._guard = Guard("cosmos", attempts=None, transient=lambda error: is_transient(error) and not _is_429(error))

    async def prepare(self) -> None:
        """Creates what is missing. On Azure the deployment created all of it, and the identity may only use it."""
        try:
            await self._guard(self._create_database)
            for spec in CONTAINERS:
                await self._guard(lambda spec=spec: self._create(spec))  # type: ignore[misc]
        except HttpResponseError as error:
            if error.status_code != 403:
                raise
            log.info("containers are left to the deployment", reason="this identity may not create them")

    async def _create_database(self) -> None:
        with suppress(CosmosResourceExistsError):  # the SDK looks first; another replica was faster
            await self._client.create_database_if_not_exists(DATABASE)

    async def _create(self, spec: ContainerSpec) -> None:
        with suppress(CosmosResourceExistsError):
            await self._database.create_container_if_not_exists(
                id=spec.name,
                partition_key=PartitionKey(path=spec.partition_key),
                indexing_policy=spec.indexing_policy(),
                default_ttl=spec.default_ttl_s,
            )

    async def probe(self) -> None:
        """Raises when a container can't be reached."""
        await self._containers[CONTAINERS[0].name].read()

    async def batch(self, spec: ContainerSpec, pk: str, operations: Sequence[Operation]) -> list[Mapping[str, Any]]:
        """Runs the operations, all or none, and returns what each was answered (`statusCode`, `eTag`)."""
        container = self._containers[spec.name]

        async def call(charge: Callable[..., None]) -> list[Mapping[str, Any]]:
            answers = await container.execute_item_batch(list(operations), pk, response_hook=charge, no_response=True)
            return list(answers)

        answers = await self._paid(spec, "batch", call)
        metrics.DOCUMENTS.labels(spec.name).inc(len(operations))
        return answers

    async def read(self, spec: ContainerSpec, document_id: str, pk: str) -> Document | None:
        """The document, or None where there is none."""
        container = self._containers[spec.name]

        async def call(charge: Callable[..., None]) -> Document | None:
            try:
                return dict(await container.read_item(document_id, pk, response_hook=charge))
            except CosmosResourceNotFoundError:
                return None

        return await self._paid(spec, "read", call)

    async def query(
        self, spec: ContainerSpec, text: str, parameters: Mapping[str, object], pk: str | None = None
    ) -> list[Document]:
        """All that a query finds in a partition key, or without one in all."""
        container = self._containers[spec.name]

        async def call(charge: Callable[..., None]) -> list[Document]:
            return [item async for item in _query(container, text, parameters, pk, charge)]

        return await self._paid(spec, "query", call)

    async def update(
        self, spec: ContainerSpec, document_id: str, pk: str, change: Callable[[Document | None], Document | None]
    ) -> None:
        """Writes what `change` makes of the stored document (without its system properties), unless that is None.

        Reads and changes again when another wrote meanwhile, so `change` must be repeatable.
        """
        while True:
            stored = await self.read(spec, document_id, pk)
            changed = change(without_system_properties(stored) if stored else None)
            if changed is None:
                return
            try:
                await self.batch(spec, pk, [write_over(stored["_etag"] if stored else None, changed)])
            except HttpResponseError as error:
                if error.status_code not in LOST_RACE:
                    raise
            else:
                return

    async def _paid(
        self, spec: ContainerSpec, operation: str, call: Callable[[Callable[..., None]], Awaitable[T]]
    ) -> T:
        counter = metrics.REQUEST_UNITS.labels(spec.name, operation)

        def charge(headers: Mapping[str, str], *_rest: object) -> None:
            units = float(headers.get(_CHARGE, 0))
            self._budget.spend(units, time.monotonic())
            counter.inc(units)

        async with self._slots:
            while True:
                await self._turn()
                try:
                    return await self._guard(lambda: call(charge))
                except HttpResponseError as error:
                    if not _is_429(error):
                        raise
                    metrics.THROTTLED.inc()
                    self._budget.throttled(retry_after_s(error) or _PAUSE_S, time.monotonic())
                    metrics.RU_RATE.set(self._budget.rate_per_s)

    async def _turn(self) -> None:
        while (wait_s := self._budget.wait_s(time.monotonic())) > 0:  # noqa: ASYNC110 - others spend meanwhile
            await asyncio.sleep(wait_s)
        metrics.RU_RATE.set(self._budget.rate_per_s)


def _query(
    container: ContainerProxy,
    text: str,
    parameters: Mapping[str, object],
    pk: str | None,
    charge: Callable[..., None],
) -> Any:  # noqa: ANN401 - AsyncItemPaged
    options: dict[str, Any] = {} if pk is None else {"partition_key": pk}
    named = [{"name": f"@{name}", "value": value} for name, value in parameters.items()]
    return container.query_items(text, parameters=named, max_item_count=1000, response_hook=charge, **options)


def write_over(etag: str | None, document: Document) -> Operation:
    """The operation that writes a document only if it is still as it was read, or not there if it was not."""
    if etag is None:
        return ("create", (document,))
    return ("replace", (document["id"], document), {"if_match_etag": etag})


def without_system_properties(document: Mapping[str, Any]) -> Document:
    """What the sink itself wrote."""
    return {name: value for name, value in document.items() if not name.startswith("_")}


def _is_429(error: BaseException) -> bool:
    return isinstance(error, HttpResponseError) and error.status_code == 429
