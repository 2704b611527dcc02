"""Packs readings into event bodies: one shard each, in the order given, as full as the hub allows, gzipped."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator, Sequence

from heliograph.contracts import Message, Reading
from heliograph.topology import shard_of
from heliograph.wire import encode

MAX_BODY_BYTES = 900_000
"""Of JSON in one event: with its frame under 1 MB, so that it travels ungzipped too, and cheap to unfold."""
MIN_GZIP_BYTES = 1_000
MAX_KNOWN_SHARDS = 200_000


class Shards:
    """Groups readings by shard, and remembers the shards of plants."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def of(self, plant_id: str) -> str:
        """The shard of the plant: its events' partition key."""
        shard = self._known.get(plant_id)
        if shard is None:
            if len(self._known) >= MAX_KNOWN_SHARDS:
                self._known.clear()
            shard = self._known[plant_id] = shard_of(plant_id)
        return shard

    def group(self, readings: Iterable[Reading]) -> dict[str, list[Reading]]:
        """The readings by shard, in the order given within each."""
        groups: dict[str, list[Reading]] = {}
        for reading in readings:
            groups.setdefault(self.of(reading.plant_id), []).append(reading)
        return groups


def pack(messages: Sequence[Message], *, compress: bool = True) -> Iterator[tuple[bytes, int]]:
    """Bodies that hold the messages in their order, each with how many it holds. Small bodies stay plain."""
    body = encode(messages)
    if len(body) > MAX_BODY_BYTES and len(messages) > 1:
        parts = -(-len(body) // MAX_BODY_BYTES) + 1
        step = -(-len(messages) // parts)
        for start in range(0, len(messages), step):
            yield from pack(messages[start : start + step], compress=compress)
        return
    yield (gzip.compress(body, compresslevel=1, mtime=0) if _worth(body, compress) else body), len(messages)


def _worth(body: bytes, compress: bool) -> bool:
    return compress and len(body) >= MIN_GZIP_BYTES


def is_gzipped(body: bytes) -> bool:
    """Whether `pack` gzipped the body: JSON never begins like this."""
    return body[:2] == b"\x1f\x8b"


def checksum(body: bytes) -> int:
    """CRC-32 of a body, to find a record that was cut off."""
    return zlib.crc32(body)
