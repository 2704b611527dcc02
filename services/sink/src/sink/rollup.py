"""Roll-up documents from the windows of a span and the roll-ups there are. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from heliograph.contracts import PlantWindow, RegionWindow
from heliograph.rollups import (
    Hour,
    Point,
    RegionPoint,
    by_plant,
    day_totals,
    plant_hours,
    plant_points,
    region_points,
    replaced,
)
from heliograph.rows import moment_of
from heliograph.storage import CURVE_S, CURVE_TTL_S, DAY_S, HOUR_S, day_of, rollup_id
from sink.journal import Span

Document = dict[str, Any]
R = TypeVar("R", Hour, Point, RegionPoint)
Stored = Mapping[str, Mapping[str, Any]]
"""Stored documents by their ids."""


def plant_rollups(span: Span, windows: Iterable[PlantWindow], stored: Stored) -> list[Document]:
    """A curve and a day for each plant that has windows in the hour; their other hours stay as they are. Region and
    capacity are those of the day's last hour, in whatever order hours are folded."""
    date, points, hours = day_of(moment_of(span.start_s)), _places(span, CURVE_S), _places(span, HOUR_S)
    documents: list[Document] = []
    for plant_id, group in sorted(by_plant(windows).items()):
        curve = _rows(stored, rollup_id("plant-curve", plant_id, date), "points", Point)
        past = _rows(stored, rollup_id("plant-day", plant_id, date), "hours", Hour)
        last = max(group, key=lambda window: (window.window_start, window.window))
        region, capacity_kw = last.region, last.capacity_kw
        if any(row.hour >= hours.stop for row in past):
            known = stored[rollup_id("plant-day", plant_id, date)]
            region, capacity_kw = known["region"], known["capacity_kw"]
        base = {"pk": span.pk, "subject": plant_id, "day": date, "region": region}
        all_hours = replaced(past, hours, plant_hours(group), lambda row: row.hour)
        all_points = replaced(curve, points, plant_points(group), lambda row: row.index)
        documents += [
            _document("plant-curve", base, {"points": all_points, "ttl": CURVE_TTL_S}),
            _document("plant-day", base, {"capacity_kw": capacity_kw, **day_totals(all_hours), "hours": all_hours}),
        ]
    return documents


def region_rollups(span: Span, partials: Iterable[RegionWindow], stored: Stored) -> list[Document]:
    """A curve for each region that has points in the five minutes, or had some that were taken back; its other points
    stay as they are."""
    date, points = day_of(moment_of(span.start_s)), _places(span, CURVE_S)
    documents: list[Document] = []
    for region, fresh in sorted(region_points(partials).items()):
        curve = _rows(stored, rollup_id("region-curve", region, date), "points", RegionPoint)
        if fresh or any(row.index in points for row in curve):
            base = {"pk": span.pk, "subject": region, "day": date}
            all_points = replaced(curve, points, fresh, lambda row: row.index)
            documents.append(_document("region-curve", base, {"points": all_points}))
    return documents


def _places(span: Span, step_s: int) -> range:
    """The places that the span takes in its day, in steps of so many seconds."""
    return range(span.start_s % DAY_S // step_s, (span.start_s % DAY_S + span.end_s - span.start_s) // step_s)


def _rows(stored: Stored, document_id: str, name: str, row_type: type[R]) -> Sequence[R]:
    return [msgspec.convert(row, row_type) for row in stored.get(document_id, {}).get(name, ())]


def _document(kind: str, base: Mapping[str, Any], content: Mapping[str, Any]) -> Document:
    document: Document = msgspec.to_builtins(
        {"id": rollup_id(kind, base["subject"], base["day"]), "kind": kind, **base, **content}
    )
    return document
