"""Dead letters of ingest: those of one submission lie in one blob, under a name that a repeat finds again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b

from heliograph.dead_letters import DeadLetter
from ingest.observations import Refused

SERVICE = "ingest"
MAX_ORIGINAL_BYTES = 256 * 1024
"""More of an answer than this says nothing new about what is wrong with it."""


def letters_of(refused: Sequence[Refused], *, source: str, lane: str, at: datetime) -> list[DeadLetter]:
    """The letters of what one submission held. The same originals give the same place."""
    digest = blake2b(digest_size=7)
    for one in refused:
        digest.update(one.original)
        digest.update(one.detail.encode())
    place = int.from_bytes(digest.digest(), "big")
    return [
        DeadLetter(
            service=SERVICE,
            reason=one.reason,
            detail=one.detail,
            source=source,
            partition=lane,
            sequence=place,
            index=one.index,
            at=at,
            original=one.original[:MAX_ORIGINAL_BYTES],
        )
        for one in refused
    ]
