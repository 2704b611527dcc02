"""The queue on disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.outbox import Outbox, OutboxFullError, OutboxTakenError, Record, claim_outbox


def record(number: int, size: int = 20) -> Record:
    return Record("readings", f"s{number % 4:02d}", number, bytes([number % 256]) * size)


def drain(outbox: Outbox, max_bytes: int = 10_000) -> list[int]:
    numbers = []
    while window := outbox.peek(max_bytes):
        numbers += [one.messages for _, one in window]
        outbox.forget(window[-1][0])
    return numbers


@settings(deadline=None, max_examples=40)
@given(batches=st.lists(st.integers(1, 5), max_size=12), window=st.integers(1, 400), segment=st.integers(40, 400))
def test_records_come_out_in_order_whatever_the_sizes(
    tmp_path_factory: pytest.TempPathFactory, batches: list[int], window: int, segment: int
):
    """First in, first out, over any segment and window size, also when the process starts anew in between."""
    folder = tmp_path_factory.mktemp("outbox")
    sent: list[int] = []
    number = 0
    for batch in batches:
        with Outbox(folder, max_bytes=10**6, segment_bytes=segment) as outbox:
            outbox.append([record(number + one) for one in range(batch)])
            number += batch
            if batch % 2 and (found := outbox.peek(window)):
                sent += [one.messages for _, one in found]
                outbox.forget(found[-1][0])
    with Outbox(folder, max_bytes=10**6, segment_bytes=segment) as outbox:
        assert sent + drain(outbox, window) == list(range(number))
        assert outbox.is_empty


def test_what_was_not_forgotten_is_sent_again_after_a_crash(tmp_path: Path):
    """Peeking alone loses nothing."""
    with Outbox(tmp_path, max_bytes=10**6) as outbox:
        outbox.append([record(one) for one in range(5)])
        assert len(outbox.peek(10**6)) == 5
    with Outbox(tmp_path, max_bytes=10**6) as outbox:
        assert drain(outbox) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("cut", [1, 10, 30])
def test_a_record_that_a_crash_cut_off_is_dropped_and_the_queue_goes_on(tmp_path: Path, cut: int):
    """The whole records before it stay, and new ones follow them."""
    with Outbox(tmp_path, max_bytes=10**6) as outbox:
        outbox.append([record(0), record(1)])
    [segment] = tmp_path.glob("*.log")
    segment.write_bytes(segment.read_bytes()[:-cut])
    with Outbox(tmp_path, max_bytes=10**6) as outbox:
        outbox.append([record(2)])
        assert drain(outbox) == [0, 2]


def test_a_damaged_segment_is_skipped_not_read_for_ever(tmp_path: Path):
    """What follows a broken record in its segment is lost, the next segments are not."""
    with Outbox(tmp_path, max_bytes=10**6, segment_bytes=50) as outbox:
        for number in range(6):
            outbox.append([record(number)])
        first = min(tmp_path.glob("*.log"))
        first.write_bytes(b"\xff" + first.read_bytes()[1:])
        assert drain(outbox)[-1] == 5


def test_the_bound_holds_and_room_comes_back(tmp_path: Path):
    """A full outbox takes nothing of a batch; once some is sent it takes it whole."""
    with Outbox(tmp_path, max_bytes=200) as outbox:
        outbox.append([record(0, 100)])
        with pytest.raises(OutboxFullError):
            outbox.append([record(1, 100)])
        assert drain(outbox) == [0]
        outbox.append([record(1, 100)])
        assert drain(outbox) == [1]


def test_an_outbox_has_one_owner_and_a_dead_ones_is_adopted(tmp_path: Path):
    """A second process gets another folder; when the first is gone, its records are found again."""
    with claim_outbox(tmp_path, max_bytes=10**6) as first:
        first.append([record(7)])
        with pytest.raises(OutboxTakenError):
            claim_outbox(tmp_path, max_bytes=10**6, slots=1)
        with claim_outbox(tmp_path, max_bytes=10**6) as second:
            assert second.is_empty
    with claim_outbox(tmp_path, max_bytes=10**6) as adopted:
        assert drain(adopted) == [7]


def test_disk_space_is_given_back(tmp_path: Path):
    """Segments that are sent are removed: a thousand records leave one small file."""
    with Outbox(tmp_path, max_bytes=10**6, segment_bytes=100) as outbox:
        for number in range(100):
            outbox.append([record(number)])
            drain(outbox)
        assert len(list(tmp_path.glob("*.log"))) <= 2


def test_a_failing_disk_leaves_no_half_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """When the write fails the append raises, and what comes after it is whole."""

    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with Outbox(tmp_path, max_bytes=10**6) as outbox:
        outbox.append([record(0)])
        with monkeypatch.context() as patch:
            patch.setattr("os.fdatasync", fail)
            with pytest.raises(OSError, match="No space"):
                outbox.append([record(1)])
        outbox.append([record(2)])
        assert drain(outbox) == [0, 2]
