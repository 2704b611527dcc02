"""Rows keep every window to the bit."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliograph.contracts import Aggregate, PlantWindow, RegionWindow
from heliograph.rows import (
    PLANT_FIELDS,
    REGION_FIELDS,
    epoch_s,
    moment_of,
    pack_plant,
    pack_region,
    plant_windows,
    plants_at,
    region_windows,
    standing_of,
    unpack_plant,
    unpack_region,
)
from sink.journal import Commit, journal

number = st.floats(allow_nan=False, allow_infinity=False, width=64)
maybe = st.none() | number
whole = st.integers(0, 10**6)
moments = st.integers(946_684_800_000_000, 4_102_444_800_000_000).map(
    lambda us: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
)
aggregates = st.builds(Aggregate, count=st.integers(1, 9), sum=number, min=number, max=number, mean=number,
                       first=number, last=number)  # fmt: skip
plants = st.builds(
    PlantWindow, v=st.just(1), plant_id=st.text(min_size=1, max_size=9), region=st.just("KR-46"), window=st.just("10s"),
    window_start=moments, window_end=moments, revision=whole, readings=whole, capacity_kw=number,
    generation_kw=st.none() | aggregates, utilisation_pct=maybe, expected_kw=maybe, performance_ratio=maybe,
    poa_w_m2=maybe, ghi_w_m2=maybe, module_c=maybe, module_c_max=maybe, ambient_c=maybe, wind_m_s=maybe,
    state=st.sampled_from(["ok", "warning", "fault", "night", "no-data"]),
)  # fmt: skip
regions = st.builds(
    RegionWindow, v=st.just(1), region=st.just("KR-46"), partition=st.text(min_size=1, max_size=3),
    window=st.just("10s"), window_start=moments, window_end=moments, revision=whole, readings=whole, plants=whole,
    capacity_kw=number, generation_kw=number, expected_kw=maybe, utilisation_pct=maybe,
)  # fmt: skip


def through_json(row: list) -> list:
    """As Cosmos gives it back: a number that is whole loses its fraction."""

    def whole(value):
        return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value

    return json.loads(json.dumps([[whole(v) for v in x] if isinstance(x, list) else whole(x) for x in row]))


@given(plants, st.integers(0, 4 * 10**9))
def test_any_plant_window_comes_back(window: PlantWindow, first_s: int) -> None:
    """Whatever a plant window holds, its row gives it back, bit for bit."""
    row = through_json(pack_plant(window, first_s))
    assert unpack_plant(row, window.plant_id, window.window, first_s) == window


@given(regions, st.integers(0, 4 * 10**9))
def test_any_region_window_comes_back(window: RegionWindow, first_s: int) -> None:
    """Whatever a partial of a region holds, its row gives it back, bit for bit."""
    assert unpack_region(through_json(pack_region(window, first_s)), window.region, window.window, first_s) == window


@given(moments)
def test_any_moment_comes_back(moment: datetime) -> None:
    """Seconds since the epoch keep a moment to the microsecond."""
    assert moment_of(epoch_s(moment)) == moment


@pytest.mark.parametrize(("values", "packed"), [((5.5,), 5.5), ((5.5, 2.0), [5.5, 2.0])])
def test_short_forms_of_aggregates(plant_window, values, packed) -> None:
    """One or two readings are written as one or two numbers."""
    row = pack_plant(plant_window(values=values), 0)
    assert row[PLANT_FIELDS.index("generation_kw")] == packed


def test_a_row_is_a_fraction_of_its_window(plant_window) -> None:
    """A typical row takes at most a quarter of the bytes of the window's own JSON."""
    ratio = 512.25 / 523.1234567
    weather = {"poa_w_m2": 612.5, "module_c": 41.2, "module_c_max": 41.2, "ambient_c": 25.3}
    window = plant_window(expected_kw=523.1234567, performance_ratio=ratio, **weather)
    assert len(json.dumps(pack_plant(window, epoch_s(window.window_start)))) < len(msgspec.json.encode(window)) / 4


def test_field_names_match_rows(plant_window, region_window) -> None:
    """The documented order of fields is that of the rows."""
    full = plant_window(expected_kw=1.0, performance_ratio=2.0, poa_w_m2=3.0, ghi_w_m2=4.0, module_c=5.0,
                        module_c_max=6.0, ambient_c=7.0, wind_m_s=8.0)  # fmt: skip
    assert len(pack_plant(full, 0)) == len(PLANT_FIELDS)
    assert len(pack_region(region_window(utilisation_pct=7.0), 0)) == len(REGION_FIELDS)


def test_highest_revision_wins_in_any_order(plant_window, rng: random.Random) -> None:
    """Documents in any order, any number of times, give each window once, at its highest revision."""
    documents = [
        {
            "of": "plants",
            "window": "10s",
            "first": 0,
            "at": at,
            "rows": {"p1": [pack_plant(plant_window(revision=r), 0)]},
        }
        for at, r in enumerate([0, 2, 1, 2])
    ]
    for _ in range(20):
        shuffled = rng.choices(documents, k=6) + documents
        rng.shuffle(shuffled)
        assert [window.revision for window in plant_windows(shuffled)] == [2]


def test_partials_of_partitions_stay_apart(region_window) -> None:
    """Two partitions' partials of one region window are two, each at its highest revision."""
    partials = [region_window(partition=p, revision=r) for p in "01" for r in (0, 1)]
    rows = [pack_region(partial, 0) for partial in partials]
    document = {"of": "regions", "window": "10s", "first": 0, "at": 1, "rows": {"KR-46": rows}}
    found = region_windows([document, document])
    assert [(one.partition, one.revision) for one in found] == [("0", 1), ("1", 1)]
    assert found[0].window_end - found[0].window_start == timedelta(seconds=10)


def test_a_moment_shows_each_plants_newest_window(plant_window, rng: random.Random) -> None:
    """Of the windows that had begun at a moment, the one that ends last, at its highest revision."""
    windows = [plant_window(f"p{rng.randrange(20)}", after_s=10 * rng.randrange(30)) for _ in range(200)]
    revised = [msgspec.structs.replace(one, revision=one.revision + 1, readings=7) for one in windows[::3]]
    commits = ((revised, Commit("3", 30, 40, 1_780_000_000_001)), (windows, Commit("3", 10, 20, 1_780_000_000_000)))
    documents = [
        document
        for rows, commit in commits
        for written in journal(rows, commit, cells=32).documents.values()
        for document in written
    ]
    moment = windows[0].window_start + timedelta(seconds=95)
    due = {}
    for window in plant_windows(documents):
        if window.window_start <= moment:
            due[window.plant_id] = window
    assert plants_at(documents, moment) == {plant_id: standing_of(window) for plant_id, window in due.items()}
