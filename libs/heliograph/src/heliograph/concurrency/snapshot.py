"""What was learned about the limit, kept in a blob in the form of Azure Functions' `concurrencyStatus.json`."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from heliograph.wire import UNREADABLE

SNAPSHOT_BLOB: Final = "concurrency/{name}/concurrencyStatus.json"


class FunctionSnapshot(msgspec.Struct, frozen=True, rename="pascal"):
    """The limit of one function."""

    concurrency: int


class Snapshot(msgspec.Struct, frozen=True, rename="pascal"):
    """The limits of one host, and the cores that it had when it learned them."""

    timestamp: datetime
    number_of_cores: float
    function_snapshots: dict[str, FunctionSnapshot]


def encode_snapshot(name: str, limit: int, cores: float, at: datetime) -> bytes:
    """The snapshot of a limit."""
    return msgspec.json.encode(Snapshot(at, cores, {name: FunctionSnapshot(limit)}))


def learned_limit(data: bytes, name: str, cores: float) -> int | None:
    """The limit that a snapshot proposes on a machine with so many cores; None if it says nothing, or nonsense."""
    try:
        snapshot = msgspec.json.decode(data, type=Snapshot)
    except UNREADABLE:
        return None
    known = snapshot.function_snapshots.get(name)
    if known is None or snapshot.number_of_cores <= 0:
        return None
    return round(known.concurrency * cores / snapshot.number_of_cores)
