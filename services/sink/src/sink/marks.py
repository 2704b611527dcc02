"""Which spans wait for their roll-up, and which of them are due. Pure bookkeeping, time as an argument.

A span that has windows beyond its roll-up is marked by a document in Cosmos, written with the first of those windows
and deleted by the roll-up that covers them. Each process writes marks of its own and deletes no other's, since it can't
know what another is about to write. This book knows which marks this process has already written, so that the windows
that follow cost no further mark; one that grows old is written again, as a sign of life.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import uuid4

from sink.journal import Span

SETTLE_S = 3.0
"""Corrections come in flocks: a span that is over waits so long for the next one …"""
MAX_SETTLE_S = 60.0
"""… but not longer than this in all."""


@dataclass(slots=True)
class _Touch:
    first_s: float
    last_s: float
    marked_s: float


class Marks:
    """The spans marked by this process. `grace_s` counts in event time, `idle_s` on the clock; a mark older than
    `renew_s` is written again with the next window."""

    def __init__(self, *, grace_s: float, idle_s: float, renew_s: float = 300.0) -> None:
        self.writer = uuid4().hex[:8]
        """This process in the names of its marks."""
        self._renew_s = renew_s
        self._grace_s = grace_s
        self._idle_s = idle_s
        self._touched: dict[Span, _Touch] = {}
        self._newest_s: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._touched)

    def unmarked(self, spans: Iterable[Span], now_s: float) -> list[Span]:
        """Those that need a mark in Cosmos."""
        return sorted(span for span in spans if self._needs_mark(span, now_s))

    def _needs_mark(self, span: Span, now_s: float) -> bool:
        touch = self._touched.get(span)
        return touch is None or now_s - touch.marked_s >= self._renew_s

    def touch(self, spans: Iterable[Span], now_s: float) -> None:
        """Windows of the spans, and their marks, have become durable."""
        for span in spans:
            touch = self._touched.setdefault(span, _Touch(now_s, now_s, now_s))
            touch.last_s = now_s
            if now_s - touch.marked_s >= self._renew_s:
                touch.marked_s = now_s
            stream = _stream(span)
            self._newest_s[stream] = max(self._newest_s.get(stream, 0), span.start_s)

    def saw(self, span: Span, event_s: float) -> None:
        """The span's stream has come to this event time, in seconds since the epoch."""
        stream = _stream(span)
        self._newest_s[stream] = max(self._newest_s.get(stream, 0), event_s)

    def take(self, span: Span) -> None:
        """The span's roll-up begins: a window that comes from here on needs a new mark."""
        self._touched.pop(span, None)

    def due(self, now_s: float) -> list[Span]:
        """The spans to roll up now, the oldest first."""
        return sorted(
            (s for s, touch in self._touched.items() if self._is_due(s, touch, now_s)), key=lambda s: s.start_s
        )

    def _is_due(self, span: Span, touch: _Touch, now_s: float) -> bool:
        quiet_s = now_s - touch.last_s
        if quiet_s >= self._idle_s:
            return True
        is_over = self._newest_s[_stream(span)] >= span.end_s + self._grace_s
        return is_over and (quiet_s >= SETTLE_S or now_s - touch.first_s >= MAX_SETTLE_S)


def _stream(span: Span) -> str:
    return span.pk if span.of == "plants" else span.of
