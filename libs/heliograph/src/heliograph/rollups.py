"""Windows folded into the points of a curve, hours and days. Pure: the sink stores the results, the dashboard folds
the last, still open span in the same way.

A fold takes all windows of its span at their highest revision and sums them with `math.fsum` in order of time, so the
same windows give the same roll-up to the bit, whatever order they came in and however often.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from math import fsum
from typing import Final, TypeVar

import msgspec

from heliograph.contracts import PlantState, PlantWindow, RegionWindow
from heliograph.rows import epoch_s
from heliograph.storage import CURVE_S, DAY_S, HOUR_S, floor_to

MAX_HOLD_S: Final = 900
"""A plant's mean power counts as its power until its next window, at most this long: sources report every 15 minutes
or more often, and a longer gap is a gap."""

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


def plant_hours(windows: Iterable[PlantWindow]) -> list[Hour]:
    """The hours of one plant's windows of one day, in order."""
    hours: dict[int, list[PlantWindow]] = defaultdict(list)
    for window in _finest(windows):
        hours[floor_to(epoch_s(window.window_start), HOUR_S)].append(window)
    return [_hour(start, group) for start, group in sorted(hours.items())]


def _hour(start_s: int, windows: Sequence[PlantWindow]) -> Hour:
    held = [(w, hold) for w, hold in zip(windows, _holds_s(windows, start_s + HOUR_S), strict=True) if w.generation_kw]
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


def _holds_s(windows: Sequence[PlantWindow], end_s: int) -> list[float]:
    """How long each window's mean stands for the plant's power: until the next window; the last as long as the one
    before it. A lone window of an hour stands for `MAX_HOLD_S` at most."""
    starts = [epoch_s(window.window_start) for window in windows]
    holds = [min(after - start, MAX_HOLD_S) for start, after in pairwise(starts)]
    last = holds[-1] if holds else MAX_HOLD_S
    return [*holds, min(last, end_s - starts[-1])]


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
    weather alone, say nothing about power."""
    regions: dict[str, list[RegionWindow]] = defaultdict(list)
    for total in region_totals(partials):
        if total.plants:
            regions[total.region].append(total)
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
