"""The durable log: what is read is what was written, whatever was cut off."""

import os
import random
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local_azure.eventhubs.log import PartitionLog
from local_azure.eventhubs.positions import BEGINNING, Measure, StartPosition
from local_azure.eventhubs.segment import StoredEvent

SEGMENT_BYTES = 400


class Plain(NamedTuple):
    """An event that does not care for its place."""

    body: bytes

    def stamp(self, _sequence_number: int, _offset: int, _enqueued_ms: int) -> bytes:
        return self.body


def filled(folder: Path, publications: list[list[bytes]], segment_bytes: int = SEGMENT_BYTES) -> PartitionLog:
    """A log with the given publications, one a second from second 1 on."""
    log = PartitionLog(folder, segment_bytes, sync_files=False)
    for second, bodies in enumerate(publications, start=1):
        log.append([Plain(body) for body in bodies], second * 1000)
    return log


def events(log: PartitionLog, start: StartPosition = BEGINNING) -> list[StoredEvent]:
    reader = log.reader(start)
    found = []
    while (event := reader.next_event()) is not None:
        found.append(event)
    reader.close()
    return found


PUBLICATIONS = [[b"a"], [b"b", b"c" * 50], [b"d" * 300], [b"e"], [b"f", b"", b"g"], [b"h" * 100]]


def test_events_come_back_in_order_after_reopening(tmp_path: Path) -> None:
    """Sequence numbers count from 0 without a gap, offsets grow, and a reopened log tells the same."""
    log = filled(tmp_path, PUBLICATIONS)
    before = events(log)
    log.close()
    again = PartitionLog(tmp_path, SEGMENT_BYTES, sync_files=False)
    assert events(again) == before
    assert [event.payload for event in before] == [body for bodies in PUBLICATIONS for body in bodies]
    assert [event.sequence_number for event in before] == list(range(len(before)))
    assert before[0].offset == 0
    assert all(left.offset < right.offset for left, right in pairwise(before))
    assert (again.last_offset, again.last_enqueued_ms) == (before[-1].offset, 6000)
    assert len(list(tmp_path.glob("*.log"))) > 1
    again.close()


@pytest.mark.parametrize("inclusive", [True, False])
def test_every_starting_position_finds_its_event(tmp_path: Path, inclusive: bool) -> None:
    """For each event, its offset, sequence number and time start the reader at it, or right after it."""
    log = filled(tmp_path, PUBLICATIONS)
    everything = events(log)
    for event in everything:
        wanted = everything[event.sequence_number + (0 if inclusive else 1) :]
        for measure, value in (
            (Measure.OFFSET, event.offset),
            (Measure.SEQUENCE_NUMBER, event.sequence_number),
        ):
            assert events(log, StartPosition(measure, value, inclusive)) == wanted
        later = [one for one in everything if one.enqueued_ms >= event.enqueued_ms + (0 if inclusive else 1)]
        assert events(log, StartPosition(Measure.ENQUEUED_TIME, event.enqueued_ms, inclusive)) == later
    last = everything[-1:] if inclusive else []
    assert events(log, StartPosition(Measure.END, inclusive=inclusive)) == last
    log.close()


def test_a_torn_tail_is_cut_at_every_byte(tmp_path: Path) -> None:
    """A file cut anywhere keeps all publications that are whole, none in part, and takes new ones."""
    log = filled(tmp_path / "whole", PUBLICATIONS, 1 << 20)
    everything = events(log)
    log.close()
    (path,) = (tmp_path / "whole").glob("*.log")
    raw = path.read_bytes()
    kept_counts = set()
    for cut in range(len(raw) + 1):
        folder = tmp_path / str(cut)
        folder.mkdir()
        (folder / path.name).write_bytes(raw[:cut])
        recovered = PartitionLog(folder, 1 << 20, sync_files=False)
        kept = events(recovered)
        assert kept == everything[: len(kept)]
        kept_counts.add(len(kept))
        recovered.append([Plain(b"new")], 99_000)
        after = events(recovered)
        assert [one.payload for one in after] == [one.payload for one in kept] + [b"new"]
        assert after[-1].sequence_number == len(kept)
        recovered.close()
    whole_publications = {sum(map(len, PUBLICATIONS[:count])) for count in range(len(PUBLICATIONS) + 1)}
    assert kept_counts == whole_publications


def test_a_flipped_bit_ends_the_log_where_it_is(tmp_path: Path) -> None:
    """No event behind a damaged byte, and no damaged event, is ever read."""
    log = filled(tmp_path / "whole", PUBLICATIONS, 1 << 20)
    everything = events(log)
    log.close()
    (path,) = (tmp_path / "whole").glob("*.log")
    raw = path.read_bytes()
    for place in range(0, len(raw), 3):
        folder = tmp_path / f"flip{place}"
        folder.mkdir()
        damaged = bytearray(raw)
        damaged[place] ^= 0x10
        (folder / path.name).write_bytes(damaged)
        recovered = PartitionLog(folder, 1 << 20, sync_files=False)
        kept = events(recovered)
        assert kept == everything[: len(kept)]
        assert len(kept) < len(everything)
        recovered.close()


def test_segments_that_no_longer_join_on_are_set_aside(tmp_path: Path) -> None:
    """A hole in the middle ends the log there; what lies behind it is kept on disk under another name."""
    filled(tmp_path, PUBLICATIONS).close()
    first, second, *_ = sorted(tmp_path.glob("*.log"))
    first.write_bytes(first.read_bytes()[:-1])
    log = PartitionLog(tmp_path, SEGMENT_BYTES, sync_files=False)
    assert [event.payload for event in events(log)][:1] == [b"a"]
    assert second.with_suffix(".orphan").exists()
    log.append([Plain(b"new")], 1)
    assert events(log)[-1].payload == b"new"
    log.close()


def test_retention_by_time_and_by_size_deletes_whole_segments(tmp_path: Path) -> None:
    """The oldest segments go, the numbers of the others stay, and a reader left behind goes on at the oldest."""
    log = filled(tmp_path, PUBLICATIONS)
    left_behind = log.reader(BEGINNING)
    total = log.next_sequence_number
    assert log.retire(3001, None) >= 1
    kept = events(log)
    assert 0 < kept[0].sequence_number == log.first_sequence_number
    assert kept[-1].sequence_number == total - 1
    event = left_behind.next_event()
    assert event is not None
    assert event.sequence_number == log.first_sequence_number
    left_behind.close()
    log.retire(0, SEGMENT_BYTES)
    assert log.size_bytes <= SEGMENT_BYTES or len(list(tmp_path.glob("*.log"))) == 1
    log.close()


def test_an_emptied_log_goes_on_counting_after_reopening(tmp_path: Path) -> None:
    """Sequence numbers and offsets never start anew, even when retention took everything."""
    log = filled(tmp_path, PUBLICATIONS)
    total, end = log.next_sequence_number, log.end_position
    log.retire(10_000, None)
    assert log.is_empty
    log.close()
    again = PartitionLog(tmp_path, SEGMENT_BYTES, sync_files=False)
    assert again.is_empty
    again.append([Plain(b"new")], 1)
    (event,) = events(again)
    assert (event.sequence_number, event.offset) == (total, end)
    again.close()


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full, what was written of a publication is cut off again."""
    log = filled(tmp_path, [[b"a"]], 1 << 20)
    (path,) = tmp_path.glob("*.log")
    size = path.stat().st_size

    def fill_up(descriptor: int, buffers: tuple[bytes, ...]) -> int:
        os.write(descriptor, buffers[0])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.writev", fill_up)
        with pytest.raises(OSError, match="No space"):
            log.append([Plain(b"b")], 2000)
    assert path.stat().st_size == size
    log.append([Plain(b"c")], 3000)
    assert [event.payload for event in events(log)] == [b"a", b"c"]
    log.close()


def test_time_never_runs_backwards(tmp_path: Path) -> None:
    """When the clock goes back, events are stamped with the time of the last one: time positions stay searchable."""
    log = filled(tmp_path, [[b"a"], [b"b"]])
    log.append([Plain(b"c")], 5)
    assert [event.enqueued_ms for event in events(log)] == [1000, 2000, 2000]
    log.close()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32))
def test_readers_at_the_tail_see_everything_once(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    """Readers opened at any time, reading at any pace, get every later event once and in order."""
    chance = random.Random(seed)
    log = PartitionLog(tmp_path_factory.mktemp("tail"), 300, sync_files=False)
    readers = []
    for second in range(60):
        if chance.random() < 0.1:
            readers.append((log.reader(StartPosition(Measure.END)), log.next_sequence_number, []))
        log.append([Plain(bytes(chance.randrange(40))) for _ in range(chance.randint(1, 4))], second)
        for reader, _, seen in readers:
            for _ in range(chance.randint(0, 4)):
                event = reader.next_event()
                if event is not None:
                    seen.append(event.sequence_number)
    for reader, first, seen in readers:
        while (event := reader.next_event()) is not None:
            seen.append(event.sequence_number)
        assert seen == list(range(first, log.next_sequence_number))
        reader.close()
    log.close()
