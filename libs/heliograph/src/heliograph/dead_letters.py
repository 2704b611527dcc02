"""What could not be processed, kept with its reason, its place in the stream and its original bytes."""

from __future__ import annotations

import base64
from datetime import datetime
from hashlib import blake2b

import msgspec
from prometheus_client import Counter

from heliograph.blobs import ANY, BlobFolder
from heliograph.telemetry import log

DEAD_LETTERED = Counter("heliograph_dead_letters_total", "Messages put to the dead letters", ["service", "reason"])


REPLAYED = "replayed/"
"""Under this prefix lie the letters that an operator has sent again."""


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message that was refused. `original` is base64 in JSON, so that any bytes survive."""

    service: str
    reason: str
    """A short word for counting: `malformed`, `late`, `future`, `rejected`, …"""
    detail: str
    """What exactly is wrong: names the field and the value."""
    source: str
    """The hub, queue or external source that it came from."""
    partition: str = ""
    sequence: int = -1
    index: int = 0
    """Its place in the event's array."""
    at: datetime
    original: bytes


class DeadLetters:
    """The dead letters of one service. A letter has a name made of its place, so a repeat overwrites itself."""

    def __init__(self, folder: BlobFolder, service: str) -> None:
        self._folder = folder
        self._service = service

    async def put(self, letters: list[DeadLetter]) -> None:
        """Stores the letters, several of one event in one blob of JSON lines. Durable when it returns."""
        blobs: dict[str, list[DeadLetter]] = {}
        for letter in letters:
            blobs.setdefault(_name(letter), []).append(letter)
        for name, group in blobs.items():
            lines = b"\n".join(msgspec.json.encode(letter) for letter in group) + b"\n"
            await self._folder.put(name, lines, etag=ANY, content_type="application/x-ndjson")
            for letter in group:
                DEAD_LETTERED.labels(self._service, letter.reason).inc()
            log.warning("dead-lettered", blob=name, letters=len(group), reason=group[0].reason, detail=group[0].detail)


def _name(letter: DeadLetter) -> str:
    if letter.sequence >= 0:
        return f"{letter.service}/{letter.source}/{letter.partition}/{letter.sequence:020d}-{letter.reason}.ndjson"
    digest = blake2b(letter.original, digest_size=8).hexdigest()
    return f"{letter.service}/{letter.source}/{letter.at:%Y-%m-%d}/{digest}-{letter.reason}.ndjson"


def parse_dead_letters(blob: bytes) -> list[DeadLetter]:
    """The letters of a blob. Raises `msgspec.DecodeError` for other content."""
    return msgspec.json.decode(b"[" + b",".join(blob.splitlines()) + b"]", type=list[DeadLetter])


def original_text(letter: DeadLetter) -> str:
    """The original for a person's eyes: text where it is text, else base64."""
    try:
        return letter.original.decode()
    except UnicodeDecodeError:
        return base64.b64encode(letter.original).decode()
