"""The simulated fleet and the replay."""

from __future__ import annotations

import math
import time
from collections import Counter
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from heliograph.regions import BY_CODE
from ingest.fleet.faults import KINDS
from ingest.fleet.model import Fleet
from ingest.fleet.plants import build_plants
from ingest.fleet.towns import SHARES, TOWNS
from ingest.sources import replay
from ingest.streams import FleetStream, ReplayStream, SimulatedClock

NOON = datetime(2026, 6, 21, 3, 30, tzinfo=UTC)


def test_the_fleet_is_a_function_of_seed_plants_and_time():
    """Two fleets of one seed say the same of any moment, asked for in any order; another seed does not."""
    one, other = Fleet(7, 200), Fleet(7, 200)
    later = NOON + timedelta(days=1, hours=2)
    first, second = one.observations(NOON), one.observations(later)
    assert other.observations(later) == second
    assert other.observations(NOON) == first
    assert Fleet(8, 200).observations(NOON) != first


def test_more_plants_leave_the_first_ones_as_they_are():
    """A plant of a small fleet stands at the same place, with the same size, in a large one."""
    assert build_plants(7, 3000).sites[:100] == build_plants(7, 100).sites


def test_the_fleet_covers_all_provinces_as_korea_does():
    """Seventeen provinces, the most plants in the south-west, most of them small, within reach of their towns."""
    sites = build_plants(17, 5000).sites
    counts = Counter(site.region for site in sites)
    assert set(counts) == set(BY_CODE) == set(TOWNS) == set(SHARES)
    assert counts.most_common(2)[0][0] == "KR-46"
    small = sum(site.capacity_kw < 1000 for site in sites) / len(sites)
    assert 0.85 < small < 0.95
    assert max(site.capacity_kw for site in sites) > 50_000
    for site in sites:
        nearest = min(math.dist((site.latitude, site.longitude), town[1:]) for town in TOWNS[site.region])
        assert nearest < 0.05


def test_towns_lie_in_their_province():
    """Each town is nearer than 130 km to the middle of its province: a slip in a coordinate would show."""
    for code, towns in TOWNS.items():
        for name, latitude, longitude in towns:
            middle = BY_CODE[code]
            north_km = (latitude - middle.latitude) * 111.2
            east_km = (longitude - middle.longitude) * 90
            assert math.hypot(north_km, east_km) < 130, name


def test_a_day_of_the_fleet_looks_like_one():
    """Dark at night, under capacity by day, highest around noon, warm modules, and never the same for all."""
    fleet = Fleet(17, 400, faults_per_day=0)
    capacity = fleet.plants.capacity_kw
    midnight = fleet.healthy((NOON + timedelta(hours=12)).timestamp())
    assert midnight.generation_kw.max() == 0
    day = [fleet.healthy((NOON + timedelta(hours=hour)).timestamp()).generation_kw.sum() for hour in range(-6, 7)]
    assert 3 <= int(np.argmax(day)) <= 9
    noon = fleet.healthy(NOON.timestamp())
    assert (noon.generation_kw <= capacity).all()
    assert np.std(noon.generation_kw / capacity) > 0.01
    assert (noon.module_c > noon.ambient_c).mean() > 0.95


def test_neighbours_share_their_clouds():
    """Plants under 15 km apart go up and down together far more than plants 150 km apart."""
    fleet = Fleet(17, 600, faults_per_day=0)
    steps = [NOON + timedelta(minutes=10 * step) for step in range(-12, 13)]
    clear = np.array([fleet.healthy(step.timestamp()).ghi_w_m2 for step in steps])
    moves = np.corrcoef(np.diff(clear, axis=0).T)
    north = fleet.plants.latitude_deg * 111.2
    east = fleet.plants.longitude_deg * 90
    apart = np.hypot(north[:, None] - north, east[:, None] - east)
    off = ~np.eye(len(north), dtype=bool)
    near, far = moves[(apart < 15) & off].mean(), moves[(apart > 150) & off].mean()
    assert near > far + 0.2


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_shows_in_its_time_alone_and_only_the_labels_name_it(kind: str):
    """Within a label the plant differs from its healthy self as the kind says; outside it does not differ at all."""
    fleet, healthy = Fleet(17, 1500, faults_per_day=0.3), Fleet(17, 1500, faults_per_day=0)
    label = next(one for one in fleet.labels(NOON) if one.kind == kind and one.end - one.start > timedelta(minutes=20))

    def at(one: Fleet, when: datetime):
        return {row.plant_id: row for row in one.observations(when)}.get(label.plant_id)

    assert at(fleet, label.start - timedelta(seconds=5)) == at(healthy, label.start - timedelta(seconds=5))
    assert at(fleet, label.end) == at(healthy, label.end)
    during = label.start + timedelta(minutes=15)
    found, usual = at(fleet, during), at(healthy, during)
    assert usual is not None
    if kind == "silence":
        assert found is None
        return
    assert found is not None
    assert found.generation_kw is not None
    assert usual.generation_kw is not None
    assert usual.module_c is not None
    assert usual.capacity_kw is None
    expected = {
        "trip": found.generation_kw == 0,
        "partial-loss": found.generation_kw == pytest.approx(usual.generation_kw * (1 - label.severity), abs=0.01),
        "curtailment": found.generation_kw <= usual.generation_kw,
        "stuck-sensor": found.generation_kw == at(fleet, during + timedelta(minutes=2)).generation_kw,
        "temperature-spike": found.module_c == pytest.approx(usual.module_c + label.severity, abs=0.02),
    }
    assert expected[kind]


def test_a_tick_of_five_thousand_plants_is_cheap():
    """Under 60 ms of CPU time a tick on any machine (some 4 ms were measured on an idle one)."""
    fleet = Fleet(17, 5000)
    fleet.observations(NOON)
    begun_s = time.process_time()
    for step in range(5):
        fleet.observations(NOON + timedelta(seconds=5 * step))
    assert (time.process_time() - begun_s) / 5 < 0.06


def test_ticks_fall_on_multiples_of_the_interval():
    """The next moment is the next multiple of five seconds, never the same again."""
    stream = FleetStream(Fleet(1, 1))
    moment = stream.next_moment(NOON - timedelta(seconds=2))
    assert moment == NOON
    assert stream.next_moment(NOON) == NOON + timedelta(seconds=5)


def test_the_replay_keeps_measured_times_and_values():
    """RSF II at noon of 3 January 2022 stands in the stream as in NREL's file, its UTC-7 turned into UTC."""
    recorded = replay.recordings(date(2022, 1, 3), 1)
    assert {one.plant_id for one in recorded} == {"nrel-rsf-2", "nrel-rsf-2-inverter-2", "nrel-serf-west"}
    moment = datetime(2022, 1, 3, 19, 0, tzinfo=UTC)
    [found] = [one for one in recorded if one.plant_id == "nrel-rsf-2" and one.observed_at == moment]
    row = next(
        line.split(",")
        for line in replay.read_packaged("nrel_RSF_II.csv").decode().splitlines()
        if line.startswith("1/3/2022 12:00,")
    )
    assert found.generation_kw == pytest.approx(float(row[1]))
    assert found.poa_w_m2 == pytest.approx(float(row[9]))
    assert [one.observed_at for one in recorded] == sorted(one.observed_at for one in recorded)
    assert sum(one.plant_id == "nrel-rsf-2" for one in recorded) == 96


def test_a_replay_can_be_moved_to_another_date():
    """The same values come at the same time of another day."""
    usual = replay.recordings(date(2022, 1, 3), 1)
    moved = replay.recordings(date(2022, 1, 3), 1, shift_to=date(2026, 1, 3))
    shift = timedelta(days=(date(2026, 1, 3) - date(2022, 1, 3)).days)
    assert [(one.plant_id, one.observed_at + shift, one.generation_kw) for one in usual] == [
        (one.plant_id, one.observed_at, one.generation_kw) for one in moved
    ]


@pytest.mark.parametrize("speed", [1440.0, 14_400.0, 0.0])
def test_the_replay_tells_the_same_at_any_speed(speed: float):
    """Whatever the speed and however often it is asked, each moment comes once, in order."""
    stream = ReplayStream(replay.recordings(date(2022, 1, 3), 1))
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    clock = SimulatedClock(stream.begin, begun, speed)
    cursor, told = stream.begin, []
    for second in range(70):
        until = clock.at(begun + timedelta(seconds=second))
        while (at := stream.next_moment(cursor)) is not None and at <= until:
            told += stream.observations(at)
            cursor = at
    assert told == replay.recordings(date(2022, 1, 3), 1)


def test_a_simulated_clock_catches_up_and_never_leads():
    """An hour at speed 3600 passes in a second; then the clock is the wall clock; with an end it stops there."""
    clock = SimulatedClock(NOON - timedelta(hours=1), NOON, 3600)
    assert clock.at(NOON + timedelta(seconds=0.5)) == NOON - timedelta(minutes=30)
    assert clock.at(NOON + timedelta(seconds=30)) == NOON + timedelta(seconds=30)
    ended = SimulatedClock(NOON - timedelta(hours=1), NOON, 0, end=NOON - timedelta(minutes=1))
    assert ended.at(NOON) == NOON - timedelta(minutes=1)
