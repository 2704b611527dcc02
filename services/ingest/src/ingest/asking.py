"""From when on to ask a provider, how often, and how far its data is known. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ingest.sources.declaration import Declaration

HOLD_S = 6 * 3600.0
"""So long a cursor waits for a record that could not be read, ..."""
HOLD_CALL_S = 2 * 86_400.0
"""... and so long for a call that the provider refuses while it answers others; but no longer than half of what a run
asks for, so that the others' latest data are never out of reach."""


def since_of(declaration: Declaration, cursor: datetime | None, state: dict[str, str], now: datetime) -> datetime:
    """From when on to ask: the cursor, or further back where a revision is due."""
    since = cursor or now - timedelta(seconds=declaration.first_window_s)
    for revision in declaration.revisions:
        asked = state.get(_revision_key(revision.window_s))
        if asked is None or (now - datetime.fromisoformat(asked)).total_seconds() >= revision.every_s:
            since = min(since, now - timedelta(seconds=revision.window_s))
    return since


def revisions_done(declaration: Declaration, since: datetime, now: datetime) -> dict[str, str]:
    """The marks of the revisions that a run which asked from `since` on has covered."""
    return {
        _revision_key(revision.window_s): now.isoformat()
        for revision in declaration.revisions
        if since <= now - timedelta(seconds=revision.window_s)
    }


def _revision_key(window_s: float) -> str:
    return f"revised-{window_s:g}"


def even_gap_s(declaration: Declaration, cost: int) -> float:
    """Seconds between the beginnings of two rounds of this cost that use a quota evenly over its period."""
    return max((cost * quota.per_s / quota.calls for quota in declaration.quotas), default=0.0)


@dataclass(frozen=True, slots=True)
class Span:
    """What a round of calls has brought of the time that it asked for."""

    until: datetime
    """End of that time."""
    newest: datetime | None
    """The latest observation."""
    has_unreadable: bool = False


def next_cursor(declaration: Declaration, cursor: datetime, span: Span, now: datetime) -> datetime:
    """Up to where the source's data is known: the newest observation or, where a span that is published by now holds
    nothing, its end. Where something could not be read, the cursor waits a while for it."""
    known = max(cursor, span.newest or cursor)
    if span.until < now:
        known = max(known, min(span.until, now - timedelta(seconds=declaration.lag_s)))
    if span.has_unreadable:
        return min(known, max(cursor, now - timedelta(seconds=min(HOLD_S, declaration.window_s / 2))))
    return known


def is_worth_waiting(declaration: Declaration, failing_since: datetime, now: datetime) -> bool:
    """Whether the cursor still stays for a call that has been refused since then."""
    return (now - failing_since).total_seconds() < min(HOLD_CALL_S, declaration.window_s / 2)
