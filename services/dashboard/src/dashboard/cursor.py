"""How far a page has come in each partition of the hub, as the text of an SSE id: `0-15.1-9` is 15 in 0 and 9 in 1."""

from __future__ import annotations

from collections.abc import Mapping

Cursor = Mapping[str, int]
"""The last sequence number taken from each partition."""


def encode(cursor: Cursor) -> str:
    """The cursor as text."""
    return ".".join(f"{partition}-{sequence}" for partition, sequence in sorted(cursor.items()))


def decode(text: str) -> dict[str, int] | None:
    """The cursor of a text, or None where it is none: a page may send anything."""
    cursor: dict[str, int] = {}
    for part in text.split(".") if text.isascii() and text else ():
        partition, dash, sequence = part.partition("-")
        if not (dash and partition.isalnum() and sequence.lstrip("-").isdigit() and len(sequence) < 20):
            return None
        cursor[partition] = int(sequence)
    return cursor or None


def covers(cursor: Cursor, other: Cursor) -> bool:
    """Whether `cursor` has come as far as `other` in every partition."""
    return all(cursor.get(partition, -1) >= sequence for partition, sequence in other.items())
