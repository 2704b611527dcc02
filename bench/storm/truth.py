"""What Cosmos DB must hold: the same readings in one go by Polars, and how what it does hold differs, row by row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

import polars as pl

from heliograph.contracts import PlantWindow, Reading, RegionWindow
from heliograph.rows import moment_of
from heliograph.storage import HOUR_S, day_start

WINDOW_S: Final = 10
MAX_CARRY_S: Final = 3600
WEATHER: Final = ("poa_w_m2", "ghi_w_m2", "module_c", "ambient_c", "wind_m_s")
NUMBERS: Final = ("capacity_kw", "utilisation_pct", "sum", "min", "max", "mean", "first", "last", *WEATHER)
REGION_NUMBERS: Final = ("capacity_kw", "generation_kw")
TOLERANCE: Final = 1e-9
_AT_ONCE: Final = 100_000
_FIELDS: Final = tuple(name for name in Reading.__struct_fields__ if name not in ("v", "flags"))


@dataclass(slots=True)
class Verdict:
    """How what is stored differs from the truth."""

    lost: int = 0
    """Readings that no window holds."""
    doubled: int = 0
    """Readings that windows hold more often than once."""
    wrong: int = 0
    """Rows that hold the right readings and other numbers."""
    rows: int = 0
    """Compared."""
    samples: list[str] = field(default_factory=list)
    """What the first of them say."""

    def add(self, other: Verdict) -> None:
        """Another container's, too."""
        self.lost += other.lost
        self.doubled += other.doubled
        self.wrong += other.wrong
        self.rows += other.rows
        self.samples += other.samples

    @property
    def is_clean(self) -> bool:
        """Nothing lost, doubled or wrong."""
        return not (self.lost or self.doubled or self.wrong)


def frame_of(readings: Iterable[Reading]) -> pl.DataFrame:
    """The readings as columns, each once."""
    parts = [
        pl.DataFrame(
            {name: [getattr(one, name) for one in part] for name in _FIELDS},
            schema_overrides=dict.fromkeys(("generation_kw", *WEATHER), pl.Float64),
            strict=False,
        )
        for part in _parts(readings)
    ]
    return pl.concat(parts).unique(["plant_id", "source", "observed_at"])


def _parts(readings: Iterable[Reading]) -> Iterator[list[Reading]]:
    left = iter(readings)
    while part := list(islice(left, _AT_ONCE)):
        yield part


def plant_truth(frame: pl.DataFrame) -> pl.DataFrame:
    """One row per plant and window, by plant and start."""
    generation = pl.col("generation_kw")
    present = generation.drop_nulls()
    return (
        frame.sort("observed_at", "source")
        .with_columns(start=pl.col("observed_at").dt.epoch("ms") // (WINDOW_S * 1000) * WINDOW_S)
        .group_by("plant_id", "start")
        .agg(
            pl.len().alias("readings"),
            pl.col("region").last(),
            pl.col("capacity_kw").last(),
            generation.count().alias("count"),
            generation.sum().alias("sum"),
            generation.min().alias("min"),
            generation.max().alias("max"),
            generation.mean().alias("mean"),
            present.first().alias("first"),
            present.last().alias("last"),
            _counts_until().filter(generation.is_not_null()).last().alias("until_us"),
            *(pl.col(name).cast(pl.Float64).mean() for name in WEATHER),
        )
        .with_columns(utilisation_pct=pl.col("mean") / pl.col("capacity_kw") * 100)
        .sort("plant_id", "start")
    )


def _counts_until() -> pl.Expr:
    """How long a reading with power is fresh, in microseconds; null if its interval is within half a window."""
    interval_us = (pl.col("interval_s") * 1e6).round().cast(pl.Int64)
    until_us = pl.col("observed_at").dt.epoch("us") + (interval_us * 3 // 2).clip(upper_bound=MAX_CARRY_S * 1_000_000)
    return pl.when(interval_us * 2 > WINDOW_S * 1_000_000).then(until_us)


def region_truth(plants: pl.DataFrame) -> pl.DataFrame:
    """One row per region and window in which plants count, from the plants' rows. A plant without power in a window
    counts as in the last window in which it had some, while that window's last reading with power is younger than one
    and a half of its intervals as the window begins."""
    heard = plants.group_by("region", "start").agg(pl.col("readings").sum())
    return (
        pl.concat([_powered(plants), _carried(plants)])
        .group_by("region", "start")
        .agg(pl.len().alias("plants"), pl.col("capacity_kw").sum(), pl.col("mean").sum().alias("generation_kw"))
        .join(heard, on=["region", "start"], how="left")
        .with_columns(pl.col("readings").fill_null(0))
        .select("region", "start", "plants", "readings", "capacity_kw", "generation_kw")
        .sort("region", "start")
    )


_COUNTED: Final = ("region", "start", "capacity_kw", "mean")


def _powered(plants: pl.DataFrame) -> pl.DataFrame:
    return plants.filter(pl.col("count") > 0).select(_COUNTED)


def _carried(plants: pl.DataFrame) -> pl.DataFrame:
    """The windows between those in which a plant has power, as far as the last of them counts: each joined to what
    was before it."""
    rows = plants.filter(pl.col("count") > 0)
    slow = rows.filter(pl.col("plant_id").is_in(rows.filter(pl.col("until_us").is_not_null())["plant_id"].implode()))
    if slow.is_empty():
        return _powered(slow)
    starts = pl.DataFrame(
        {"start": range(int(slow["start"].min()), int(slow["until_us"].max()) // 1_000_000 + 1, WINDOW_S)}  # type: ignore[arg-type]
    )
    grid = starts.join(slow.select("plant_id").unique(), how="cross")
    empty = grid.join(slow, on=["plant_id", "start"], how="anti").sort("start")
    before = slow.sort("start")
    found = empty.join_asof(before, on="start", by="plant_id", check_sortedness=False)
    return found.filter(pl.col("start") * 1_000_000 < pl.col("until_us")).select(_COUNTED)


def plant_rows(windows: Iterable[PlantWindow]) -> pl.DataFrame:
    """Stored plant windows in the form of the truth. Windows that were taken back have no readings and are left out."""
    names = ("capacity_kw", "utilisation_pct", *WEATHER)
    rows = [
        {
            "plant_id": one.plant_id,
            "start": int(one.window_start.timestamp()),
            "readings": one.readings,
            "region": one.region,
            "count": one.generation_kw.count if one.generation_kw else 0,
            **{name: getattr(one, name) for name in names},
            **{
                name: getattr(one.generation_kw, name) if one.generation_kw else None
                for name in ("min", "max", "mean", "first", "last")
            },
            "sum": one.generation_kw.sum if one.generation_kw else 0.0,
        }
        for one in windows
        if one.readings
    ]
    return pl.DataFrame(rows, infer_schema_length=None)


def region_rows(partials: Iterable[RegionWindow]) -> pl.DataFrame:
    """The sums of stored partials."""
    rows = [
        {
            "region": one.region,
            "start": int(one.window_start.timestamp()),
            "plants": one.plants,
            "readings": one.readings,
            "capacity_kw": one.capacity_kw,
            "generation_kw": one.generation_kw,
        }
        for one in partials
    ]
    return pl.DataFrame(rows).group_by("region", "start").agg(pl.all().sum()).filter(pl.col("plants") > 0)


def hour_truth(plants: pl.DataFrame) -> pl.DataFrame:
    """One row per plant and hour: how many windows and readings, and the greatest power."""
    return (
        plants.with_columns(start=pl.col("start") // HOUR_S * HOUR_S)
        .group_by("plant_id", "start")
        .agg(pl.len().alias("windows"), pl.col("readings").sum(), pl.col("max").max().alias("max_kw"))
    )


def hour_rows(rollups: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """The same from the stored days of plants."""
    rows = [
        {
            "plant_id": day["subject"],
            "start": _day_s(day["day"]) + hour * HOUR_S,
            "windows": windows,
            "readings": readings,
            "max_kw": rest[-1],
        }
        for day in rollups
        if day.get("kind") == "plant-day"
        for hour, windows, readings, *rest in day["hours"]
    ]
    return pl.DataFrame(rows, infer_schema_length=None)


def compare(what: str, due: pl.DataFrame, found: pl.DataFrame, by: str, numbers: Sequence[str]) -> Verdict:
    """Row by row. `by` is the name of the subject beside `start`; `numbers` must agree to 1e-9 of their size."""
    keys = [by, "start"]
    if found.is_empty():
        found = due.clear()
    both = due.join(found, on=keys, how="full", suffix="_found", coalesce=True)
    must, is_ = pl.col("readings").fill_null(0).cast(pl.Int64), pl.col("readings_found").fill_null(0).cast(pl.Int64)
    differs = pl.any_horizontal(*(_differs(name) for name in numbers))
    judged = both.with_columns(missing=must - is_, differs=differs)
    bad = judged.filter((pl.col("missing") != 0) | pl.col("differs")).sort(*keys)
    wrong = bad.filter(pl.col("missing") == 0)
    return Verdict(
        lost=int(bad["missing"].clip(0).sum()),
        doubled=int((-bad["missing"]).clip(0).sum()),
        wrong=wrong.height,
        rows=judged.height,
        samples=[f"{what}: {line}" for line in _samples(bad.head(5), by, ("readings", *numbers))],
    )


def _differs(name: str) -> pl.Expr:
    due, found = pl.col(name), pl.col(f"{name}_found")
    if name == "region":
        return due.ne_missing(found)
    allowed = TOLERANCE * pl.max_horizontal(due.abs(), 1.0)
    return ((due - found).abs() > allowed).fill_null(value=False) | (due.is_null() != found.is_null())


def _samples(rows: pl.DataFrame, by: str, names: Sequence[str]) -> Iterator[str]:
    for row in rows.iter_rows(named=True):
        said = [
            f"{name} {row[f'{name}_found']}, must be {row[name]}" for name in names if row[name] != row[f"{name}_found"]
        ]
        yield f"{row[by]} {moment_of(row['start']).isoformat()}: {'; '.join(said[:3])}"


def _day_s(day: str) -> int:
    return int(day_start(day).timestamp())
