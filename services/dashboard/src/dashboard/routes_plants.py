"""Plants: all of them now, one with its past, search."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response

from dashboard.answers import json_answer, table
from dashboard.doors import Moment, refusals
from dashboard.fleet import PLANT_COLUMNS, REGION_COLUMNS, past_plant_rows, region_row
from dashboard.history import MAX_WINDOW_RANGE, Range, Resolution
from dashboard.parts import Parts, known_plant, parts_of, utc
from dashboard.routes_alerts import alert_body
from heliograph.contracts import iso_seconds
from heliograph.regions import KOREA
from heliograph.rows import epoch_s
from heliograph.storage import ALERTS

routes = APIRouter(tags=["plants"], responses=refusals(400, 404))
TheParts = Annotated[Parts, Depends(parts_of)]


@routes.get("/plants", summary="All plants as they are now, columnar")
async def plants(request: Request, parts: TheParts) -> Response:
    return parts.plants_answer.answer(request, (parts.fleet.version, parts.sites.version), lambda: _plants(parts))


def _plants(parts: Parts) -> dict[str, object]:
    newest = parts.fleet.newest
    rows = parts.plant_rows.rows(parts.sites.all(), parts.sites.version, parts.fleet)
    return table(PLANT_COLUMNS, rows, as_of=newest and iso_seconds(newest))


@routes.get("/plants/{plant_id:path}/windows", summary="A plant over a time, columnar")
async def windows(
    request: Request,
    parts: TheParts,
    plant_id: str,
    *,
    start: Annotated[Moment | None, Query(alias="from")] = None,
    end: Annotated[Moment | None, Query(alias="to")] = None,
    resolution: Annotated[str, Query(pattern="^(auto|window|5min|hour|day)$")] = "auto",
) -> Response:
    known_plant(parts, plant_id)
    span = asked_range(parts, plant_id, start, end)
    columns, rows, used = await plant_table(parts, plant_id, span, resolution)
    facts = {"plant_id": plant_id, "resolution": used, "from": iso_seconds(span.start), "to": iso_seconds(span.end)}
    return json_answer(request, table(columns, rows, **facts))


@routes.get("/search", summary="Plants and regions whose name or id holds a text")
async def search(
    request: Request,
    parts: TheParts,
    q: Annotated[str, Query(min_length=1, max_length=64)],
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    wanted = q.casefold()
    regions = [
        {"region": region.code, "name": region.name, "name_ko": region.name_ko}
        for region in KOREA
        if any(wanted in text.casefold() for text in (region.code, region.name, region.name_ko))
    ]
    return json_answer(request, {"plants": _found(parts, wanted)[:limit], "regions": regions})


def _found(parts: Parts, wanted: str) -> list[dict[str, str]]:
    """The plants with the text in name or id, those first where it stands nearest to the beginning."""
    sites, hits = parts.sites.all(), []
    for plant_id in sites.keys() | parts.fleet.plants.keys():
        site = sites.get(plant_id)
        name, region = (site.name, site.region) if site else (plant_id, parts.fleet.plants[plant_id].region)
        places = [place for text in (name, plant_id) if (place := text.casefold().find(wanted)) >= 0]
        if places:
            hits.append((min(places), name, plant_id, region))
    return [{"plant_id": plant_id, "name": name, "region": region} for _, name, plant_id, region in sorted(hits)]


@routes.get("/at", summary="All plants and regions at a moment of the past")
async def at(request: Request, parts: TheParts, time: Moment) -> Response:
    moment = utc(time)
    sample = next(iter(parts.fleet.plants.values()), None)
    length_s = (sample.window_end - sample.window_start).total_seconds() if sample else 10.0
    standings, partials = await parts.history.at(moment, length_s, len(parts.fleet.plants))
    regions: dict[str, list[Any]] = {}
    for partial in partials:
        regions.setdefault(partial.region, []).append(partial)
    body = {
        "time": iso_seconds(moment),
        "plants": table(PLANT_COLUMNS, past_plant_rows(parts.sites.all(), standings)),
        "regions": table(REGION_COLUMNS, [region_row(code, group) for code, group in sorted(regions.items())]),
    }
    return json_answer(request, body)


@routes.get("/plants/{plant_id:path}", summary="A plant: its facts, newest window and open alerts")
async def plant(request: Request, parts: TheParts, plant_id: str) -> Response:
    known_plant(parts, plant_id)
    site, window = parts.sites.get(plant_id), parts.fleet.plants.get(plant_id)
    facts = msgspec.structs.asdict(site) if site else {"plant_id": plant_id, "name": plant_id}
    alerts = await parts.store.query(
        "plant-alerts",
        ALERTS,
        "SELECT * FROM c WHERE c.status IN ('open', 'acknowledged') ORDER BY c.onset DESC OFFSET 0 LIMIT 100",
        pk=plant_id,
    )
    return json_answer(request, {**facts, "latest": window, "alerts": [alert_body(alert) for alert in alerts]})


def asked_range(parts: Parts, plant_id: str, start: datetime | None, end: datetime | None) -> Range:
    """The range of a request; by default the day before the plant's newest window. Raises 400 for an empty one."""
    window = parts.fleet.plants.get(plant_id)
    until = utc(end) if end else window.window_end if window else datetime.now(UTC)
    since = utc(start) if start else until - timedelta(days=1)
    if since >= until:
        raise HTTPException(400, f"the range is empty: from {iso_seconds(since)} to {iso_seconds(until)}")
    if epoch_s(until) - epoch_s(since) > 1_100 * 86_400:
        raise HTTPException(400, "the range is longer than roll-ups are kept, 1100 days")
    return Range(utc(since), utc(until))


async def plant_table(
    parts: Parts, plant_id: str, span: Range, resolution: str
) -> tuple[tuple[str, ...], list[list[Any]], Resolution]:
    """Columns, rows, and the resolution used. Raises 400 where a range is too long to be told window by window."""
    used: Resolution = span.suited() if resolution == "auto" else resolution  # type: ignore[assignment]
    if used == "window" and span.end - span.start > MAX_WINDOW_RANGE:
        raise HTTPException(400, f"window by window a range may have {MAX_WINDOW_RANGE}; ask for 5min, hour or day")
    if used == "5min" and span.end - span.start > timedelta(days=31):
        raise HTTPException(400, "by 5 minutes a range may have 31 days; ask for hour or day")
    columns, rows = await parts.history.plant(plant_id, span, used)
    return tuple(columns), rows, used
