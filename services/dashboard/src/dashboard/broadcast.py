"""The live feed's frames: kept for a while so that pages can resume, handed to each page at its own pace. No I/O.

frames kept     ┌─ base ─┐ f1  f2  f3  f4      each with the cursor that holds after it
a page returns                  ▲ its cursor covers f2: it gets f3 and f4
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from dashboard.cursor import Cursor, covers

MAX_WAITING_BYTES = 8 * 1024 * 1024
"""A page that has so much still to take does not keep up: it is cut off, and resumes by its cursor."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Some SSE events, ready to be sent, and the cursor that holds after them."""

    cursor: Cursor
    data: bytes
    news: Cursor = field(default_factory=dict)
    """The part of the cursor that the frame itself moved; all of it where this is empty."""


@dataclass(slots=True, eq=False)
class Page:
    """A listener: what it still has to be sent."""

    waiting: deque[bytes] = field(default_factory=deque)
    waiting_bytes: int = 0
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    cut_off: bool = False

    def push(self, data: bytes) -> None:
        """Gives the page something to send, or cuts it off."""
        if self.waiting_bytes + len(data) > MAX_WAITING_BYTES:
            self.cut_off = True
        else:
            self.waiting.append(data)
            self.waiting_bytes += len(data)
        self.woken.set()

    def take(self) -> bytes:
        """All that waits, at once."""
        data = b"".join(self.waiting)
        self.waiting.clear()
        self.waiting_bytes = 0
        self.woken.clear()
        return data


class Broadcast:
    """Keeps the latest frames within a number of bytes."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._frames: deque[Frame] = deque()
        self._bytes = 0
        self._base: dict[str, int] = {}
        """What a page must know already so that the frames kept bring it up to date."""
        self.pages: set[Page] = set()
        self.closed = False
        self.caught_up = asyncio.Event()
        """Cleared while the frames are those of the past that the feed reads first."""
        self.caught_up.set()

    def starts_at(self, partition: str, sequence: int) -> None:
        """The first event taken from a partition; what lies before it is not in the frames."""
        self._base.setdefault(partition, sequence - 1)

    def send(self, frame: Frame) -> None:
        """Keeps a frame and hands it to every page."""
        self._frames.append(frame)
        self._bytes += len(frame.data)
        while self._bytes > self._max_bytes and len(self._frames) > 1:
            oldest = self._frames.popleft()
            self._bytes -= len(oldest.data)
            self._base = {**self._base, **oldest.cursor}
        self.send_unkept(frame.data)

    def send_unkept(self, data: bytes) -> None:
        """Hands every page something that a page coming back need not see, such as a heartbeat."""
        for page in self.pages:
            page.push(data)

    def close(self) -> None:
        """Lets every page go, so that open streams do not hold a shutdown back."""
        self.closed = True
        self.caught_up.set()
        for page in self.pages:
            page.woken.set()

    def missed(self, cursor: Cursor) -> list[Frame] | None:
        """The frames that a page with this cursor has not seen, or None where it has missed more than is kept or
        than it is worth: the present state is smaller."""
        if not covers(cursor, self._base):
            return None
        frames = [frame for frame in self._frames if not covers(cursor, frame.news or frame.cursor)]
        return frames if sum(len(frame.data) for frame in frames) <= MAX_WAITING_BYTES else None

    def cursor(self) -> Mapping[str, int]:
        """The present cursor."""
        return self._frames[-1].cursor if self._frames else self._base
