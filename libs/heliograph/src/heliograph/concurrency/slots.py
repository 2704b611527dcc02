"""Places for work in hand, counted against a limit that may change at any time."""

from __future__ import annotations

import asyncio
from types import TracebackType


class Slots:
    """Places for work in hand, as many as the limit says; the limit may change at any time."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0
        self._changed = asyncio.Event()
        self.was_full = False
        """Whether all places were taken at some moment since the limit last changed."""

    @property
    def limit(self) -> int:
        """Places there are."""
        return self._limit

    @limit.setter
    def limit(self, limit: int) -> None:
        self._limit = limit
        self.was_full = self._taken >= limit
        self._changed.set()

    @property
    def taken(self) -> int:
        """Places in use; over the limit for a while after it was lowered."""
        return self._taken

    async def free(self) -> int:
        """Waits until there is a free place; how many there are. For one dispatcher, which then calls `take`."""
        while self._taken >= self._limit:
            self._changed.clear()
            await self._changed.wait()
        return self._limit - self._taken

    def take(self) -> Slot:
        """A place, given back when its `with` block ends."""
        self._taken += 1
        self.was_full = self.was_full or self._taken >= self._limit
        return Slot(self)

    def _give_back(self) -> None:
        self._taken -= 1
        self._changed.set()


class Slot:
    """A place that is in use."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._slots._give_back()
