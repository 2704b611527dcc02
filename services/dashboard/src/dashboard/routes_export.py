"""A query's result as a file."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Query, Response

from dashboard.doors import Moment, refusals
from dashboard.export import MEDIA_TYPES, to_csv, to_parquet
from dashboard.history import Range
from dashboard.parts import Parts, known_plant, known_region, parts_of
from dashboard.routes_alerts import AlertQuery, find_alerts
from dashboard.routes_plants import asked_range, plant_table
from heliograph.contracts import iso_seconds
from heliograph.resilience import ANSWER_S
from heliograph.storage import ROLLUPS, day_of

routes = APIRouter(tags=["export"], responses=refusals(400, 404))
TheParts = Annotated[Parts, Depends(parts_of)]
Table = tuple[tuple[str, ...], list[list[Any]]]

_DAY_COLUMNS = (
    "subject", "day", "region", "capacity_kw", "energy_kwh", "expected_kwh", "compared_kwh", "performance_ratio",
    "max_kw", "insolation_wh_m2", "fault_s", "observed_s", "windows", "readings",
)  # fmt: skip
_ALERT_COLUMNS = (
    "alert_id", "plant_id", "region", "rule", "severity", "status", "onset", "updated_at", "acknowledged_at",
    "acknowledged_by", "resolved_at", "resolved_by", "expected_kw", "actual_kw", "plants", "message", "evidence",
)  # fmt: skip
MAX_ALERTS = 30_000
"""So many take some 150 MB, most of it for what they give as evidence."""
MAX_DAYS = 100_000
"""So many rows take some 350 MB while they become Parquet, of the 1 GiB that the container has."""


@routes.get("/export", summary="Plants' windows, hours or days, or alerts, as CSV or Parquet", response_class=Response)
async def export(
    parts: TheParts,
    *,
    what: Literal["windows", "hours", "days", "alerts"],
    form: Annotated[Literal["csv", "parquet"], Query(alias="format")] = "csv",
    start: Annotated[Moment | None, Query(alias="from")] = None,
    end: Annotated[Moment | None, Query(alias="to")] = None,
    plant: str | None = None,
    region: str | None = None,
    resolution: Annotated[str, Query(pattern="^(auto|window|5min|hour|day)$")] = "auto",
) -> Response:
    async with _turn(parts.exporting):
        if what == "alerts":
            columns, rows = await _alerts(parts, AlertQuery("all", start, end, region, plant, limit=MAX_ALERTS + 1))
        elif plant is not None:
            columns, rows = await _plant(parts, plant, asked_range(parts, plant, start, end), what, resolution)
        elif what == "days":
            columns, rows = await _days(parts, asked_range(parts, "", start, end), region)
        else:
            raise HTTPException(400, f"{what} are exported of one plant: name it by `plant`")
        data = await asyncio.to_thread(to_csv if form == "csv" else to_parquet, columns, rows)
    headers = {"content-disposition": f'attachment; filename="heliograph-{what}.{form}"', "cache-control": "no-store"}
    return Response(data, media_type=MEDIA_TYPES[form], headers=headers)


@asynccontextmanager
async def _turn(exporting: asyncio.Lock) -> AsyncIterator[None]:
    """One export at a time: several big ones would not fit in memory. Raises 503 where the turn does not come soon."""
    try:
        async with asyncio.timeout(ANSWER_S):
            await exporting.acquire()
    except TimeoutError:
        detail = "another export is being made; try again soon"
        raise HTTPException(503, detail, headers={"retry-after": "5"}) from None
    try:
        yield
    finally:
        exporting.release()


async def _plant(parts: Parts, plant: str, span: Range, what: str, resolution: str) -> Table:
    known_plant(parts, plant)
    used = {"hours": "hour", "days": "day"}.get(what, resolution)
    columns, rows, _ = await plant_table(parts, plant, span, used)
    return ("plant_id", *columns), [[plant, *row] for row in rows]


async def _days(parts: Parts, span: Range, region: str | None) -> Table:
    """UTC days of all plants, as rolled up. Raises 400 for more than `MAX_DAYS` of them, 404 for an unknown region."""
    if region:
        known_region(parts, region)
    plants = sum(region in (None, window.region) for window in parts.fleet.plants.values())
    if plants * len(span.days) > MAX_DAYS:
        raise HTTPException(
            400, f"{plants} plants over {len(span.days)} days are over {MAX_DAYS} rows: ask for fewer days, or a region"
        )
    fields = ", ".join(f"c.{name}" for name in _DAY_COLUMNS)
    where = "c.kind = 'plant-day' AND c.day >= @first AND c.day <= @last" + (
        " AND c.region = @region" if region else ""
    )
    parameters = {"first": day_of(span.start), "last": span.days[-1]} | ({"region": region} if region else {})
    found = await parts.store.query("export-days", ROLLUPS, f"SELECT {fields} FROM c WHERE {where}", parameters)  # noqa: S608 - fixed words
    rows = sorted([day.get(name) for name in _DAY_COLUMNS] for day in found)
    return ("plant_id", *_DAY_COLUMNS[1:]), rows


async def _alerts(parts: Parts, query: AlertQuery) -> Table:
    """Raises 400 where there are more than `MAX_ALERTS`: a file that ends early does not look like one."""
    found = await find_alerts(parts, query, _ALERT_COLUMNS)
    if len(found) > MAX_ALERTS:
        raise HTTPException(
            400, f"these are over {MAX_ALERTS} alerts: ask for fewer days by `from` and `to`, or a region"
        )
    return _ALERT_COLUMNS, [[_flat(alert.get(name)) for name in _ALERT_COLUMNS] for alert in found]


def _flat(value: object) -> object:
    if isinstance(value, dict | list):
        return json.dumps(value, sort_keys=True, ensure_ascii=False)
    return iso_seconds(value) if isinstance(value, datetime) else value
