"""From columns to the messages of the contract."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from analyzer.carried import Powers
from analyzer.columns import Floats, Ints, Mask, from_micros
from analyzer.folds import Table
from analyzer.plants import Plants
from analyzer.published import Digests, Published, digests_of
from heliograph.contracts import Aggregate, PlantState, PlantWindow, RegionWindow

STATES: tuple[PlantState, ...] = get_args(PlantState)
OK, WARNING, FAULTY, NIGHT, NO_DATA = (STATES.index(state) for state in ("ok", "warning", "fault", "night", "no-data"))

_SAID = ("capacity_kw", "poa_w_m2", "ghi_w_m2", "module_c", "module_c_max", "ambient_c", "wind_m_s")


def digests(table: Table, expected_kw: Floats, states: Ints) -> Digests:
    """(k,) what tells whether a line's document changed."""
    generation = table.generation_kw
    numbers: list[Floats] = [getattr(table, name) for name in _SAID]
    own = [generation.count, generation.sum, generation.min, generation.max, generation.first, generation.last]
    return digests_of([table.ends, table.readings, *own, *numbers, expected_kw, states])


@dataclass(frozen=True, slots=True)
class PlantLines:
    """Plant windows to be published, as columns; they become messages only where they are sent."""

    table: Table
    expected_kw: Floats
    states: Ints
    revisions: Ints
    window: str
    ids: list[str]
    """Of the lane's plants by row, as `regions` and `region` are: as they were when the lines were made."""
    regions: list[str]
    region: Ints

    @classmethod
    def of(
        cls, table: Table, expected_kw: Floats, states: Ints, revisions: Ints, plants: Plants, window: str
    ) -> PlantLines:
        """The lines of some plants' windows."""
        return cls(table, expected_kw, states, revisions, window, plants.ids, plants.regions, plants.region)

    def __len__(self) -> int:
        return int(self.table.rows.size)

    def messages(self) -> Iterator[PlantWindow]:
        """One message a line."""
        table, generation = self.table, self.table.generation_kw
        mean = generation.mean
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(self.expected_kw > 0, mean / self.expected_kw, np.nan)
        parts = (
            generation.count,
            generation.sum,
            generation.min,
            generation.max,
            mean,
            generation.first,
            generation.last,
        )
        numbers = (
            table.capacity_kw,
            table.utilisation_pct,
            self.expected_kw,
            ratio,
            *(getattr(table, name) for name in _SAID[1:]),
        )
        starts, ends = table.starts.tolist(), table.ends.tolist()
        times = {micros: from_micros(micros) for micros in {*starts, *ends}}
        ids, regions, region = self.ids, self.regions, self.region[table.rows].tolist()
        lines = zip(
            table.rows.tolist(), region, starts, ends, self.revisions.tolist(), table.readings.tolist(), self.states.tolist(),  # noqa: E501
            zip(*map(_column, parts), strict=True), zip(*map(_column, numbers), strict=True), strict=True,
        )  # fmt: skip
        for row, number, start, end, revision, readings, state, made, values in lines:
            capacity, used, due, share, poa, ghi, module, hottest, air, wind = values
            yield PlantWindow(
                v=1,
                plant_id=ids[row],
                region=regions[number],
                window=self.window,
                window_start=times[start],
                window_end=times[end],
                revision=revision,
                readings=readings,
                capacity_kw=capacity,
                generation_kw=_aggregate(*made) if made[0] else None,
                utilisation_pct=used,
                expected_kw=due,
                performance_ratio=share,
                poa_w_m2=poa,
                ghi_w_m2=ghi,
                module_c=module,
                module_c_max=hottest,
                ambient_c=air,
                wind_m_s=wind,
                state=STATES[state],
            )


def _column(values: npt.NDArray[Any]) -> list[Any]:
    """As Python numbers, None for NaN."""
    if values.dtype == np.float64 and np.isnan(values).any():
        return [None if number != number else number for number in values.tolist()]  # noqa: PLR0124 - only NaN is not itself
    return list(values.tolist())


def _aggregate(
    count: int, total: float, least: float, greatest: float, mean: float, first: float, last: float
) -> Aggregate:
    return Aggregate(count=count, sum=total, min=least, max=greatest, mean=mean, first=first, last=last)


def region_windows(
    powers: Powers, start_us: int, end_us: int, plants: Plants, window: str, partition: str, published: Published
) -> Iterator[RegionWindow]:
    """The partials of one window that differ from what was published. A region that was published and that no plant
    counts in any more is said again, with none."""
    region = plants.region[powers.rows]
    size = len(plants.regions)
    powered = ~np.isnan(powers.mean_kw)
    due = powered & ~np.isnan(powers.expected_kw)
    groups = _Groups.of(region, powered, size)
    dues = groups if (due == powered).all() else _Groups.of(region, due, size)
    sums = {
        "readings": np.bincount(region, powers.readings, size),
        "plants": groups.counts,
        "capacity": groups.sums(powers.capacity_kw),
        "generation": groups.sums(powers.mean_kw),
        "due": dues.counts,
        "expected": dues.sums(powers.expected_kw),
    }
    digest = digests_of(sums.values())
    start, end = from_micros(start_us), from_micros(end_us)
    columns = {name: values.tolist() for name, values in sums.items()}
    here = set(region.tolist())
    for number, name in enumerate(plants.regions):
        if number not in here and name not in published.regions:
            continue
        revision = published.update_region(name, int(digest[number]))
        if revision is None:
            continue
        one = {column: values[number] for column, values in columns.items()}
        yield RegionWindow(
            v=1,
            region=name,
            partition=partition,
            window=window,
            window_start=start,
            window_end=end,
            revision=revision,
            readings=int(one["readings"]),
            plants=int(one["plants"]),
            capacity_kw=one["capacity"],
            generation_kw=one["generation"],
            expected_kw=one["expected"] if one["due"] else None,
            utilisation_pct=one["generation"] / one["capacity"] * 100.0 if one["capacity"] else None,
        )


class _Groups(NamedTuple):
    """The lines of each region, of those that count."""

    order: Ints
    counts: Ints

    @classmethod
    def of(cls, groups: Ints, counted: Mask, size: int) -> _Groups:
        places = np.flatnonzero(counted)
        mine = groups[places]
        return cls(places[np.argsort(mine, kind="stable")], np.bincount(mine, minlength=size))

    def sums(self, values: Floats) -> Floats:
        """(size,) sums rounded once, so that the order in which plants were first heard of leaves no trace."""
        ends = np.cumsum(self.counts).tolist()
        ordered = values[self.order].tolist()
        return np.array([math.fsum(ordered[begin:end]) for begin, end in zip([0, *ends], ends, strict=False)])
