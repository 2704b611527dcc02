"""The queue on disk when the disk is full or a crash left it damaged, and how sending bears it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest
from azure.eventhub import EventData

from heliograph.dead_letters import DeadLetters
from ingest import sending
from ingest.alarms import Alarms
from ingest.outbox import Outbox, Record
from ingest.sending import Sending

FULL = OSError(28, "No space left on device")


def record(number: int) -> Record:
    return Record("readings", "s00", number, bytes([number + 1]) * 20)


def numbers(outbox: Outbox) -> list[int]:
    return [one.messages for _, one in outbox.peek(10**6)]


class CountingSender:
    """A hub that takes all."""

    def __init__(self) -> None:
        self.events = 0

    async def send(self, partition_key: str, events: Sequence[EventData]) -> None:
        self.events += len(events)


def without_space_for_the_cursor(patch: pytest.MonkeyPatch) -> None:
    def fail(_path: Path, _text: str) -> int:
        raise FULL

    patch.setattr(Path, "write_text", fail)


def test_a_full_disk_gets_room_from_segments_that_are_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Sent segments go although the cursor can't be written, and the next start begins at the first that is left."""
    with Outbox(tmp_path, max_bytes=10**6, segment_bytes=50) as outbox:
        for number in range(6):
            outbox.append([record(number)])
        outbox.forget(outbox.peek(1)[-1][0])
        with monkeypatch.context() as patch:
            without_space_for_the_cursor(patch)
            with pytest.raises(OSError, match="No space"):
                outbox.forget(outbox.peek(10**6)[3][0])
        left = numbers(outbox)
    with Outbox(tmp_path, max_bytes=10**6, segment_bytes=50) as outbox:
        assert left == [5]
        assert numbers(outbox) == [4, 5]
        outbox.append([record(6)])
        assert numbers(outbox) == [4, 5, 6]


async def test_sending_goes_on_while_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A cursor that can't be written is an alarm, not the end, nothing is sent twice, and it is written when it can."""
    monkeypatch.setattr(sending, "PAUSE_S", 0.01)
    monkeypatch.setattr(sending, "IDLE_S", 0.01)
    monkeypatch.setattr(sending, "WINDOW_BYTES", 1)
    hub, alarms, finished = CountingSender(), Alarms(), asyncio.Event()
    with Outbox(tmp_path, max_bytes=10**6) as outbox:
        outbox.append([record(number) for number in range(5)])
        work = Sending(outbox, {"readings": hub}, cast("DeadLetters", None), alarms)
        async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
            with monkeypatch.context() as patch:
                without_space_for_the_cursor(patch)
                tasks.create_task(work.run(asyncio.Event(), finished))
                while hub.events < 5 or not outbox.is_empty:
                    await asyncio.sleep(0.01)
                assert "No space" in alarms.standing["outbox disk"]
            while alarms.standing:
                await asyncio.sleep(0.01)
            finished.set()
    assert hub.events == 5
    with Outbox(tmp_path, max_bytes=10**6) as outbox:
        assert outbox.is_empty


def test_a_tail_of_zeros_is_no_record(tmp_path: Path):
    """What a crash left unwritten behind the last record is cut off, and new records follow the whole ones."""
    with Outbox(tmp_path, max_bytes=10**6) as outbox:
        outbox.append([record(0)])
    [segment] = tmp_path.glob("*.log")
    with segment.open("ab") as file:
        file.write(bytes(64))
    with Outbox(tmp_path, max_bytes=10**6) as outbox:
        outbox.append([record(1)])
        assert numbers(outbox) == [0, 1]


@pytest.mark.parametrize("cursor", [b"", b"1", b"one two\n", b"\xff\xff \xff", bytes(20)])
def test_a_broken_cursor_is_as_none(tmp_path: Path, cursor: bytes):
    """All that is there is sent again."""
    with Outbox(tmp_path, max_bytes=10**6) as outbox:
        outbox.append([record(0), record(1)])
        outbox.forget(outbox.peek(1)[0][0])
    (tmp_path / "cursor").write_bytes(cursor)
    with Outbox(tmp_path, max_bytes=10**6) as outbox:
        assert numbers(outbox) == [0, 1]
