"""The past from Cosmos DB: a plant over a time, regions and the nation over a day, everything at one moment.

What the sink has not rolled up yet is folded here from the windows, by the same functions, so that a curve reaches to
the newest window.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from math import fsum
from time import monotonic
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from dashboard.store import Document, Store
from heliograph.contracts import PlantWindow, RegionWindow, iso_seconds
from heliograph.rollups import Hour, Point, RegionPoint, day_totals, plant_hours, plant_points, region_points, replaced
from heliograph.rows import Standing, epoch_s, moment_of, plant_windows, plants_at, region_windows
from heliograph.storage import CURVE_S, DAY_S, HOUR_S, ROLLUPS, TILE_S, WINDOWS, cell_of, day_of, day_start

Resolution = Literal["window", "5min", "hour", "day"]
Row = list[Any]
Curves = dict[str, list[RegionPoint]]
"""Points of a UTC day by region."""
Sums = dict[int, tuple[float, float | None]]
"""Generation and expectation of all regions together, kW, by the point's index in its UTC day."""

CURVES_KEPT_S: Final = 30.0
PAST_KEPT_S: Final = 600.0
"""Of days that are over; a sink that is days behind still writes them."""
MAX_DAYS_KEPT: Final = 32
MAX_WINDOW_RANGE: Final = timedelta(hours=6)
LAGGING: Final = timedelta(seconds=60)
SPARSE_S: Final = 900
"""A source may report every 15 minutes: where few plants have a window at a moment, theirs is sought so far back."""

WINDOW_COLUMNS: Final = (
    "time", "end", "state", "generation_kw", "min_kw", "max_kw", "expected_kw", "utilisation_pct", "performance_ratio",
    "poa_w_m2", "ghi_w_m2", "module_c", "ambient_c", "wind_m_s", "readings", "revision",
)  # fmt: skip
POINT_COLUMNS: Final = ("time", "state", "generation_kw", "max_kw", "expected_kw", "poa_w_m2", "module_c", "windows")
HOUR_COLUMNS: Final = (
    "time", "energy_kwh", "expected_kwh", "performance_ratio", "max_kw", "insolation_wh_m2", "fault_s", "windows",
    "observed_s",
)  # fmt: skip
REGION_POINT_COLUMNS: Final = ("time", "generation_kw", "expected_kw", "capacity_kw", "plants")


@dataclass(frozen=True, slots=True)
class Range:
    """From a moment to another, the latter exclusive."""

    start: datetime
    end: datetime

    @property
    def days(self) -> list[str]:
        """The UTC days that it touches."""
        first, last = day_start(day_of(self.start)), day_start(day_of(self.end - timedelta(microseconds=1)))
        return [day_of(first + timedelta(days=day)) for day in range((last - first).days + 1)]

    def suited(self) -> Resolution:
        """The finest resolution that a chart of it can show."""
        length = self.end - self.start
        for limit, resolution in _SUITED:
            if length <= limit:
                return resolution
        return "day"


_SUITED: Final[tuple[tuple[timedelta, Resolution], ...]] = (
    (timedelta(hours=2), "window"), (timedelta(days=4), "5min"), (timedelta(days=62), "hour"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Kept:
    """A day's curves and their sums, as they were at a moment of the monotonic clock."""

    read_s: float
    curves: Curves
    sums: Sums


class History:
    """Answers from the stored documents."""

    def __init__(self, store: Store, *, cells: int, zone: ZoneInfo) -> None:
        self._store = store
        self._cells = cells
        self._days_kept: dict[str, _Kept] = {}
        self._days_coming: dict[str, asyncio.Task[_Kept]] = {}
        self._present_from = ""
        """Days before this one are over; none while it is not known."""
        self.zone = zone

    async def plant(self, plant_id: str, span: Range, resolution: Resolution) -> tuple[Sequence[str], list[Row]]:
        """Columns and rows of one plant, in order of time."""
        match resolution:
            case "window":
                return WINDOW_COLUMNS, [_window_row(window) for window in await self._windows(plant_id, span)]
            case "5min":
                return POINT_COLUMNS, await self._points(plant_id, span)
            case "hour":
                return HOUR_COLUMNS, [[at, *_hour_values([hour])] for at, hour in await self._hours(plant_id, span)]
            case "day":
                return HOUR_COLUMNS, self._days(await self._hours(plant_id, span))

    async def _windows(self, plant_id: str, span: Range) -> list[PlantWindow]:
        start_s, end_s = epoch_s(span.start), epoch_s(span.end)
        documents = await self._store.query(
            "plant-windows",
            WINDOWS,
            f"SELECT c.window, c.first, c.at, c.rows[{_literal(plant_id)}] AS rows FROM c "  # noqa: S608 - quoted by JSON's rules
            "WHERE c.first > @tile AND c.first < @to AND (c.first >= @from OR c.until >= @from)",
            {"from": start_s, "to": end_s, "tile": start_s - TILE_S},
            pk=cell_of(plant_id, self._cells),
        )
        held = [
            {**document, "of": "plants", "rows": {plant_id: document["rows"]}}
            for document in documents
            if "rows" in document
        ]
        return [window for window in plant_windows(held) if span.start <= window.window_start < span.end]

    async def _points(self, plant_id: str, span: Range) -> list[Row]:
        rollups, tail = await asyncio.gather(self._rollups("plant-curve", plant_id, span), self._tail(plant_id, span))
        rows: list[Row] = []
        for day in span.days:
            points = msgspec.convert(rollups.get(day, {}).get("points", []), list[Point])
            for start_s, windows in tail.get(day, {}).items():
                first = start_s % DAY_S // CURVE_S
                points = replaced(points, range(first, first + HOUR_S // CURVE_S), plant_points(windows), _index)
            rows += [[_time(day, p.index * CURVE_S), p.state, p.mean_kw, p.max_kw, p.expected_kw, p.poa_w_m2,
                      p.module_c, p.windows] for p in points]  # fmt: skip
        return _within(rows, span)

    async def _hours(self, plant_id: str, span: Range) -> list[tuple[str, Hour]]:
        rollups, tail = await asyncio.gather(self._rollups("plant-day", plant_id, span), self._tail(plant_id, span))
        rows: list[Row] = []
        now_s = datetime.now(UTC).timestamp()
        for day in span.days:
            hours = msgspec.convert(rollups.get(day, {}).get("hours", []), list[Hour])
            for start_s, windows in tail.get(day, {}).items():
                place = start_s % DAY_S // HOUR_S
                fresh = plant_hours(windows, until_s=now_s)
                hours = replaced(hours, range(place, place + 1), fresh, lambda hour: hour.hour)
            rows += [[_time(day, hour.hour * HOUR_S), hour] for hour in hours]
        return [(at, hour) for at, hour in _within(rows, span)]

    def _days(self, hours: Iterable[tuple[str, Hour]]) -> list[Row]:
        """Sums over the days of the dashboard's time zone; of a zone half an hour off, each hour whole."""
        days: dict[str, list[Hour]] = defaultdict(list)
        for at, hour in hours:
            days[f"{datetime.fromisoformat(at).astimezone(self.zone):%Y-%m-%d}"].append(hour)
        return [[day, *_hour_values(group)] for day, group in sorted(days.items())]

    async def _rollups(self, kind: str, plant_id: str, span: Range) -> dict[str, Document]:
        field = "points" if kind == "plant-curve" else "hours"
        found = await self._store.query(
            kind,
            ROLLUPS,
            f"SELECT c.day, c.{field} FROM c WHERE c.kind = @kind AND c.subject = @plant "  # noqa: S608 - one of two words
            "AND c.day >= @first AND c.day <= @last",
            {"kind": kind, "plant": plant_id, "first": span.days[0], "last": span.days[-1]},
            pk=cell_of(plant_id, self._cells),
        )
        return {document["day"]: document for document in found}

    async def _tail(self, plant_id: str, span: Range) -> dict[str, dict[int, list[PlantWindow]]]:
        """The windows of the hours that are not rolled up, by day and start of the hour."""
        spans = await self._open_spans(cell_of(plant_id, self._cells), span, HOUR_S)
        tail: dict[str, dict[int, list[PlantWindow]]] = defaultdict(dict)
        if not spans:
            return tail
        held = Range(moment_of(spans[0]), moment_of(spans[-1] + HOUR_S))
        for window in await self._windows(plant_id, held):
            hour_s = int(epoch_s(window.window_start) // HOUR_S) * HOUR_S
            if hour_s in spans:
                tail[day_of(window.window_start)].setdefault(hour_s, []).append(window)
        return tail

    async def _open_spans(self, pk: str, span: Range, length_s: int) -> list[int]:
        """The latest few spans of a partition key that have windows beyond their roll-up, in order."""
        found = await self._store.query(
            "open-spans",
            WINDOWS,
            "SELECT VALUE c.span FROM c WHERE c.span > @from AND c.span < @to",
            {"from": epoch_s(span.start) - length_s, "to": epoch_s(span.end)},
            pk=pk,
        )
        newest = max(found, default=0)
        return sorted(start_s for start_s in found if start_s > newest - 3 * HOUR_S)

    async def region_days(self, span: Range) -> dict[str, Curves]:
        """The curves of all regions by UTC day, then region, open spans included; at most `CURVES_KEPT_S` old,
        or `PAST_KEPT_S` where the day is over."""
        return {day: (await self._kept_day(day)).curves for day in span.days}

    async def _kept_day(self, day: str) -> _Kept:
        kept = self._days_kept.get(day)
        kept_s = PAST_KEPT_S if day < self._present_from else CURVES_KEPT_S
        if kept is None or monotonic() > kept.read_s + kept_s:
            return await self._refresh_day(day)
        return kept

    async def _refresh_day(self, day: str) -> _Kept:
        """Reads a day anew. All who ask for it meanwhile wait for one reading, which ends for none when another leaves;
        hence a task of its own."""
        coming = self._days_coming.get(day)
        if coming is None:
            coming = self._days_coming[day] = asyncio.create_task(self._read_day(day), name=f"curves of {day}")
            coming.add_done_callback(lambda _: self._days_coming.pop(day))
        return await asyncio.shield(coming)

    async def _read_day(self, day: str) -> _Kept:
        read_s = monotonic()
        curves = await self._region_day(day)
        self._days_kept.pop(day, None)  # the day read longest ago is the first to go
        kept = self._days_kept[day] = _Kept(read_s, curves, _summed(curves))
        while len(self._days_kept) > MAX_DAYS_KEPT:
            self._days_kept.pop(next(iter(self._days_kept)))
        return kept

    async def _region_day(self, day: str) -> Curves:
        found = await self._store.query(
            "region-curves", ROLLUPS, "SELECT c.subject, c.points FROM c WHERE c.kind = 'region-curve'", pk=day
        )
        curves = {one["subject"]: msgspec.convert(one["points"], list[RegionPoint]) for one in found}
        start = day_start(day)
        spans = await self._open_spans(day, Range(start, start + timedelta(days=1)), CURVE_S)
        if spans:
            partials = await self._partials(Range(moment_of(spans[0]), moment_of(spans[-1] + CURVE_S)))
            places = {span_s % DAY_S // CURVE_S for span_s in spans}
            for region, fresh in region_points(settled(partials)).items():
                kept = [point for point in curves.get(region, ()) if point.index not in places]
                new = [point for point in fresh if point.index in places]
                curves[region] = sorted([*kept, *new], key=_index)
        return curves

    async def _partials(self, span: Range) -> list[RegionWindow]:
        """The partials of a range within one UTC day."""
        start_s = epoch_s(span.start)
        documents = await self._store.query(
            "region-windows",
            WINDOWS,
            "SELECT c.of, c.window, c.first, c.at, c.rows FROM c "
            "WHERE c.first > @tile AND c.first < @to AND (c.first >= @from OR c.until >= @from)",
            {"from": start_s, "to": epoch_s(span.end), "tile": start_s - TILE_S},
            pk=day_of(span.start),
        )
        return [partial for partial in region_windows(documents) if span.start <= partial.window_start < span.end]

    def local_day(self, day: date) -> Range:
        """From one local midnight to the next."""
        start = datetime(day.year, day.month, day.day, tzinfo=self.zone)
        end = start + timedelta(days=1)
        return Range(start.astimezone(moment_of(0).tzinfo), end.astimezone(moment_of(0).tzinfo))

    async def refresh_present(self, today: date) -> None:
        """Reads the curves of today and yesterday anew. `Watch` does so all the time, so that no page waits."""
        days = Range(self.local_day(today - timedelta(days=1)).start, self.local_day(today).end).days
        self._present_from = days[0]
        for day in days:
            await self._refresh_day(day)

    async def region(self, code: str, day: date) -> list[Row]:
        """Rows of `REGION_POINT_COLUMNS` of a region over a local day."""
        span = self.local_day(day)
        rows = [
            [_time(utc_day, p.index * CURVE_S), p.generation_kw, p.expected_kw, p.capacity_kw, p.plants]
            for utc_day, curves in (await self.region_days(span)).items()
            for p in curves.get(code, ())
        ]
        return _within(rows, span)

    async def nation(self, day: date) -> list[Row]:
        """Minute of the local day, generation, expectation, and yesterday's generation at that minute; kW."""
        today, yesterday = self.local_day(day), self.local_day(day - timedelta(days=1))
        sums = {
            epoch_s(day_start(utc_day)) + index * CURVE_S: values
            for utc_day in Range(yesterday.start, today.end).days
            for index, values in (await self._kept_day(utc_day)).sums.items()
        }
        rows: list[Row] = []
        for minute in range(0, 24 * 60, CURVE_S // 60):
            now = sums.get(epoch_s(today.start) + minute * 60)
            before = sums.get(epoch_s(yesterday.start) + minute * 60)
            if now or before:
                rows.append([minute, *(now or (None, None)), before[0] if before else None])
        return rows

    async def at(
        self, moment: datetime, window_s: float, plants: int
    ) -> tuple[dict[str, Standing], list[RegionWindow]]:
        """How each plant stood in its newest window that had begun at the moment, and the regions' partials there."""
        documents = await self._documents_at(moment, window_s)
        held = plants_at(documents, moment)
        if len(held) < plants / 2:
            documents = await self._documents_at(moment, SPARSE_S)
            held = plants_at(documents, moment)
        return held, [p for p in region_windows(documents) if p.window_start <= moment < p.window_end]

    async def _documents_at(self, moment: datetime, back_s: float) -> list[Document]:
        """Documents with windows that began at the moment or up to `back_s` before: those that begin there, and the
        few of many windows that reach there."""
        at_s = epoch_s(moment)
        fields = "SELECT c.of, c.window, c.first, c.at, c.rows FROM c"
        beginning, reaching = await asyncio.gather(
            self._store.query(
                "at",
                WINDOWS,
                f"{fields} WHERE c.first > @low AND c.first <= @at",
                {"low": at_s - back_s, "at": at_s},
            ),
            self._store.query(
                "at-reaching",
                WINDOWS,
                f"{fields} WHERE c.until > @low AND c.until < @high AND c.first <= @low",
                {"low": at_s - back_s, "high": at_s + TILE_S},
            ),
        )
        return [*beginning, *reaching]


def settled(partials: Sequence[RegionWindow]) -> list[RegionWindow]:
    """The partials without those of the last minute's windows that some partition has not told of yet: summed as they
    are, they would end every curve in a dip."""
    counts = Counter(partial.window_start for partial in partials)
    if not counts:
        return []
    whole, newest = max(counts.values()), max(counts)
    return [p for p in partials if counts[p.window_start] == whole or newest - p.window_start > LAGGING]


def _summed(curves: Curves) -> Sums:
    points: dict[int, list[RegionPoint]] = defaultdict(list)
    for curve in curves.values():
        for point in curve:
            points[point.index].append(point)
    return {index: (fsum(p.generation_kw for p in group), _expected(group)) for index, group in points.items()}


def _expected(points: Iterable[RegionPoint]) -> float | None:
    known = [point.expected_kw for point in points if point.expected_kw is not None]
    return fsum(known) if known else None


def _hour_values(hours: Sequence[Hour]) -> Row:
    totals = day_totals(hours)
    return [totals[name] for name in HOUR_COLUMNS[1:]]


def _window_row(window: PlantWindow) -> Row:
    power = window.generation_kw
    return [
        iso_seconds(window.window_start), iso_seconds(window.window_end), window.state, power and power.mean,
        power and power.min, power and power.max, window.expected_kw, window.utilisation_pct, window.performance_ratio,
        window.poa_w_m2, window.ghi_w_m2, window.module_c, window.ambient_c, window.wind_m_s, window.readings,
        window.revision,
    ]  # fmt: skip


def _index(point: Point | RegionPoint) -> int:
    return point.index


def _time(day: str, seconds: int) -> str:
    return iso_seconds(day_start(day) + timedelta(seconds=seconds))


def _within(rows: Iterable[Row], span: Range) -> list[Row]:
    """The rows whose time lies in the range."""
    start, end = iso_seconds(span.start), iso_seconds(span.end)
    return [row for row in rows if start <= row[0] < end]


def _literal(name: str) -> str:
    """A name as a string of Cosmos's query language, which takes no parameter in a path."""
    return msgspec.json.encode(name).decode()
