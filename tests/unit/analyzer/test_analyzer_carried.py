"""A plant that reports each few minutes counts in its region in every window, whatever happens to its readings on their
way."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from replay import (
    HELLO,
    NOON,
    Step,
    cut,
    events_of,
    facts,
    final,
    partition,
    reading,
    reborn,
    region_batch,
    run,
    slow_fleet,
)

from analyzer.columns import SECOND, from_micros, to_micros
from analyzer.lane import Document
from analyzer.partition import Partition
from bench.storm import truth
from heliograph.contracts import PlantWindow, Reading, RegionWindow

FEW = settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
MORE = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def disturbed(readings: Sequence[Reading], rng: random.Random, late_s: float) -> list[Step]:
    """The readings as a hub may get them: late, repeated, in small events, with silences between them in which the
    hub's clock runs ahead of the source by up to twelve minutes."""
    first, rest = [[one for one in readings if (one.observed_at == HELLO) is hello] for hello in (True, False)]
    arrivals = [(one.observed_at + timedelta(seconds=rng.uniform(0, late_s)), one) for one in rest]
    arrivals += [(one.observed_at + timedelta(seconds=late_s), one) for one in rest if rng.random() < 0.2]
    ordered = [one for _, one in sorted(arrivals, key=lambda pair: pair[0])]
    steps: list[Step] = []
    for event in events_of([first, *cut(ordered, rng, most=4)]):
        steps.append(event)
        if rng.random() < 0.3:
            steps.append(to_micros(event.enqueued) + rng.randint(0, rng.choice([90, 700])) * SECOND)
    return steps


def flush(target: Partition) -> list[Document]:
    """What is published in two hours of silence, told in steps as the worker does."""
    hub_us = target.hub_us
    return [one for minute in range(1, 121) for one in target.pass_time(hub_us + minute * 60 * SECOND).documents]


def regions_of(documents: Sequence[Document]) -> dict[tuple[str, datetime], RegionWindow]:
    """The region windows in the end that hold anything; all are of one lane."""
    found = [one for one in final(documents).values() if isinstance(one, RegionWindow)]
    return {(one.region, one.window_start): one for one in found if one.readings or one.plants}


def assert_is_batch(documents: Sequence[Document], readings: Sequence[Reading]) -> None:
    windows, expected = regions_of(documents), region_batch(readings).to_dicts()
    assert sorted(windows) == [(row["region"], from_micros(row["start"])) for row in expected]
    for row in expected:
        one = windows[row["region"], from_micros(row["start"])]
        assert (one.readings, one.plants) == (row["readings"], row["plants"]), row
        assert (one.capacity_kw, one.generation_kw) == pytest.approx((row["capacity"], row["kw"]), rel=1e-9)
        share = row["kw"] / row["capacity"] * 100 if row["plants"] else None
        assert one.utilisation_pct == (None if share is None else pytest.approx(share, rel=1e-9))


@MORE
@given(seed=st.integers(0, 2**32))
def test_any_order_within_the_lateness_ends_in_the_batch_result(seed: int) -> None:
    """Readings of mixed intervals, delayed, repeated, with silences in which windows were published too early, end in
    the region windows that an as-of join gives."""
    rng = random.Random(seed)
    readings = slow_fleet(7, 240, rng)
    target = partition()
    assert_is_batch(run(target, disturbed(readings, rng, late_s=55)) + flush(target), readings)


@FEW
@given(seed=st.integers(0, 2**32))
def test_any_order_ends_in_the_documents_of_the_right_order(seed: int) -> None:
    """All documents, what the regions are expected to give included, are in the end those of an undisturbed run."""
    rng = random.Random(seed)
    readings = slow_fleet(6, 180, rng)
    kinds = ("tumbling-10s", "hopping-30s-10s")
    calm, wild = partition(*kinds), partition(*kinds)
    expected = run(calm, events_of([[one] for one in readings])) + flush(calm)
    got = run(wild, disturbed(readings, rng, late_s=55)) + flush(wild)
    assert {key: one for key, one in facts(got).items() if not isinstance(one, tuple)} == {
        key: one for key, one in facts(expected).items() if not isinstance(one, tuple)
    }


@FEW
@given(seed=st.integers(0, 2**32))
def test_crashes_change_nothing(seed: int) -> None:
    """With a restart from an older snapshot at any step, and the steps after it again, the same is said in the end."""
    rng = random.Random(seed)
    steps = disturbed(slow_fleet(6, 180, rng), rng, late_s=55)
    undisturbed = partition()
    expected = run(undisturbed, steps) + flush(undisturbed)
    documents, target, saved, saved_at, place = [], partition(), partition(), 0, 0
    while place < len(steps):
        documents += run(target, steps[place : place + 1])
        place += 1
        chance = rng.random()
        if chance < 0.2:
            saved, saved_at = reborn(target), place
        elif chance < 0.3:
            target, place = reborn(saved), saved_at
    documents += flush(target)
    assert final(documents) == final(expected)


@FEW
@given(seed=st.integers(0, 2**32))
def test_a_partition_that_moves_says_the_same_byte_for_byte(seed: int) -> None:
    """A new owner that begins at an older snapshot repeats exactly the messages that the former owner sent."""
    rng = random.Random(seed)
    steps = disturbed(slow_fleet(6, 180, rng), rng, late_s=55)
    former, cut_at = partition(), rng.randint(0, len(steps))
    run(former, steps[:cut_at])
    heir = reborn(former)
    assert msgspec.json.encode(run(heir, steps[cut_at:])) == msgspec.json.encode(run(former, steps[cut_at:]))


def test_the_truth_of_the_storms_is_the_same() -> None:
    """What flow tests and storms compare with, another as-of join by other hands, has the same regions."""
    for seed in range(3):
        readings = slow_fleet(7, 240, random.Random(seed))
        due = truth.region_truth(truth.plant_truth(truth.frame_of(readings))).to_dicts()
        expected = region_batch(readings).filter(pl.col("plants") > 0).to_dicts()
        assert [(row["region"], row["start"] * SECOND, row["plants"], row["readings"]) for row in due] == [
            (row["region"], row["start"], row["plants"], row["readings"]) for row in expected
        ]
        for one, other in zip(due, expected, strict=True):
            assert (one["capacity_kw"], one["generation_kw"]) == pytest.approx(
                (other["capacity"], other["kw"]), rel=1e-9
            )


def test_a_staggered_fleet_gives_its_whole_power_in_every_window() -> None:
    """Thirty plants that report each five minutes, one after the other, make a region of thirty plants, not of one."""
    readings = [
        reading(f"p{number:02d}", NOON + timedelta(seconds=10 * number + 300 * turn), interval_s=300.0,
                generation_kw=float(number))
        for turn in range(3) for number in range(30)
    ]  # fmt: skip
    target = partition()
    windows = regions_of(run(target, events_of([[one] for one in readings])) + flush(target))
    whole = [one for (_, start), one in windows.items() if 300 <= (start - NOON).total_seconds() < 900]
    assert len(whole) == 60
    assert {(one.readings, one.plants, one.generation_kw) for one in whole} == {(1, 30, float(sum(range(30))))}
    assert {one.capacity_kw for one in whole} == {3000.0}
    assert max(start for _, start in windows) == NOON + timedelta(seconds=890 + 440)


def test_power_is_carried_for_an_hour_at_most() -> None:
    """A mean over a day counts for an hour; after it the region has no window."""
    target = partition()
    windows = regions_of(run(target, events_of([[reading("p", NOON, interval_s=86_400.0)]])) + flush(target))
    assert sorted(windows) == [("KR-46", NOON + timedelta(seconds=10 * number)) for number in range(360)]


def test_the_expectation_is_carried_with_the_power() -> None:
    """What a region should give counts the same plants as what it gives."""
    target = partition()
    batches = [[reading("p", NOON, interval_s=60.0, poa_w_m2=700.0)]]
    batches += [[reading("q", NOON + timedelta(seconds=at), poa_w_m2=500.0)] for at in range(0, 120, 5)]
    documents = run(target, events_of(batches)) + flush(target)
    due = {(one.plant_id, one.window_start): one.expected_kw
           for one in final(documents).values() if isinstance(one, PlantWindow)}  # fmt: skip
    for (_, start), one in regions_of(documents).items():
        carried = due["p", NOON] if start < NOON + timedelta(seconds=90) else 0.0
        assert one.expected_kw == pytest.approx((due["q", start] or 0.0) + (carried or 0.0), rel=1e-9)


def test_silence_closes_windows_one_by_one() -> None:
    """While the hub brings nothing, each ten seconds one more window of what is carried is due, and no more after."""
    target = partition()
    run(target, events_of([[reading("p", NOON, interval_s=60.0)]]))
    told = []
    for second in range(1, 200):
        hub_us = target.hub_us + second * SECOND
        due = target.is_due(hub_us)
        documents = target.pass_time(hub_us).documents
        assert bool(documents) <= due
        told += [one.window_start for one in documents if isinstance(one, RegionWindow)]
    assert told == [NOON + timedelta(seconds=10 * number) for number in range(9)]


def test_what_no_plant_counts_in_any_more_is_taken_back() -> None:
    """A late reading that ends the carrying leaves the windows after it with no plant, under a higher revision."""
    target = partition()
    batches = [[reading("p", NOON, interval_s=60.0)], [reading("q", NOON + timedelta(seconds=45), region="KR-47")],
               [reading("p", NOON + timedelta(seconds=12), interval_s=0.0)],
               [reading("q", NOON + timedelta(seconds=55), region="KR-47")]]  # fmt: skip
    documents = run(target, events_of(batches)) + flush(target)
    told = [one for one in documents if isinstance(one, RegionWindow) and one.region == "KR-46"]
    last = {one.window_start: one for one in told}
    assert [(one.revision, one.readings, one.plants) for _, one in sorted(last.items())] == [
        (0, 1, 1), (1, 1, 1), (1, 0, 0), (1, 0, 0),
    ]  # fmt: skip


def test_a_restart_forgets_no_window_that_is_to_be_taken_back() -> None:
    """Windows published in silence, that a source which catches up has yet to reach, are taken back after a restart
    between."""
    target = partition()
    documents = run(target, events_of([[reading("p", NOON, interval_s=120.0)]]))
    documents += target.pass_time(target.hub_us + 300 * SECOND).documents
    documents += run(target, events_of([[reading("p", NOON + timedelta(seconds=12))]], first=1))
    heir = reborn(target)
    assert [one.plants for _, one in sorted(regions_of(documents).items())] == [1] * 18
    documents += run(heir, events_of([[reading("p", NOON + timedelta(seconds=55))]], first=2)) + flush(heir)
    assert [start for _, start in sorted(regions_of(documents))] == [NOON + timedelta(seconds=at) for at in (0, 10, 50)]


def test_a_source_that_catches_up_has_each_window_corrected_once() -> None:
    """Ten minutes that were published in silence, and then come after all, cost one correction a window, not one for
    each window and event."""
    target = partition()
    at = [NOON + timedelta(seconds=20 * number) for number in range(33)]
    readings = [reading(f"p{number % 3}", one, interval_s=60.0, generation_kw=float(number))
                for number, one in enumerate(at)]  # fmt: skip
    documents = run(target, events_of([readings[:3]]))
    documents += target.pass_time(target.hub_us + 600 * SECOND).documents
    documents += run(target, events_of([[one] for one in readings[3:]], first=1)) + flush(target)
    assert_is_batch(documents, readings)
    revisions = [one.revision for one in final(documents).values() if isinstance(one, RegionWindow)]
    assert max(revisions) <= 2
