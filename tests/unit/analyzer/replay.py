"""A small world for the analyzer's tests: readings, a hub log, and a batch computation by Polars to compare with."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
import polars as pl

from analyzer.columns import SECOND, to_micros
from analyzer.lane import Definitions, Document
from analyzer.partition import Partition, Timing
from analyzer.rules import Thresholds
from analyzer.snapshot import dump, load
from analyzer.windows import Tumbling, common_grid_us, parse_windower
from heliograph.contracts import Alert, PlantWindow, Reading, RegionWindow

NOON = datetime(2026, 6, 1, 3, 0, tzinfo=UTC)
"""Noon in Korea."""
HELLO = NOON - timedelta(seconds=200)
TIMING = Timing(2 * SECOND, 60 * SECOND, 10 * SECOND, 300 * SECOND, 86_400 * SECOND)


@dataclass(frozen=True)
class Event:
    """One event of a partition's log."""

    sequence: int
    enqueued: datetime
    body: bytes


Step = Event | int
"""An event, or the hub's clock coming to a time in microseconds."""


def definitions(*windows: str) -> Definitions:
    main, *others = [parse_windower(text) for text in windows or ("tumbling-10s",)]
    assert isinstance(main, Tumbling)
    return Definitions(main, tuple(others), common_grid_us([main, *others]), Thresholds())


def partition(*windows: str, timing: Timing = TIMING) -> Partition:
    return Partition("3", definitions(*windows), timing)


def reading(plant: str, at: datetime, **values: object) -> Reading:
    known: dict[str, object] = {"source": "fleet", "region": "KR-46", "capacity_kw": 100.0, "generation_kw": 50.0}
    return Reading(v=1, plant_id=plant, observed_at=at, **(known | values))  # type: ignore[arg-type]


def events_of(batches: Iterable[Sequence[Reading]], first: int = 0, enqueued: datetime | None = None) -> list[Event]:
    """Each batch as an event, taken in by the hub when its newest reading is one second old."""
    events = []
    newest = enqueued or NOON - timedelta(days=1)
    for sequence, batch in enumerate(batches, first):
        newest = max([newest, *(one.observed_at + timedelta(seconds=1) for one in batch)])
        events.append(Event(sequence, newest, msgspec.json.encode(list(batch))))
    return events


def cut(readings: Sequence[Reading], rng: random.Random, most: int = 25) -> list[Sequence[Reading]]:
    """Into events of random sizes."""
    batches, place = [], 0
    while place < len(readings):
        size = rng.randint(1, most)
        batches.append(readings[place : place + size])
        place += size
    return batches


def run(target: Partition, steps: Iterable[Step]) -> list[Document]:
    """What is published; nothing may be refused."""
    documents: list[Document] = []
    for step in steps:
        if isinstance(step, Event):
            output = target.take(step.sequence, to_micros(step.enqueued), step.body)
        else:
            output = target.pass_time(step)
        assert output.refused == []
        documents += output.documents
    return documents


def flush(target: Partition) -> list[Document]:
    """What is published when everything has fallen silent for an hour."""
    return target.pass_time(target.hub_us + 3600 * SECOND).documents


def reborn(target: Partition) -> Partition:
    """The partition after a restart from its snapshot."""
    return load(dump(target), target.name, target.definitions, target.timing, target.sites)


def final(documents: Iterable[Document]) -> dict[object, Document]:
    """What a store holds in the end: by id, the highest revision, of equal ones the last; alerts by their last word."""
    held: dict[object, Document] = {}
    for one in documents:
        if isinstance(one, PlantWindow):
            key: object = (one.plant_id, one.window, one.window_start)
        elif isinstance(one, RegionWindow):
            key = (one.region, one.partition, one.window, one.window_start)
        else:
            key = one.alert_id
        known = held.get(key)
        if known is None or isinstance(one, Alert) or one.revision >= known.revision:  # type: ignore[union-attr]
            held[key] = one
    return held


def facts(documents: Iterable[Document]) -> dict[object, object]:
    """The final documents without what depends on the order of arrival: revisions, taken-back alerts and windows, and
    when an alert was last spoken of."""
    result: dict[object, object] = {}
    for key, one in final(documents).items():
        if isinstance(one, Alert):
            if "withdrawn" not in one.evidence:
                result[key] = (one.rule, one.state, one.onset, one.resolved_at, one.plants)
        elif one.readings or (isinstance(one, RegionWindow) and one.plants):
            result[key] = msgspec.structs.replace(one, revision=0)
    return result


def frame_of(readings: Iterable[Reading]) -> pl.DataFrame:
    """The distinct readings by plant and time; `at` in microseconds, `clock` the same as a time."""
    return (
        pl.DataFrame(
            [{"plant": one.plant_id, "source": one.source, "at": to_micros(one.observed_at), "kw": one.generation_kw,
              "interval": round(one.interval_s * SECOND), "capacity": one.capacity_kw, "module": one.module_c,
              "region": one.region} for one in readings],
            schema={"plant": pl.String, "source": pl.String, "at": pl.Int64, "kw": pl.Float64, "interval": pl.Int64,
                    "capacity": pl.Float64, "module": pl.Float64, "region": pl.String},
        )
        .unique(["plant", "source", "at"])
        .sort("plant", "at", "source")
        .with_columns(clock=pl.from_epoch("at", time_unit="us"))
    )  # fmt: skip


_KW = pl.col("kw").drop_nulls()
HOUR = 3600 * SECOND
AGGREGATES = {
    "readings": pl.len(),
    "count": _KW.len(),
    "sum": _KW.sum(),
    "min": _KW.min(),
    "max": _KW.max(),
    "first": _KW.first(),
    "last": _KW.last(),
    "capacity": pl.col("capacity").last(),
    "module": pl.col("module").drop_nulls().mean(),
    "module_max": pl.col("module").max(),
    "at": pl.col("at").filter(pl.col("kw").is_not_null()).last(),
    "interval": pl.col("interval").filter(pl.col("kw").is_not_null()).last(),
}


def batch(readings: Iterable[Reading], window: str = "tumbling-10s") -> pl.DataFrame:
    """The windows of distinct readings by Polars, knowing nothing of the analyzer; times in microseconds."""
    frame = frame_of(readings)
    kind, *lengths = window.split("-")
    match kind, [int(length.removesuffix("s")) * SECOND for length in lengths]:
        case "tumbling", [size]:
            made = _hopping(frame, size, size)
        case "hopping", [size, hop]:
            made = _hopping(frame, size, hop)
        case "sliding", [size]:
            made = _sliding(frame, size)
        case _, [gap, longest]:
            made = _sessions(frame, gap, longest)
    return made.sort("plant", "start")


def region_batch(readings: Iterable[Reading]) -> pl.DataFrame:
    """The region windows of ten seconds of distinct readings: each plant's last window with power at or before each
    window, by an as-of join, while it counts."""
    windows, size = batch(readings), 10 * SECOND
    fresh = (pl.col("interval") * 3 // 2).clip(upper_bound=HOUR)
    until = pl.when(pl.col("interval") > size // 2).then(pl.col("at") + fresh).otherwise(0)
    powered = windows.filter(pl.col("count") > 0).select(
        "plant", "region", "capacity", begun="start", start="start", until=until, kw=pl.col("sum") / pl.col("count")
    )
    last = max(windows["start"].max(), (powered["until"].max() or 0) - 1)  # type: ignore[operator, type-var]
    starts = pl.DataFrame({"start": range(windows["start"].min(), last + 1, size)})  # type: ignore[arg-type]
    counted = (
        starts.join(powered.select("plant").unique(), how="cross")
        .sort("start")
        .join_asof(powered.sort("start"), on="start", by="plant", check_sortedness=False)
        .filter((pl.col("begun") == pl.col("start")) | (pl.col("start") < pl.col("until")))
        .group_by("region", "start")
        .agg(plants=pl.len(), capacity=pl.col("capacity").sum(), kw=pl.col("kw").sum())
    )
    heard = windows.group_by("region", "start").agg(pl.col("readings").sum())
    joined = heard.join(counted, on=["region", "start"], how="full", coalesce=True)
    return joined.with_columns(pl.col("readings", "plants", "capacity", "kw").fill_null(0)).sort("region", "start")


def _hopping(frame: pl.DataFrame, size: int, hop: int) -> pl.DataFrame:
    start = pl.col("at") // hop * hop - pl.col("back") * hop
    return (
        frame.join(pl.DataFrame({"back": range(size // hop + 1)}), how="cross")
        .with_columns(start=start, end=start + size)
        .filter(pl.col("at") < pl.col("end"))
        .sort("plant", "at", "source")
        .group_by("plant", "region", "start", "end")
        .agg(**AGGREGATES)
    )


def _sliding(frame: pl.DataFrame, size: int) -> pl.DataFrame:
    windows = frame.rolling("clock", period=f"{size}us", group_by=["plant", "region"], closed="right").agg(**AGGREGATES)
    end = pl.col("clock").dt.epoch("us") + 1
    return windows.unique(["plant", "clock"]).select("plant", "region", *AGGREGATES, start=end - size, end=end)


def _sessions(frame: pl.DataFrame, gap: int, longest: int) -> pl.DataFrame:
    spell, at = pl.col("at") // longest, pl.col("at")
    begins = ((at - at.shift() >= gap) | (spell != spell.shift())).fill_null(value=True)
    return (
        frame.with_columns(session=begins.cum_sum().over("plant"), spell=spell)
        .group_by("plant", "region", "session", "spell")
        .agg(**AGGREGATES, start=at.min(), after=at.max() + gap)
        .with_columns(end=pl.min_horizontal("after", (pl.col("spell") + 1) * longest))
    )


def slow_fleet(plants: int, seconds: int, rng: random.Random) -> list[Reading]:
    """Plants that report at intervals of their own, from a moment to minutes, staggered; now and then a reading fails
    to come, has no power, stands for another interval, or is of the weather alone. Each has a reading at `HELLO`, so
    that what comes first after it does not say whose plant it is."""
    readings = [reading(f"p{number}", HELLO, region=("KR-46", "KR-47")[number % 2]) for number in range(plants)]
    for number in range(plants):
        interval = rng.choice([0.0, 1.0, 5.0, 5.000001, 10.0, 15.0, 40.0, 75.0, 300.0])
        at_s = rng.uniform(0, interval or 7.0)
        while at_s < seconds:
            at = NOON + timedelta(microseconds=round(at_s * 1e6))
            power = None if rng.random() < 0.1 else round(rng.uniform(40, 60), 3)
            told = interval if rng.random() < 0.8 else rng.choice([0.0, 5.0, 25.0, 120.0])
            source = "fleet" if number % 3 or power is not None else "sky"
            if rng.random() < 0.85:
                readings.append(reading(f"p{number}", at, generation_kw=power, interval_s=told, source=source,
                                        capacity_kw=rng.choice([100.0, 110.0]), poa_w_m2=700.0,
                                        region=("KR-46", "KR-47")[number % 2]))  # fmt: skip
            at_s += max(interval, 1.0) * rng.choice([1, 1, 1, 0.7, 1.6])
    return sorted(readings, key=lambda one: (one.observed_at, one.plant_id))


def day_of(plants: int, seconds: int, rng: random.Random, *, every_s: float = 2.0) -> list[Reading]:
    """Readings of a small fleet, with gaps, missing values and a fault or two."""
    readings = []
    for number in range(plants):
        faulty_from = rng.uniform(0, seconds) if rng.random() < 0.4 else seconds + 1
        at_s = rng.uniform(0, every_s)
        while at_s < seconds:
            at = NOON + timedelta(microseconds=round(at_s * 1e6))
            power = None if rng.random() < 0.1 else 0.0 if at_s > faulty_from else round(rng.uniform(40, 60), 3)
            module = round(rng.uniform(30, 45), 1) if rng.random() < 0.8 else None
            light = 700.0 if number % 2 else None
            readings.append(reading(f"p{number}", at, generation_kw=power, module_c=module, poa_w_m2=light,
                                    region=("KR-46", "KR-47")[number % 2]))  # fmt: skip
            at_s += rng.choice([every_s, every_s, every_s / 3, every_s * 4])
    return sorted(readings, key=lambda one: (one.observed_at, one.plant_id))
