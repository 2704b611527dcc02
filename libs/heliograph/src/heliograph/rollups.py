"""Windows folded into the points of a curve, hours and days. Pure: the sink stores the results, the dashboard folds
the last, still open span in the same way.

A fold takes all windows of its span at their highest revision and sums them with `math.fsum` in order of time, so the
same windows give the same roll-up to the bit, whatever order they came in and however often.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from math import fsum, inf
from statistics import median_low
from typing import Final, TypeVar

import msgspec

from heliograph.contracts import PlantState, PlantWindow, RegionWindow
from heliograph.rows import epoch_s
from heliograph.storage import CURVE_S, DAY_S, HOUR_S, floor_to

HOLD_S: Final = 900
"""A plant's mean power counts as its power until its next window, this long also where the plant reports more often: a
longer gap is a gap."""
INTERVALS: Final = 1.5
"""So many of its own intervals a plant's power stands for, as in the totals of regions."""

_WORST: Final[tuple[PlantState, ...]] = ("fault", "warning", "ok", "night", "no-data")

T = TypeVar("T")
W = TypeVar("W", PlantWindow, RegionWindow)


class Point(msgspec.Struct, frozen=True, array_like=True):
    """A plant over five minutes; a JSON array in this order."""

    index: int
    """Of the five minutes within the UTC day, 0 to 287."""
    windows: int
    mean_kw: float | None
    max_kw: float | None
    expected_kw: float | None
    poa_w_m2: float | None
    module_c: float | None
    """The highest."""
    state: PlantState
    """The worst."""


class Hour(msgspec.Struct, frozen=True, array_like=True):
    """A plant over an hour; a JSON array in this order. All but `max_kw` add up to days and months."""

    hour: int
    """Of the UTC day, 0 to 23."""
    windows: int
    readings: int
    energy_kwh: float
    expected_kwh: float
    """Over the time for which there is an expectation."""
    compared_kwh: float
    """The energy of that same time, so that `compared_kwh / expected_kwh` is the performance ratio."""
    insolation_wh_m2: float
    fault_s: float
    observed_s: float
    """Time for which there is a generation."""
    max_kw: float | None


class RegionPoint(msgspec.Struct, frozen=True, array_like=True):
    """A region over five minutes: means over its windows of the sums over its plants; a JSON array in this order."""

    index: int
    windows: int
    generation_kw: float
    expected_kw: float | None
    capacity_kw: float
    """Of the plants that count."""
    plants: float


def plant_points(windows: Iterable[PlantWindow]) -> list[Point]:
    """The points of one plant's windows of one day, in order."""
    return [_point(index, group) for index, group in _by_index(_finest(windows))]


def _point(index: int, windows: Sequence[PlantWindow]) -> Point:
    return Point(
        index=index,
        windows=len(windows),
        mean_kw=_mean([w.generation_kw.mean for w in windows if w.generation_kw]),
        max_kw=max((w.generation_kw.max for w in windows if w.generation_kw), default=None),
        expected_kw=_mean([w.expected_kw for w in windows if w.expected_kw is not None]),
        poa_w_m2=_mean([w.poa_w_m2 for w in windows if w.poa_w_m2 is not None]),
        module_c=max((c for w in windows for c in (w.module_c_max, w.module_c) if c is not None), default=None),
        state=min((w.state for w in windows), key=_WORST.index),
    )


def plant_hours(windows: Iterable[PlantWindow], *, until_s: float = inf) -> list[Hour]:
    """The hours of one plant's windows of one day, in order. Of an hour that is not over, give the present, in seconds
    since the epoch: no window stands for what comes after it."""
    hours: dict[int, list[PlantWindow]] = defaultdict(list)
    for window in _finest(windows):
        hours[floor_to(epoch_s(window.window_start), HOUR_S)].append(window)
    return [_hour(start, group, until_s) for start, group in sorted(hours.items())]


def _hour(start_s: int, windows: Sequence[PlantWindow], until_s: float) -> Hour:
    told = [w for w in windows if w.generation_kw]
    end_s = min(start_s + HOUR_S, max(until_s, epoch_s(windows[-1].window_end)))
    held = list(zip(told, _holds_s(told, start_s, end_s), strict=True))
    compared = [(w, hold) for w, hold in held if w.expected_kw is not None]
    return Hour(
        hour=start_s % DAY_S // HOUR_S,
        windows=len(windows),
        readings=sum(w.readings for w in windows),
        energy_kwh=_kwh(_mean_kw, held),
        expected_kwh=_kwh(lambda w: w.expected_kw or 0.0, compared),
        compared_kwh=_kwh(_mean_kw, compared),
        insolation_wh_m2=_kwh(lambda w: w.poa_w_m2 or 0.0, held),
        fault_s=fsum(hold for w, hold in held if w.state == "fault"),
        observed_s=fsum(hold for _, hold in held),
        max_kw=max((w.generation_kw.max for w, _ in held if w.generation_kw), default=None),
    )


def _holds_s(windows: Sequence[PlantWindow], start_s: float, end_s: float) -> list[float]:
    """How long each window's mean stands for the plant's power; of the windows with power between the two times.

    Until the next window, as long as the plant's interval explains the gap: `INTERVALS` of it and a window's length,
    by which starts are rounded, or `HOLD_S` if that is more. Windows don't tell the interval, so it is the usual gap
    between those of the hour. The hour's ends lie in gaps too: the first window stands for the time before it, the
    last for the time after it, where the interval explains that; else the last stands for one interval. So hours add
    up whatever the plant's minute. A lone window is that of a plant which reports each hour, and stands for all of it,
    unless its readings show that the plant reports more often.
    """
    starts = [epoch_s(window.window_start) for window in windows]
    if len(starts) < 2:
        return [end_s - start_s if _count(window) == 1 else min(HOLD_S, end_s - starts[0]) for window in windows]
    gaps = [after - start for start, after in pairwise(starts)]
    interval = median_low(gaps)
    explained = interval * INTERVALS + (windows[0].window_end - windows[0].window_start).total_seconds()
    before, after = starts[0] - start_s, end_s - starts[-1]
    holds = [min(gap, max(explained, HOLD_S)) for gap in gaps]
    holds[0] += before if before <= explained else 0
    return [*holds, after if after <= explained else min(interval, after)]


def _count(window: PlantWindow) -> int:
    return window.generation_kw.count if window.generation_kw else 0


def _mean_kw(window: PlantWindow) -> float:
    return window.generation_kw.mean if window.generation_kw else 0.0


def _kwh(power: Callable[[PlantWindow], float], held: Iterable[tuple[PlantWindow, float]]) -> float:
    return fsum(power(window) * hold for window, hold in held) / HOUR_S


def day_totals(hours: Iterable[Hour]) -> dict[str, float | int | None]:
    """The sums of hours, flat, with names that carry their units; `performance_ratio` is None without expectation."""
    rows = list(hours)
    expected, compared = fsum(row.expected_kwh for row in rows), fsum(row.compared_kwh for row in rows)
    return {
        "windows": sum(row.windows for row in rows),
        "readings": sum(row.readings for row in rows),
        "energy_kwh": fsum(row.energy_kwh for row in rows),
        "expected_kwh": expected,
        "compared_kwh": compared,
        "performance_ratio": compared / expected if expected > 0 else None,
        "insolation_wh_m2": fsum(row.insolation_wh_m2 for row in rows),
        "fault_s": fsum(row.fault_s for row in rows),
        "observed_s": fsum(row.observed_s for row in rows),
        "max_kw": max((row.max_kw for row in rows if row.max_kw is not None), default=None),
    }


def region_totals(partials: Iterable[RegionWindow]) -> list[RegionWindow]:
    """The totals over `partition` of partials that are each there once, by region, window and start."""
    groups: dict[tuple[str, str, float], list[RegionWindow]] = defaultdict(list)
    for partial in partials:
        groups[partial.region, partial.window, epoch_s(partial.window_start)].append(partial)
    return [_total(group) for _, group in sorted(groups.items(), key=lambda item: item[0])]


def _total(partials: Sequence[RegionWindow]) -> RegionWindow:
    ordered = sorted(partials, key=lambda partial: partial.partition)
    capacity, generation = fsum(p.capacity_kw for p in ordered), fsum(p.generation_kw for p in ordered)
    expected = [p.expected_kw for p in ordered if p.expected_kw is not None]
    return RegionWindow(
        v=1,
        region=ordered[0].region,
        partition="all",
        window=ordered[0].window,
        window_start=ordered[0].window_start,
        window_end=ordered[0].window_end,
        revision=max(p.revision for p in ordered),
        readings=sum(p.readings for p in ordered),
        plants=sum(p.plants for p in ordered),
        capacity_kw=capacity,
        generation_kw=generation,
        expected_kw=fsum(expected) if expected else None,
        utilisation_pct=generation / capacity * 100 if capacity else None,
    )


def region_points(partials: Iterable[RegionWindow]) -> dict[str, list[RegionPoint]]:
    """The points of each region's partials of one day, in order. Windows in which no plant counts, such as those with
    weather alone, say nothing about power; a region that has no others has no points."""
    regions: dict[str, list[RegionWindow]] = {}
    for total in region_totals(partials):
        counted = regions.setdefault(total.region, [])
        if total.plants:
            counted.append(total)
    return {
        region: [_region_point(index, group) for index, group in _by_index(_finest(totals))]
        for region, totals in regions.items()
    }


def _region_point(index: int, totals: Sequence[RegionWindow]) -> RegionPoint:
    return RegionPoint(
        index=index,
        windows=len(totals),
        generation_kw=_mean([t.generation_kw for t in totals]) or 0.0,
        expected_kw=_mean([t.expected_kw for t in totals if t.expected_kw is not None]),
        capacity_kw=_mean([t.capacity_kw for t in totals]) or 0.0,
        plants=_mean([t.plants for t in totals]) or 0.0,
    )


def replaced(rows: Iterable[T], span: range, fresh: Iterable[T], place: Callable[[T], int]) -> list[T]:
    """The rows with those whose place lies in the span replaced by fresh ones, in order of place."""
    return sorted([*(row for row in rows if place(row) not in span), *fresh], key=place)


def by_plant(windows: Iterable[PlantWindow]) -> Mapping[str, list[PlantWindow]]:
    """The windows of each plant."""
    plants: dict[str, list[PlantWindow]] = defaultdict(list)
    for window in windows:
        plants[window.plant_id].append(window)
    return plants


def _finest(windows: Iterable[W]) -> list[W]:
    """In order of time; of several window definitions only that with the shortest windows, to count nothing twice."""
    ordered = sorted(windows, key=lambda w: (w.window_end - w.window_start, w.window, w.window_start))
    return [window for window in ordered if window.window == ordered[0].window]


def _by_index(windows: Iterable[W]) -> list[tuple[int, list[W]]]:
    groups: dict[int, list[W]] = defaultdict(list)
    for window in windows:
        groups[int(epoch_s(window.window_start) % DAY_S // CURVE_S)].append(window)
    return sorted(groups.items())


def _mean(values: Sequence[float]) -> float | None:
    return fsum(values) / len(values) if values else None
