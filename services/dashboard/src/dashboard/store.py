"""Cosmos DB as the dashboard uses it: queries, timed and counted, each within a time limit."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from azure.cosmos.aio import CosmosClient
from azure.cosmos.exceptions import CosmosResourceNotFoundError

from dashboard import metrics
from heliograph.resilience import Guard
from heliograph.storage import CONTAINERS, WINDOWS, ContainerSpec
from heliograph.topology import DATABASE

Document = dict[str, Any]
QUERY_TIMEOUT_S = 10.0
_PAGE_ITEMS = 1000


class Store:
    """The database, as a reader sees it."""

    def __init__(self, client: CosmosClient) -> None:
        database = client.get_database_client(DATABASE)
        self._containers = {spec.name: database.get_container_client(spec.name) for spec in CONTAINERS}
        self._guard = Guard("cosmos", attempts=3, timeout_s=QUERY_TIMEOUT_S)

    async def probe(self) -> None:
        """Raises when the containers can't be reached."""
        await self._containers[WINDOWS.name].read()

    async def query(
        self,
        label: str,
        spec: ContainerSpec,
        text: str,
        parameters: Mapping[str, object] | None = None,
        *,
        pk: str | None = None,
    ) -> list[Any]:
        """All that a query finds, in one partition key or, without one, in all. `label` names it in the metrics."""
        began_s = time.perf_counter()
        units = metrics.REQUEST_UNITS.labels(label)
        named = [{"name": f"@{name}", "value": value} for name, value in (parameters or {}).items()]
        options: dict[str, Any] = {} if pk is None else {"partition_key": pk}

        def charge(headers: Mapping[str, str], *_rest: object) -> None:
            units.inc(float(headers.get("x-ms-request-charge", 0)))

        async def call() -> list[Any]:
            pages = self._containers[spec.name].query_items(
                text, parameters=named, max_item_count=_PAGE_ITEMS, response_hook=charge, **options
            )
            return [item async for item in pages]

        found = await self._guard(call)
        metrics.QUERY_S.labels(label).observe(time.perf_counter() - began_s)
        return found

    async def read(self, label: str, spec: ContainerSpec, document_id: str, pk: str) -> Document | None:
        """The document, or None where there is none."""

        def charge(headers: Mapping[str, str], *_rest: object) -> None:
            metrics.REQUEST_UNITS.labels(label).inc(float(headers.get("x-ms-request-charge", 0)))

        async def call() -> Document | None:
            try:
                container = self._containers[spec.name]
                return dict(await container.read_item(document_id, pk, response_hook=charge))
            except CosmosResourceNotFoundError:
                return None

        return await self._guard(call)
