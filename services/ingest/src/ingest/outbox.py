"""A queue of event bodies on disk: bounded, first in first out, whole again after a crash.

    <folder>/lock                        held by the process that owns the queue
    <folder>/00000000000000000001.log    segments, records appended one after the other
    <folder>/cursor                      segment and offset up to which all is sent

A record is durable when `append` returns. One is forgotten only after it was sent, so after a crash between sending
and writing the cursor it is sent again: readers know readings by their de-duplication key.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from heliograph.telemetry import log
from ingest.packing import checksum

HEADER = struct.Struct(">IIIHH")
"""Length and CRC-32 of the body, messages in it, lengths of hub and key."""


class OutboxFullError(RuntimeError):
    """The bound is reached: what feeds the outbox must wait."""


class OutboxTakenError(RuntimeError):
    """Another process owns the folder."""


class OutboxDamagedError(RuntimeError):
    """The segment that is being written can't be read: the next start cuts off what is broken."""


@dataclass(frozen=True, slots=True)
class Record:
    """One event body on its way to a hub."""

    hub: str
    key: str
    """Partition key."""
    messages: int
    body: bytes

    @property
    def size(self) -> int:
        """Bytes that it takes on disk."""
        return HEADER.size + len(self.hub) + len(self.key) + len(self.body)


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Where a record ends: the next one begins there."""

    segment: int
    offset: int


class Outbox:
    """The queue. Its methods block on the disk: call them in a thread, one at a time for each of the two ends."""

    def __init__(self, folder: Path, *, max_bytes: int, segment_bytes: int = 16 * 1024 * 1024) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._segment_bytes = segment_bytes
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(folder)
        self._sent = self._read_cursor()
        self._sizes = {int(path.stem): path.stat().st_size for path in folder.glob("*.log")}
        self._remove_before(self._sent.segment)
        self._end = self._recover()
        self._writer: IO[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._writer:
            self._writer.close()
        self._lock.close()

    @property
    def waiting_bytes(self) -> int:
        """Bytes that are not sent yet."""
        return sum(list(self._sizes.values())) - self._sent.offset

    @property
    def is_empty(self) -> bool:
        """Whether all is sent."""
        return self.waiting_bytes == 0

    @property
    def fill(self) -> float:
        """Share of the bound that is taken, 0 to 1."""
        return self.waiting_bytes / self._max_bytes

    def append(self, records: Sequence[Record]) -> None:
        """Adds the records, durably. Raises `OutboxFullError`, or `OSError` of the disk; then none was added."""
        wanted = sum(record.size for record in records)
        if self.waiting_bytes + wanted > self._max_bytes:
            raise OutboxFullError(f"{self.waiting_bytes} of {self._max_bytes} bytes wait for the hub")
        writer = self._open_writer()
        try:
            writer.write(b"".join(_bytes_of(records)))
            writer.flush()
            os.fdatasync(writer.fileno())
        except OSError:
            self._undo(writer)
            raise
        self._end = Position(self._end.segment, self._end.offset + wanted)
        self._sizes[self._end.segment] = self._end.offset

    def peek(self, max_bytes: int) -> list[tuple[Position, Record]]:
        """The oldest records that are not sent, at least one if there is any, up to `max_bytes`."""
        found: list[tuple[Position, Record]] = []
        at, size = self._sent, 0
        while at < self._end and size < max_bytes:
            if at.offset >= self._sizes[at.segment]:
                at = Position(min(one for one in list(self._sizes) if one > at.segment), 0)
                continue
            records = self._read(at, max_bytes - size)
            if not records:
                self._skip(at)
            for end, record in records:
                found.append((end, record))
                size += record.size
                at = end
        return found

    def forget(self, position: Position) -> None:
        """All up to this position is sent."""
        self._sent = position
        self._remove_before(position.segment)  # first: on a full disk it makes the room that the cursor needs
        draft = self._folder / "cursor.new"
        draft.write_text(f"{position.segment} {position.offset}\n")
        draft.replace(self._folder / "cursor")

    def _read(self, at: Position, max_bytes: int) -> list[tuple[Position, Record]]:
        limit = self._sizes[at.segment]
        with self._path(at.segment).open("rb") as file:
            file.seek(at.offset)
            return list(_records(file, at, limit, max_bytes))

    def _skip(self, at: Position) -> None:
        """Gives up the rest of a segment that the disk has damaged."""
        if at.segment == self._end.segment:
            raise OutboxDamagedError(f"{self._path(at.segment)} is damaged at byte {at.offset}")
        log.error("outbox damaged", segment=at.segment, offset=at.offset, lost=self._sizes[at.segment] - at.offset)
        self._sizes[at.segment] = at.offset

    def _open_writer(self) -> IO[bytes]:
        if self._writer and self._end.offset >= self._segment_bytes:
            self._writer.close()
            self._writer = None
            self._sizes[self._end.segment + 1] = 0
            self._end = Position(self._end.segment + 1, 0)
        if self._writer is None:
            self._writer = self._path(self._end.segment).open("ab")
            self._sizes.setdefault(self._end.segment, 0)
        return self._writer

    def _undo(self, writer: IO[bytes]) -> None:
        """Cuts off what a failed write may have left."""
        self._writer = None
        try:
            writer.close()
        finally:
            os.truncate(self._path(self._end.segment), self._end.offset)

    def _recover(self) -> Position:
        """The end of the last whole record; what a crash cut off behind it is removed."""
        if not self._sizes:
            return Position(self._sent.segment, 0) if self._sent.offset == 0 else self._begin_anew()
        if self._sent.segment not in self._sizes:  # removed, and then the cursor could not be written
            self._sent = Position(min(self._sizes), 0)
        last = max(self._sizes)
        if last == self._sent.segment and self._sizes[last] < self._sent.offset:
            return self._begin_anew()
        start = self._sent if last == self._sent.segment else Position(last, 0)
        end = start
        with self._path(last).open("rb") as file:
            file.seek(start.offset)
            whole = [end for end, _ in _records(file, start, self._sizes[last], self._sizes[last])]
        end = whole[-1] if whole else start
        if end.offset < self._sizes[last]:
            os.truncate(self._path(last), end.offset)
            self._sizes[last] = end.offset
        return end

    def _begin_anew(self) -> Position:
        """The cursor outlived its segment: all of it was sent."""
        self._sent = Position(self._sent.segment + 1, 0)
        self._remove_before(self._sent.segment)
        return self._sent

    def _remove_before(self, segment: int) -> None:
        for old in [one for one in list(self._sizes) if one < segment]:
            self._path(old).unlink(missing_ok=True)
            del self._sizes[old]

    def _read_cursor(self) -> Position:
        try:
            segment, offset = (self._folder / "cursor").read_text().split()
            return Position(int(segment), int(offset))
        except FileNotFoundError:
            return self._first()
        except ValueError as error:
            log.error("outbox cursor broken", error=str(error), folder=str(self._folder))
            return self._first()  # what was sent is sent again

    def _first(self) -> Position:
        first = min((int(path.stem) for path in self._folder.glob("*.log")), default=1)
        return Position(first, 0)

    def _path(self, segment: int) -> Path:
        return self._folder / f"{segment:020d}.log"


def claim_outbox(root: Path, *, max_bytes: int, slots: int = 64) -> Outbox:
    """The first outbox under the folder that no process owns, so that what a dead replica left is sent by the next.

    Raises `OutboxTakenError` when all are owned.
    """
    for slot in range(slots):
        try:
            return Outbox(root / f"{slot:02d}", max_bytes=max_bytes)
        except OutboxTakenError:
            continue
    raise OutboxTakenError(f"all {slots} outboxes under {root} are owned")


def _lock(folder: Path) -> IO[str]:
    lock = (folder / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise OutboxTakenError(f"{folder} is owned by another process") from error
    return lock


def _bytes_of(records: Iterable[Record]) -> Iterator[bytes]:
    for record in records:
        hub, key = record.hub.encode(), record.key.encode()
        yield HEADER.pack(len(record.body), checksum(record.body), record.messages, len(hub), len(key))
        yield hub + key
        yield record.body


def _records(file: IO[bytes], at: Position, limit: int, max_bytes: int) -> Iterator[tuple[Position, Record]]:
    """Whole records from here on; ends at the limit, at a broken record, or when `max_bytes` are reached."""
    offset, size = at.offset, 0
    while offset + HEADER.size <= limit and size < max_bytes:
        length, crc, messages, hub_length, key_length = HEADER.unpack(file.read(HEADER.size))
        names, body = file.read(hub_length + key_length), file.read(length)
        if not length or len(body) < length or checksum(body) != crc:
            return  # a crash may leave zeros, and the CRC-32 of nothing is 0
        record = Record(names[:hub_length].decode(), names[hub_length:].decode(), messages, body)
        offset += record.size
        size += record.size
        yield Position(at.segment, offset), record
