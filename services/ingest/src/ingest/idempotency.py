"""Remembers the answers to requests that carry an idempotency key, so that a repeat gets the same answer."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Replied:
    """An answer that was given."""

    status: int
    body: bytes


@dataclass(slots=True)
class _Entry:
    digest: bytes
    since_s: float
    reply: Replied | None = None


class KeyReusedError(ValueError):
    """The key came with another body before."""


class InProgressError(RuntimeError):
    """The first request with the key is not answered yet."""


class Idempotency:
    """Bounded in number and age; each replica remembers its own. The readings' own key holds across replicas."""

    def __init__(self, *, most: int = 10_000, live_s: float = 86_400.0) -> None:
        self._most = most
        self._live_s = live_s
        self._entries: OrderedDict[str, _Entry] = OrderedDict()

    def begin(self, key: str, digest: bytes) -> Replied | None:
        """The earlier answer, or None for a new request, which must then `finish` or `forget`.

        Raises `KeyReusedError` or `InProgressError`.
        """
        now_s = time.monotonic()
        while self._entries and (
            len(self._entries) >= self._most or now_s - next(iter(self._entries.values())).since_s > self._live_s
        ):
            self._entries.popitem(last=False)
        entry = self._entries.get(key)
        if entry is None:
            self._entries[key] = _Entry(digest, now_s)
            return None
        if entry.digest != digest:
            raise KeyReusedError("the idempotency key was used with another body")
        if entry.reply is None:
            raise InProgressError("the first request with this idempotency key is still in progress")
        return entry.reply

    def finish(self, key: str, reply: Replied) -> None:
        """Keeps the answer."""
        if entry := self._entries.get(key):
            entry.reply = reply

    def forget(self, key: str) -> None:
        """The request failed: it may be repeated."""
        self._entries.pop(key, None)
