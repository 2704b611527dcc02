"""How long work may go on once it is asked to stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def grace(stopping: asyncio.Event, seconds: float) -> AsyncIterator[asyncio.Timeout]:
    """Gives the work inside so many seconds from the sign to stop, then cancels it: `TimeoutError`, and the limit
    has expired."""
    async with asyncio.timeout(None) as limit:
        watcher = asyncio.create_task(_arm(stopping, limit, seconds))
        try:
            yield limit
        finally:
            watcher.cancel()


async def _arm(stopping: asyncio.Event, limit: asyncio.Timeout, seconds: float) -> None:
    await stopping.wait()
    limit.reschedule(asyncio.get_running_loop().time() + seconds)
