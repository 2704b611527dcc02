"""How the stack is, read from the services' own health and from the real stores."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
from azure.core.exceptions import AzureError
from azure.cosmos.aio import ContainerProxy
from azure.eventhub.exceptions import EventHubError

from heliograph import topology
from heliograph.blobs import SOON, open_blobs
from heliograph.cosmos import open_cosmos
from heliograph.dead_letters import REPLAYED
from heliograph.settings import CosmosSettings
from heliograph.storage import ALERTS, LATEST, WINDOWS
from stack.access import access_to
from stack.lag import lags
from stack.layout import HOST, SERVICES
from stack.state import StackState

TIMEOUT_S = 20.0
AT_LEAST = frozenset({"readings", "plant_windows", "region_windows"})
"""Sums over what the commits of the sink say of themselves. An event that is delivered again may stand in two commits,
and a correction is a further row; who wants each window once reads them by `heliograph.rows`, as `verify` does."""


async def collect(state: StackState) -> dict[str, Any]:
    """All that `heliograph status --json` says. A store that does not answer leaves its figures null; those of
    `AT_LEAST` count what was delivered again once more."""
    settings = access_to(state.plan)
    services, documents, blobs, lag = await asyncio.gather(
        _services(state), _or_none(_documents(settings)), _or_none(_blobs(settings)), _or_none(_lag(settings))
    )
    nothing = dict.fromkeys(("readings", "plant_windows", "region_windows", "alerts", "last_window_end"))
    return {
        "services": services,
        **(documents or nothing),
        **(blobs or dict.fromkeys(("thumbnails", "dead_letters"))),
        "lag_events": lag,
    }


async def _or_none(figures: Any) -> Any:  # noqa: ANN401 - whatever the awaitable gives
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await figures
    except (AzureError, EventHubError, OSError):
        return None


async def _services(state: StackState) -> dict[str, Any]:
    async with httpx.AsyncClient(timeout=6, trust_env=False) as http:
        answers = await asyncio.gather(*(_service(name, state, http) for name in SERVICES))
    return dict(zip(SERVICES, answers, strict=True))


async def _service(name: str, state: StackState, http: httpx.AsyncClient) -> dict[str, Any]:
    try:
        answer = await http.get(f"http://{HOST}:{state.plan.ports[name]}/readyz")
        failures = answer.json().get("failures", {})
        reason = "; ".join(f"{probe}: {why}" for probe, why in failures.items())
    except (httpx.HTTPError, ValueError) as error:
        reason = f"does not answer ({type(error).__name__})"
    return {
        "healthy": not reason,
        "reason": reason,
        "pid": state.pids.get(name),
        "restarts": state.restarts.get(name, 0),
    }


async def _documents(settings: CosmosSettings) -> dict[str, Any]:
    async with open_cosmos(settings) as client:
        database = client.get_database_client(topology.DATABASE)
        windows = database.get_container_client(WINDOWS.name)
        latest = await _first(database.get_container_client(LATEST.name), "SELECT VALUE MAX(c.last) FROM c")
        return {
            "readings": await _first(windows, "SELECT VALUE SUM(c.readings) FROM c WHERE c.of = 'regions'") or 0,
            "plant_windows": await _first(windows, "SELECT VALUE SUM(c.count) FROM c WHERE c.of = 'plants'") or 0,
            "region_windows": await _first(windows, "SELECT VALUE SUM(c.count) FROM c WHERE c.of = 'regions'") or 0,
            "alerts": await _first(database.get_container_client(ALERTS.name), "SELECT VALUE COUNT(1) FROM c") or 0,
            "last_window_end": latest,
        }


async def _first(container: ContainerProxy, query: str) -> Any:  # noqa: ANN401 - a JSON value
    async for value in container.query_items(query):
        return value
    return None


async def _blobs(settings: CosmosSettings) -> dict[str, int]:
    async with open_blobs(settings, SOON) as client:
        thumbnails = [name async for name in client.get_container_client(topology.THUMBNAILS).list_blob_names()]
        letters = client.get_container_client(topology.DEAD_LETTERS)
        counts = [
            (await (await letters.download_blob(name)).readall()).count(b"\n")
            async for name in letters.list_blob_names()
            if not name.startswith(REPLAYED)
        ]
    return {"thumbnails": len(thumbnails), "dead_letters": sum(counts)}


async def _lag(settings: CosmosSettings) -> int:
    return sum(one.events for one in await lags(settings))
