"""Plants whose readings come from several sources, or from another source than before, or from none any more."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from analyzer.columns import SECOND, to_micros
from analyzer.lane import Document
from analyzer.partition import Partition, Timing
from analyzer.plants import Plants
from analyzer.snapshot import dump
from heliograph.contracts import Alert, PlantWindow, Reading
from heliograph.sites import Site
from tests.unit.analyzer.replay import NOON, events_of, facts, flush, partition, reading, reborn, run

DAY_S = 86_400
PATIENT = Timing(2 * SECOND, 60 * SECOND, 10 * SECOND, 300 * SECOND, 7 * DAY_S * SECOND)


SITE = Site(plant_id="p", name="P", region="KR-46", latitude=35.0, longitude=127.0, capacity_kw=100.0)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def power(plant: str, seconds: float, source: str = "inverters", **values: object) -> Reading:
    return reading(plant, at(seconds), source=source, generation_kw=50.0 + seconds % 7, **values)


def weather(plant: str, seconds: float, *, behind: float = 0.0) -> Reading:
    stamp = at(seconds - behind)
    return reading(plant, stamp, source="sky", generation_kw=None, ghi_w_m2=700.0, interval_s=900.0)


def told(target: Partition, batches: Sequence[tuple[float, Sequence[Reading]]]) -> list[Document]:
    """What comes of batches that the hub takes in at those seconds after noon; what is late may be refused."""
    documents: list[Document] = []
    for sequence, (seconds, batch) in enumerate(batches, target.sequence + 1):
        documents += target.take(sequence, to_micros(at(seconds)), msgspec.json.encode(list(batch))).documents
    return documents


def alerts_of(documents: Sequence[Document], rule: str) -> list[Alert]:
    return [one for one in documents if isinstance(one, Alert) and one.rule == rule]


def test_a_source_that_takes_over_moves_the_clock() -> None:
    """A provider ends and another brings the same plants: after an hour windows settle by the new one's stamps, so that
    the state stays as small as before, and what was learned of the plants stays too."""
    target, sizes = partition(timing=PATIENT), []
    told(target, [(1, [power(f"p{number}", 0, "former") for number in range(5)])])
    for hour in range(3):
        span = range(hour * 3600 + 10, hour * 3600 + 3610, 10)
        told(target, [(s + 1, [power(f"p{number}", s, "later") for number in range(5)]) for s in span])
        sizes.append(len(dump(target)))
        target = reborn(target)
    assert list(target.lanes) == ["former"]
    assert len(target.lanes["former"].history) < 20
    assert sizes[2] < 0.2 * sizes[0], sizes


def test_a_supplement_has_no_lane() -> None:
    """However many sources speak of one plant, it has one lane, and the watermark is that of its own source."""
    target = partition()
    told(target, [(1, [power("p", 0)])])
    told(target, [(2 + n, [reading("p", at(1), source=f"s{n}", ghi_w_m2=1.0, generation_kw=None)]) for n in range(40)])
    assert list(target.lanes) == ["inverters"]
    assert target.published_us > 0


@pytest.mark.parametrize("first", ["inverters", "sky"])
def test_power_decides_where_a_plant_lives(first: str) -> None:
    """Whether weather or power is heard first, windows come by the stamps of the power."""
    target = partition()
    begin = [(0.5, [weather("p", 0, behind=300)])] if first == "sky" else []
    told(target, begin)
    delays = [
        second - (one.window_end - NOON).total_seconds()
        for second in range(1, 600, 5)
        for one in told(target, [(second, [power("p", second - 1)])])
        if isinstance(one, PlantWindow) and one.generation_kw and one.revision == 0
    ]
    assert target.home == {"p": "inverters"}
    assert target.guests == set()
    assert max(delays) < 20
    late = told(reborn(target), [(601, [weather("p", 600)])])
    assert target.lanes["inverters"].plants.row_of == {"p": 0}
    assert alerts_of(late, "silence") == []


def test_a_plant_that_moved_is_not_silent_where_it_was() -> None:
    """The lane that it left tells neither that it is silent, nor goes on saying so."""
    target = partition(timing=PATIENT)
    target.sites = {"p": SITE, "station": SITE}.get
    batches = [(s, [weather("p", s), weather("station", s)] if s < 60 else [weather("station", s)])
               for s in range(0, 1500, 10)]  # fmt: skip
    batches += [(s + 1, [power("p", s)]) for s in range(1000, 1500, 10)]
    said = alerts_of(told(target, sorted(batches, key=lambda one: one[0])), "silence")
    assert [(one.state, one.plant_id) for one in said] == [("open", "p"), ("resolved", "p")]
    assert said[1].updated_at < at(1100)


@pytest.mark.parametrize("with_weather", [False, True])
def test_weather_is_no_sign_of_life(with_weather: bool) -> None:
    """A plant whose power stops is silent until it tells power again, however long its weather goes on."""
    target = partition(timing=PATIENT)
    batches = []
    for second in range(0, 3 * 3600, 10):
        lives = [power("other", second), *([power("p", second)] if second < 3600 else [])]
        batches.append((second + 1, lives))
        if with_weather and second % 900 == 0:
            batches.append((second + 2, [weather("p", second)]))
    target.sites = {"p": SITE}.get
    said = alerts_of(told(target, batches), "silence")
    assert [(one.state, one.plant_id) for one in said] == [("open", "p")]
    assert said[0].onset < at(3900)


def test_a_source_that_is_gone_is_forgotten() -> None:
    """After the time to forget nothing is left of a lane whose source stopped, and its alerts are over."""
    target = partition()
    gone = [(1.0 + s, [power("gone", s, "former", module_c=120.0)]) for s in range(0, 60, 10)]
    said = told(target, gone) + told(target, [(s, [power("stays", s)]) for s in range(100, 3 * DAY_S, 1800)])
    assert list(target.lanes) == ["inverters"]
    assert target.home == {"stays": "inverters"}
    last = {one.alert_id: one.state for one in said if isinstance(one, Alert) and one.plant_id == "gone"}
    assert set(last.values()) == {"resolved"}
    assert len(last) >= 2, "the module and the silence"


def test_a_plant_moves_to_the_region_that_the_registry_says() -> None:
    """A province that was wrong is right from the next window on, after a restart too."""
    of = {"p": SITE}
    target = partition()
    target.sites = of.get
    told(target, [(s + 1, [power("p", s)]) for s in range(0, 50, 10)])
    of = {"p": msgspec.structs.replace(SITE, region="KR-47")}
    target.survey(of.get)
    target = reborn(target)
    documents = told(target, [(s + 1, [power("p", s)]) for s in range(50, 100, 10)])
    last = {type(one): one.region for one in documents}
    assert set(last.values()) == {"KR-47"}
    assert target.lanes["inverters"].plants.regions == ["KR-46", "KR-47"]


def test_regions_keep_their_numbers() -> None:
    """Numbers of regions are in the order in which they were met: two processes come to the same."""
    plants = Plants()
    plants.add([(f"p{n}", f"KR-{n}") for n in (46, 11, 50, 11)], lambda _plant: None)
    plants.add([("q", "KR-26"), ("r", "KR-11")], lambda _plant: None)
    assert plants.regions == ["KR-46", "KR-11", "KR-50", "KR-26"]
    assert plants.region.tolist() == [0, 1, 2, 1, 3, 1]


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+09:00", "0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z"])
def test_a_clock_that_was_never_set_is_refused(text: str) -> None:
    """A stamp before 1970 becomes a dead letter, alone, and the rest of the event counts."""
    target = partition("tumbling-10s", "hopping-60s-10s")
    good = power("p", 0)
    bad = msgspec.to_builtins(power("q", 0)) | {"observed_at": text}
    output = target.take(0, to_micros(at(1)), msgspec.json.encode([bad, good]))
    assert [(one.index, one.reason) for one in output.refused] == [(0, "malformed")]
    assert f"given {text!r}" in output.refused[0].detail
    assert output.readings == 1
    assert flush(target)


@pytest.mark.timeout(20)
def test_a_first_stamp_of_years_ago_holds_nothing_up() -> None:
    """Silence of a plant that stands nobody knows where is looked for three days, not through all of the years."""
    target = partition(timing=PATIENT)
    told(target, [(0, [reading("p", datetime(2000, 1, 1, tzinfo=UTC), region="DE-BY", source="inverters")])])
    assert told(target, [(s, [power("p", s, region="DE-BY")]) for s in range(0, 200, 10)])
    assert len(target.lanes["inverters"].history) < 1000


@pytest.mark.timeout(30)
def test_a_large_event_of_late_readings_is_buried_reading_by_reading() -> None:
    """Each refused reading is kept as it came, and is found without reading the event again for each."""
    target = partition()
    told(target, [(0, [power("p", 0)])])
    late = [power(f"p{n}", -3600 - n) for n in range(20_000)]
    output = target.take(1, to_micros(at(1)), msgspec.json.encode(late))
    assert [msgspec.json.decode(one.original, type=Reading) for one in output.refused] == late


def test_what_is_heard_in_any_order_of_sources_ends_the_same() -> None:
    """Power of one source, weather of another, in any order within the lateness: the windows are the same."""
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    readings = [power("p", 0)]
    for second in range(10, 600, 10):
        readings.append(power("p", second))
        if second % 60 == 0:
            readings.append(weather("p", second, behind=rng.uniform(0, 40)))
    ends = []
    for _ in range(4):
        shuffled = sorted(readings[1:], key=lambda one: (one.observed_at - NOON).total_seconds() + rng.uniform(0, 15))
        target = partition()
        ends.append(facts([*run(target, events_of([[one] for one in [readings[0], *shuffled]])), *flush(target)]))
    assert all(end == ends[0] for end in ends)
