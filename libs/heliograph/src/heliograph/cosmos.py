"""The way to Cosmos DB, for the services that declare `azure-cosmos`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from azure.cosmos.aio import CosmosClient

from heliograph.credentials import identity
from heliograph.resilience import Guard
from heliograph.settings import CosmosSettings

SDK_RETRIES = 1
"""The SDK's own patience with a 429. The caller's budget reacts to it, so it must learn of it soon."""


@asynccontextmanager
async def open_cosmos(settings: CosmosSettings) -> AsyncIterator[CosmosClient]:
    """The Cosmos DB account, with a key where one is set, else the managed identity. An account that does not answer
    yet is waited for: opening the client asks it for its regions."""
    credential: Any = settings.cosmos_key.get_secret_value() if settings.cosmos_key else identity()
    client = CosmosClient(
        settings.cosmos_endpoint,
        credential,
        # A plain-HTTP emulator advertises an address of its own that clients elsewhere may not reach.
        enable_endpoint_discovery=settings.cosmos_endpoint.startswith("https:"),
        connection_timeout=10,
        retry_throttle_total=SDK_RETRIES,
        retry_throttle_backoff_max=1,
    )
    try:
        await Guard("cosmos-account", attempts=None)(client.__aenter__)
        yield client
    finally:
        # Not `async with`, which leaves the connections open when the account refuses to be opened.
        await client.close()
