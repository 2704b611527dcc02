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
    """Bounded in number, bytes of answers and age; each replica remembers its own. The readings' own key holds
    across replicas.
    """

    def __init__(self, *, most: int = 10_000, most_bytes: int = 32 * 1024 * 1024, live_s: float = 86_400.0) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._bytes = 0
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
            self._drop(next(iter(self._entries)))
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
        """Keeps the answer; the oldest give way to it."""
        if entry := self._entries.get(key):
            self._bytes += len(reply.body) - (len(entry.reply.body) if entry.reply else 0)
            entry.reply = reply
        while self._bytes > self._most_bytes:
            self._drop(next(iter(self._entries)))

    def forget(self, key: str) -> None:
        """The request failed: it may be repeated."""
        self._drop(key)

    def _drop(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry and entry.reply:
            self._bytes -= len(entry.reply.body)
