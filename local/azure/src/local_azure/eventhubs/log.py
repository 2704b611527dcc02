"""The durable log of one partition: segments appended to, read from anywhere, recovered and retired.

Nothing here waits: appending writes to the page cache, which outlives `kill -9`. What outlives a power cut is up to
whoever calls `sync`.
"""

import logging
import os
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from local_azure.eventhubs.positions import Measure, StartPosition
from local_azure.eventhubs.segment import (
    LOG_SUFFIX,
    FrameInfo,
    Segment,
    SegmentFile,
    Stampable,
    StoredEvent,
    decode_events,
    encode_frame,
    scan,
)

_log = logging.getLogger(__name__)
_ORPHAN_SUFFIX = ".orphan"


class PartitionLog:
    """An append-only sequence of events in a directory of its own."""

    def __init__(self, directory: Path, segment_bytes: int, *, sync_files: bool = True) -> None:
        """Open the log, cutting a torn tail; start a new segment when one passes `segment_bytes`.

        With `sync_files` a file is forced to disk before it is left behind.
        """
        directory.mkdir(parents=True, exist_ok=True)
        self._sync_files = sync_files
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._segments = _recover(directory)
        self._descriptor = _open_for_append(self._active)

    @property
    def _active(self) -> Segment:
        return self._segments[-1]

    @property
    def first_sequence_number(self) -> int:
        """Sequence number of the oldest event that is kept, or of the next one if there is none."""
        return self._segments[0].first_sequence_number

    @property
    def next_sequence_number(self) -> int:
        """Sequence number that the next event will get."""
        return self._active.next_sequence_number

    @property
    def is_empty(self) -> bool:
        """Whether no event is kept."""
        return self.first_sequence_number == self.next_sequence_number

    @property
    def last_offset(self) -> int:
        """Offset of the last event ever appended, -1 before the first."""
        return self._active.last_offset

    @property
    def last_enqueued_ms(self) -> int:
        """When the last event was enqueued, 0 before the first."""
        return self._active.last_enqueued_ms

    @property
    def end_position(self) -> int:
        """Position of the next frame."""
        return self._active.end_position

    @property
    def size_bytes(self) -> int:
        """Bytes on disk."""
        return sum(segment.size for segment in self._segments)

    def append(self, events: Sequence[Stampable], now_ms: int) -> None:
        """Write `events` as one unit, enqueued at `now_ms` or at the last event's time if the clock went back.

        Raises:
            OSError: it could not be written, and nothing of it remains.
        """
        if self._active.size >= self._segment_bytes:
            self._roll()
        active = self._active
        enqueued_ms = max(now_ms, active.last_enqueued_ms)
        position = active.end_position
        prefix, content, last_offset = encode_frame(events, active.next_sequence_number, position, enqueued_ms)
        self._write(prefix, content)
        end = position + len(prefix) + len(content)
        active.note(FrameInfo(position, end, active.next_sequence_number, len(events), enqueued_ms))
        active.last_offset = last_offset

    def _write(self, prefix: bytes, content: bytes) -> None:
        try:
            written = os.writev(self._descriptor, (prefix, content))
            while written < len(prefix) + len(content):
                written += os.write(self._descriptor, (prefix + content)[written:])
        except OSError:
            os.ftruncate(self._descriptor, self._active.size)
            raise

    def _roll(self) -> None:
        sealed = self._active
        successor = _successor(self._directory, sealed)
        descriptor = _open_for_append(successor)
        self.close()
        self._descriptor = descriptor
        self._segments.append(successor)

    def pending_sync(self) -> Callable[[], None]:
        """Return what makes all that was appended so far outlive a power cut: call it once, in any thread.

        It raises OSError if the disk refuses.
        """
        descriptor = os.dup(self._descriptor)

        def sync() -> None:
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

        return sync

    def retire(self, oldest_ms: int, max_bytes: int | None) -> int:
        """Delete whole segments that end before `oldest_ms` or exceed `max_bytes`; return how many.

        The segment that is written to is replaced by an empty one when all that it holds is too old.
        """
        if self._active.size and self._active.last_enqueued_ms < oldest_ms:
            self._roll()
        retired = 0
        while len(self._segments) > 1 and (
            self._segments[0].last_enqueued_ms < oldest_ms or (max_bytes is not None and self.size_bytes > max_bytes)
        ):
            self._segments.pop(0).path.unlink(missing_ok=True)
            retired += 1
        return retired

    def close(self) -> None:
        """Give the file back: it is never synced again, so it has to be safe by now."""
        if self._sync_files:
            os.fsync(self._descriptor)
        os.close(self._descriptor)

    def reader(self, start: StartPosition) -> "LogReader":
        """Return a reader of the events from `start` on."""
        return LogReader(self, *self._locate(start))

    def _locate(self, start: StartPosition) -> tuple[int, Callable[[StoredEvent], bool]]:
        """Return a position at or before the first event wanted, and what tells it."""
        least = start.value if start.inclusive else start.value + 1
        match start.measure:
            case Measure.END if start.inclusive and not self.is_empty:
                last = self.next_sequence_number - 1
                return self._before_sequence_number(last), lambda event: event.sequence_number >= last
            case Measure.END:
                return self.end_position, lambda _: True
            case Measure.OFFSET:
                segment = self.segment_at(least)
                return segment.position_before_offset(least), lambda event: event.offset >= least
            case Measure.SEQUENCE_NUMBER:
                return self._before_sequence_number(least), lambda event: event.sequence_number >= least
            case Measure.ENQUEUED_TIME:
                return self._before_time(least), lambda event: event.enqueued_ms >= least

    def _before_sequence_number(self, sequence_number: int) -> int:
        firsts = [segment.first_sequence_number for segment in self._segments]
        segment = self._segments[max(bisect_right(firsts, sequence_number) - 1, 0)]
        return segment.position_before_sequence_number(sequence_number)

    def _before_time(self, enqueued_ms: int) -> int:
        for segment in self._segments:
            if segment.last_enqueued_ms >= enqueued_ms:
                return segment.position_before_time(enqueued_ms)
        return self.end_position

    def segment_at(self, position: int) -> Segment:
        """Return the segment that holds `position`, or the oldest if that is gone."""
        bases = [segment.base_position for segment in self._segments]
        return self._segments[max(bisect_right(bases, position) - 1, 0)]


class LogReader:
    """Reads a log in order, at its own pace; it sees what is appended after it was made."""

    def __init__(self, log: PartitionLog, position: int, wanted: Callable[[StoredEvent], bool]) -> None:
        """Read from the frame at `position`, skipping events until one is wanted."""
        self._log = log
        self._position = position
        self._wanted: Callable[[StoredEvent], bool] | None = wanted
        self._ready: deque[StoredEvent] = deque()
        self._file: SegmentFile | None = None

    def next_event(self) -> StoredEvent | None:
        """Take the next event, or None at the end of the log."""
        while not self._ready:
            if self._position >= self._log.end_position:
                return None
            self._read_on()
        return self._ready.popleft()

    def has_more(self) -> bool:
        """Tell whether a next event may be there."""
        return bool(self._ready) or self._position < self._log.end_position

    def close(self) -> None:
        """Give the file back."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _read_on(self) -> None:
        file = self._file_at_position()
        for info, frame in file.read_frames(self._position):
            self._ready.extend(decode_events(frame, info))
            self._position = info.end
        if self._wanted is not None:
            while self._ready and not self._wanted(self._ready[0]):
                self._ready.popleft()
            if self._ready:
                self._wanted = None

    def _file_at_position(self) -> SegmentFile:
        """Open the segment that holds the position, going on to the oldest if retention took it."""
        if self._file is None or self._position >= self._file.segment.end_position:
            self.close()
            segment = self._log.segment_at(self._position)
            self._position = max(self._position, segment.base_position)
            self._file = SegmentFile(segment)
        return self._file


def _successor(directory: Path, sealed: Segment) -> Segment:
    segment = Segment(directory, sealed.end_position, sealed.next_sequence_number)
    segment.last_enqueued_ms = sealed.last_enqueued_ms
    segment.last_offset = sealed.last_offset
    return segment


def _open_for_append(segment: Segment) -> int:
    return os.open(segment.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)


def _recover(directory: Path) -> list[Segment]:
    """Read the segments in a directory, cut the torn tail and set aside what no longer joins on."""
    segments: list[Segment] = []
    for path in sorted(directory.glob(f"*{LOG_SUFFIX}")):
        base_position, first_sequence_number = (int(part) for part in path.stem.split("-"))
        if segments and segments[-1].end_position != base_position:
            _log.error("%s does not join on to the segment before it: set aside", path)
            path.rename(path.with_suffix(_ORPHAN_SUFFIX))
            continue
        segment = Segment(directory, base_position, first_sequence_number)
        if segments:
            segment.last_enqueued_ms = segments[-1].last_enqueued_ms
            segment.last_offset = segments[-1].last_offset
        _recover_segment(segment)
        segments.append(segment)
    return segments or [Segment(directory, 0, 0)]


def _recover_segment(segment: Segment) -> None:
    last: FrameInfo | None = None
    for last in scan(segment.path, segment.base_position):
        segment.note(last)
    torn_bytes = segment.path.stat().st_size - segment.size
    if torn_bytes:
        _log.warning("%s: cut a torn tail of %d bytes", segment.path, torn_bytes)
        os.truncate(segment.path, segment.size)
    if last is not None:
        segment.last_offset = _last_offset(segment, last)


def _last_offset(segment: Segment, last: FrameInfo) -> int:
    file = SegmentFile(segment)
    try:
        ((info, frame),) = file.read_frames(last.position)
    finally:
        file.close()
    *_, event = decode_events(frame, info)
    return event.offset
