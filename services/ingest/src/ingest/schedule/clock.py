"""The time, as something that a test can turn faster."""

from __future__ import annotations

import asyncio
import contextlib
import time
from datetime import datetime, timedelta

from heliograph import azure_time


class Clock:
    """Azure's clock, `speed` times as fast from `start` on."""

    def __init__(self, *, speed: float = 1.0, start: datetime | None = None) -> None:
        self.speed = speed
        self._start = start
        self._begun_s = time.monotonic()

    def now(self) -> datetime:
        """UTC."""
        if self._start is None:
            return azure_time.now()
        return self._start + timedelta(seconds=(time.monotonic() - self._begun_s) * self.speed)

    async def wait(self, until: datetime, *events: asyncio.Event) -> None:
        """Returns when the time has come or one of the events is set. Never early."""
        waits = [asyncio.create_task(event.wait()) for event in events]
        try:
            while (left_s := (until - self.now()).total_seconds()) > 0:
                timeout_s = min(left_s / self.speed, 60.0)
                if not waits:
                    await asyncio.sleep(timeout_s)
                    continue
                done, _ = await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
                if done:
                    return
        finally:
            for wait in waits:
                wait.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(*waits, return_exceptions=True)
