"""Whatever happens to the readings on their way, the documents in the end are those of a batch computation."""

from __future__ import annotations

import random
from datetime import timedelta

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from replay import NOON, Event, batch, cut, day_of, events_of, facts, final, flush, partition, reading, reborn, run

from analyzer.columns import from_micros
from analyzer.partition import Partition
from heliograph.contracts import Alert, PlantWindow, Reading, RegionWindow

ALL_KINDS = ("tumbling-10s", "hopping-30s-10s", "sliding-7s", "session-5s-60s")
FEW = settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
MORE = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def disturbed(readings: list[Reading], rng: random.Random, late_s: float) -> list[Event]:
    """The readings as a hub may get them: delayed by up to `late_s` of event time, repeated, in events of any size."""
    arrivals = [(one.observed_at + timedelta(seconds=rng.uniform(0, late_s)), one) for one in readings]
    repeats = [(at + timedelta(seconds=rng.uniform(0, late_s / 2)), one) for at, one in arrivals if rng.random() < 0.2]
    arrivals = [(min(at, one.observed_at + timedelta(seconds=late_s)), one) for at, one in arrivals + repeats]
    arrivals.sort(key=lambda pair: pair[0])
    return events_of(cut([one for _, one in arrivals], rng))


def assert_is_batch(documents: list[object], readings: list[Reading], window: str = "tumbling-10s") -> None:
    windows = {(one.plant_id, one.window_start): one for one in final(documents).values()  # type: ignore[arg-type]
               if isinstance(one, PlantWindow) and one.window == window and one.readings}  # fmt: skip
    expected = batch(readings, window).to_dicts()
    assert len(windows) == len(expected)
    for row in expected:
        one = windows[row["plant"], from_micros(row["start"])]
        assert (one.readings, one.region, one.window_end) == (row["readings"], row["region"], from_micros(row["end"]))
        assert one.capacity_kw == row["capacity"]
        assert one.module_c == (None if row["module"] is None else pytest.approx(row["module"], rel=1e-9))
        assert one.module_c_max == row["module_max"]
        made = one.generation_kw
        if row["count"] == 0:
            assert made is None
            continue
        assert made is not None
        assert (made.count, made.min, made.max, made.first, made.last) == tuple(
            row[name] for name in ("count", "min", "max", "first", "last")
        )
        assert made.sum == pytest.approx(row["sum"], rel=1e-9)
        assert made.mean == pytest.approx(row["sum"] / row["count"], rel=1e-9)
        assert one.utilisation_pct == pytest.approx(row["sum"] / row["count"] / row["capacity"] * 100, rel=1e-9)


@MORE
@given(seed=st.integers(0, 2**32))
def test_any_order_within_the_lateness_ends_in_the_batch_result(seed: int) -> None:
    """Readings delayed, repeated and cut into events at will end, for every window kind, in the windows that Polars
    computes."""
    rng = random.Random(seed)
    readings = day_of(4, 60, rng)
    target = partition(*ALL_KINDS)
    documents = run(target, disturbed(readings, rng, late_s=45)) + flush(target)
    for window in ALL_KINDS:
        assert_is_batch(documents, readings, window)


@pytest.mark.parametrize("window", ALL_KINDS[1:])
def test_a_window_that_is_a_little_wrong_is_seen(window: str) -> None:
    """Against the batch computation of a window of one second less, the same documents fail."""
    readings = day_of(4, 60, random.Random(11))
    target = partition(*ALL_KINDS)
    documents = run(target, events_of([readings])) + flush(target)
    kind, size, *rest = window.split("-")
    wrong = "-".join([kind, f"{int(size.removesuffix('s')) - 1}s", *rest])
    renamed = [msgspec.structs.replace(one, window=wrong) for one in documents
               if isinstance(one, PlantWindow) and one.window == window]  # fmt: skip
    with pytest.raises((AssertionError, KeyError)):
        assert_is_batch(renamed, readings, wrong)  # type: ignore[arg-type]


@FEW
@given(seed=st.integers(0, 2**32))
def test_any_order_ends_in_the_documents_of_the_right_order(seed: int) -> None:
    """All documents, of every window kind, regions and alerts included, are in the end those of an undisturbed run."""
    rng = random.Random(seed)
    readings = day_of(4, 60, rng)
    calm, wild = partition(*ALL_KINDS), partition(*ALL_KINDS)
    expected = run(calm, events_of([readings[place : place + 10] for place in range(0, len(readings), 10)]))
    got = run(wild, disturbed(readings, rng, late_s=45))
    assert facts(got + flush(wild)) == facts(expected + flush(calm))


@FEW
@given(seed=st.integers(0, 2**32))
def test_crashes_change_nothing(seed: int) -> None:
    """With a crash at any event, a restart from an older snapshot and the events after it again, the same is said."""
    rng = random.Random(seed)
    events = disturbed(day_of(4, 60, rng), rng, late_s=45)
    undisturbed = partition(*ALL_KINDS)
    expected = run(undisturbed, events) + flush(undisturbed)
    documents, target, saved = [], partition(*ALL_KINDS), partition(*ALL_KINDS)
    place = 0
    while place < len(events):
        documents += run(target, events[place : place + 1])
        place += 1
        chance = rng.random()
        if chance < 0.2:
            saved = reborn(target)
        elif chance < 0.3:
            target = reborn(saved)
            place = max(0, target.sequence + 1 - rng.randint(0, 3))  # the checkpoint may be older than the snapshot
    documents += flush(target)
    assert final(documents) == final(expected)


@MORE
@given(seed=st.integers(0, 2**32))
def test_a_partition_that_moves_says_the_same_byte_for_byte(seed: int) -> None:
    """A new owner that begins at an older snapshot repeats exactly the messages that the former owner sent."""
    rng = random.Random(seed)
    events = disturbed(day_of(4, 60, rng), rng, late_s=45)
    former, cut_at = partition(), rng.randint(0, len(events))
    run(former, events[:cut_at])
    heir = reborn(former)
    assert msgspec.json.encode(run(heir, events[cut_at:])) == msgspec.json.encode(run(former, events[cut_at:]))


def test_how_events_are_grouped_into_batches_leaves_no_trace() -> None:
    """The same events, taken with time passing between them or not, end in the same documents."""
    rng = random.Random(7)
    events = disturbed(day_of(4, 60, rng), rng, late_s=45)
    one, other = partition(), partition()
    documents = run(one, events)
    ticking = []
    for event in events:
        ticking += run(other, [event])
        ticking += other.pass_time(other.hub_us).documents
    assert msgspec.json.encode(documents) == msgspec.json.encode(ticking)


def test_regions_are_the_sum_of_their_plants() -> None:
    """A region's partial is the sum over its plants of their mean power, capacity and readings."""
    readings = day_of(8, 60, random.Random(3))
    target = partition()
    documents = list(final(run(target, events_of([readings])) + flush(target)).values())
    plants = [one for one in documents if isinstance(one, PlantWindow)]
    regions = [one for one in documents if isinstance(one, RegionWindow)]
    assert len(regions) == 2 * 6
    for region in regions:
        mine = [one for one in plants if (one.region, one.window_start) == (region.region, region.window_start)]
        powered = [one for one in mine if one.generation_kw]
        assert region.partition == "3:fleet"
        assert region.readings == sum(one.readings for one in mine)
        assert region.plants == len(powered)
        assert region.capacity_kw == pytest.approx(sum(one.capacity_kw for one in powered), rel=1e-9)
        assert region.generation_kw == pytest.approx(sum(one.generation_kw.mean for one in powered), rel=1e-9)


def test_a_late_reading_takes_back_an_alert() -> None:
    """An alert that late readings show to be wrong is resolved and marked as withdrawn."""
    target = partition()
    at = [NOON + timedelta(seconds=5 * number) for number in range(16)]
    dead = [reading("p", one, generation_kw=0.0, poa_w_m2=900.0) for one in at]
    documents = run(target, events_of([[one] for one in dead]))
    assert [one.state for one in documents if isinstance(one, Alert)] == ["open"]
    alive = [reading("p", one.observed_at + timedelta(seconds=1), generation_kw=90.0, poa_w_m2=900.0) for one in dead]
    documents += run(target, events_of([alive[3:], [reading("p", at[-1] + timedelta(seconds=30))]], first=100))
    last = [one for one in final(documents).values() if isinstance(one, Alert)]
    assert [one.state for one in last] == ["resolved"]
    assert "withdrawn" in last[0].evidence


def test_a_reading_after_the_lateness_is_refused() -> None:
    """A reading whose window has settled leads to a dead letter with its own bytes, and changes no document."""
    target: Partition = partition()
    run(target, events_of([[reading("p", NOON)], [reading("p", NOON + timedelta(seconds=120))]]))
    late = reading("p", NOON + timedelta(seconds=3))
    event = events_of(
        [[reading("p", NOON + timedelta(seconds=121)), late]], first=5, enqueued=NOON + timedelta(hours=1)
    )
    output = target.take(5, target.hub_us, event[0].body)
    assert [(one.index, one.reason, one.original) for one in output.refused] == [(1, "late", msgspec.json.encode(late))]


def test_a_reading_from_the_future_is_refused() -> None:
    """A stamp more than `max_future_s` ahead of the hub's time is refused, and does not make the others late."""
    target = partition()
    events = events_of([[reading("p", NOON)]])
    run(target, events)
    ahead = [reading("q", NOON + timedelta(seconds=250)), reading("q", NOON + timedelta(seconds=400))]
    output = target.take(1, target.hub_us, msgspec.json.encode(ahead))
    assert [(one.index, one.reason) for one in output.refused] == [(1, "future")]
    output = target.take(2, target.hub_us, msgspec.json.encode([reading("p", NOON + timedelta(seconds=5))]))
    assert output.refused == []
