"""The way in to hubs, blobs and queues: a connection string where one is set, else the managed identity."""

from __future__ import annotations

from azure.core.credentials import TokenCredential
from azure.core.credentials_async import AsyncTokenCredential

_shared: list[AsyncTokenCredential] = []


def identity() -> AsyncTokenCredential:
    """The identity of this process, one for all clients since it caches its tokens."""
    if not _shared:
        # Imported here since it costs a tenth of a service's start, and a connection string does without it.
        from azure.identity.aio import DefaultAzureCredential  # noqa: PLC0415

        _shared.append(DefaultAzureCredential(exclude_interactive_browser_credential=True))
    return _shared[0]


async def close_identity() -> None:
    """Closes the identity's connections, if it was ever asked for; the next `identity` is a new one."""
    while _shared:
        await _shared.pop().close()


def blocking_identity() -> TokenCredential:
    """The same identity for what runs in a thread of its own, as exporters of telemetry do."""
    from azure.identity import DefaultAzureCredential  # noqa: PLC0415

    return DefaultAzureCredential(exclude_interactive_browser_credential=True)
