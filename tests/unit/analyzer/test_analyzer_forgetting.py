"""The state of a partition is bounded."""

from __future__ import annotations

from datetime import timedelta

from replay import NOON, events_of, final, flush, partition, reading, reborn, run

from heliograph.contracts import PlantWindow


def test_a_plant_that_stopped_sending_is_forgotten_and_the_others_are_not_confused() -> None:
    """After `forget_after_s` of silence a plant leaves the state; the rows of the others move up with their windows."""
    target = partition()
    early = [[reading("gone", NOON), reading("stays", NOON, generation_kw=10.0)]]
    late = [[reading("stays", NOON + timedelta(seconds=90_000 + 5 * at), generation_kw=20.0 + at)] for at in range(8)]
    documents = run(target, events_of(early + late[:3]))
    assert sorted(target.home) == ["stays"]
    heir = reborn(target)
    documents += run(heir, events_of(late[3:], first=10)) + flush(heir)
    windows = [one for one in final(documents).values() if isinstance(one, PlantWindow)]
    assert [(one.plant_id, one.readings) for one in windows] == [
        ("gone", 1), ("stays", 1), ("stays", 2), ("stays", 2), ("stays", 2), ("stays", 2),
    ]  # fmt: skip
    assert [one.generation_kw.last for one in windows if one.plant_id == "stays" and one.generation_kw] == [
        10.0, 21.0, 23.0, 25.0, 27.0,
    ]  # fmt: skip


def test_readings_leave_the_log_once_settled() -> None:
    """What is held does not grow with the length of the stream."""
    target = partition()
    held = []
    for at in range(0, 600, 2):
        run(target, events_of([[reading("p", NOON + timedelta(seconds=at))]], first=at))
        held.append(target.held_readings)
    assert max(held[100:]) == max(held) <= (60 + 2 + 2 * 10) / 2 + 1
