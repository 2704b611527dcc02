"""One file of a partition's log: frames that are whole or not there, and a sparse index to find them.

A frame holds the events of one publication, so that a publication is kept as a whole or cut as a whole:

    ┌──────────┬────────┬───────────────┬─────────────┬─────────────┬───────┬ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ┐
    │ length 4 │ crc 4  │ sequence no 8 │ position 8  │ enqueued 8  │ count │ count × (length 4, event)
    └──────────┴────────┴───────────────┴─────────────┴─────────────┴───────┴ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ┘

Length counts what follows the checksum, and the checksum (CRC-32) covers it. Positions are bytes from the start of the
partition's first segment ever, so they only grow. The offset of an event is the position of its entry, or of its frame
for the first one: the very first event of a partition has offset 0, as in the service.
"""

import os
import struct
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

_prefix = struct.Struct(">II")
_head = struct.Struct(">QQqI")
_entry_length = struct.Struct(">I")
FRAME_OVERHEAD = _prefix.size + _head.size
_MAX_FRAME_LENGTH = 256 * 1024 * 1024
"""A longer one is a torn or foreign prefix: no publication comes near it."""
_INDEX_SPACING_BYTES = 32 * 1024
_READ_BYTES = 256 * 1024
LOG_SUFFIX = ".log"


class StoredEvent(NamedTuple):
    """An event with its place."""

    sequence_number: int
    offset: int
    enqueued_ms: int
    payload: bytes


class FrameInfo(NamedTuple):
    """What the head of a frame says."""

    position: int
    end: int
    first_sequence_number: int
    event_count: int
    enqueued_ms: int

    @property
    def last_sequence_number(self) -> int:
        """Sequence number of the frame's last event."""
        return self.first_sequence_number + self.event_count - 1


class Stampable(Protocol):
    """An event that can be encoded once its place is known."""

    def stamp(self, sequence_number: int, offset: int, enqueued_ms: int, /) -> bytes:
        """Return the bytes to store."""
        ...


def encode_frame(
    events: Sequence[Stampable], sequence_number: int, position: int, enqueued_ms: int
) -> tuple[bytes, bytes, int]:
    """Encode events as one frame at `position`; return its prefix, its content and the offset of its last event.

    The two are left apart because copies are what large events cost.
    """
    parts = [_head.pack(sequence_number, position, enqueued_ms, len(events))]
    entry_position = position + FRAME_OVERHEAD
    offset = position
    for index, event in enumerate(events):
        offset = entry_position if index else position
        payload = event.stamp(sequence_number + index, offset, enqueued_ms)
        parts += (_entry_length.pack(len(payload)), payload)
        entry_position += _entry_length.size + len(payload)
    content = b"".join(parts)
    return _prefix.pack(len(content), zlib.crc32(content)), content, offset


def decode_events(frame: bytes, info: FrameInfo) -> Iterator[StoredEvent]:
    """Yield the events of a whole frame."""
    pos = FRAME_OVERHEAD
    for index in range(info.event_count):
        length = int(_entry_length.unpack_from(frame, pos)[0])
        offset = info.position + pos if index else info.position
        start = pos + _entry_length.size
        yield StoredEvent(info.first_sequence_number + index, offset, info.enqueued_ms, frame[start : start + length])
        pos = start + length


def frame_length(prefix: bytes) -> int:
    """Return the length of the frame that starts with `prefix`, its head included."""
    return _prefix.size + int(_prefix.unpack_from(prefix)[0])


def frame_info(frame: bytes) -> FrameInfo:
    """Read the head of a frame that is known to be sound."""
    sequence_number, position, enqueued_ms, count = _head.unpack_from(frame, _prefix.size)
    return FrameInfo(position, position + frame_length(frame), sequence_number, count, enqueued_ms)


def scan(path: Path, base_position: int) -> Iterator[FrameInfo]:
    """Yield the sound frames of a file from its start, ending at the first torn or foreign byte."""
    position = base_position
    with path.open("rb") as file:
        while True:
            prefix = file.read(_prefix.size)
            if len(prefix) < _prefix.size:
                return
            length, checksum = _prefix.unpack(prefix)
            if not _head.size <= length <= _MAX_FRAME_LENGTH:
                return
            content = file.read(length)
            if len(content) < length or zlib.crc32(content) != checksum:
                return
            info = frame_info(prefix + content[: _head.size])
            if info.position != position:
                return
            yield info
            position = info.end


class Segment:
    """What is known of one file: its bounds and where some of its frames start."""

    def __init__(self, directory: Path, base_position: int, first_sequence_number: int) -> None:
        """Describe an empty segment that starts at `base_position`."""
        self.path = directory / f"{base_position:020d}-{first_sequence_number:020d}{LOG_SUFFIX}"
        self.base_position = base_position
        self.end_position = base_position
        self.first_sequence_number = first_sequence_number
        self.next_sequence_number = first_sequence_number
        self.last_enqueued_ms = 0
        self.last_offset = base_position - 1
        self._positions = array("Q")
        self._sequence_numbers = array("Q")
        self._times_ms = array("q")

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return self.end_position - self.base_position

    def note(self, info: FrameInfo) -> None:
        """Take a frame at the end into account."""
        if not self._positions or info.position - self._positions[-1] >= _INDEX_SPACING_BYTES:
            self._positions.append(info.position)
            self._sequence_numbers.append(info.first_sequence_number)
            self._times_ms.append(info.enqueued_ms)
        self.end_position = info.end
        self.next_sequence_number = info.last_sequence_number + 1
        self.last_enqueued_ms = info.enqueued_ms

    def position_before_offset(self, offset: int) -> int:
        """Return the start of a frame at or before the one that holds `offset`."""
        return self._position_at(bisect_right(self._positions, max(offset, 0)) - 1)

    def position_before_sequence_number(self, sequence_number: int) -> int:
        """Return the start of a frame at or before the one that holds `sequence_number`."""
        return self._position_at(bisect_right(self._sequence_numbers, max(sequence_number, 0)) - 1)

    def position_before_time(self, enqueued_ms: int) -> int:
        """Return the start of a frame at or before the first one enqueued at or after `enqueued_ms`."""
        return self._position_at(bisect_right(self._times_ms, enqueued_ms - 1) - 1)

    def _position_at(self, index: int) -> int:
        return self._positions[index] if index >= 0 else self.base_position


class SegmentFile:
    """A segment opened for reading."""

    def __init__(self, segment: Segment) -> None:
        """Open the file of `segment`; it stays readable when retention deletes it."""
        self.segment = segment
        self._descriptor = os.open(segment.path, os.O_RDONLY | os.O_CLOEXEC)

    def close(self) -> None:
        """Give the file back."""
        os.close(self._descriptor)

    def read_frames(self, position: int) -> list[tuple[FrameInfo, bytes]]:
        """Read one or more whole frames at `position`, none if it is the segment's end."""
        segment = self.segment
        available = segment.end_position - position
        if available <= 0:
            return []
        in_file = position - segment.base_position
        chunk = os.pread(self._descriptor, min(_READ_BYTES, available), in_file)
        first = frame_length(chunk)
        if first > len(chunk):
            chunk = os.pread(self._descriptor, first, in_file)
        return list(_whole_frames(chunk))


def _whole_frames(chunk: bytes) -> Iterator[tuple[FrameInfo, bytes]]:
    start = 0
    while len(chunk) - start >= FRAME_OVERHEAD:
        end = start + frame_length(chunk[start : start + _prefix.size])
        if end > len(chunk):
            return
        frame = chunk[start:end]
        yield frame_info(frame), frame
        start = end
