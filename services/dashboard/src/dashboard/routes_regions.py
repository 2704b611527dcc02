"""Regions and the nation: now and over a day."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from dashboard.answers import json_answer, table
from dashboard.doors import Day, refusals
from dashboard.fleet import REGION_COLUMNS
from dashboard.history import REGION_POINT_COLUMNS
from dashboard.parts import Parts, known_region, parts_of, today
from heliograph.contracts import iso_seconds

routes = APIRouter(tags=["regions"], responses=refusals(404))
TheParts = Annotated[Parts, Depends(parts_of)]
NATION_COLUMNS = ("minute", "generation_kw", "expected_kw", "yesterday_kw")
AskedDay = Annotated[Day | None, Query(alias="date", description="local day of the dashboard's time zone")]


@routes.get("/regions/now", summary="All regions as they are now, columnar")
async def regions_now(request: Request, parts: TheParts) -> Response:
    newest = parts.fleet.newest
    rows = parts.fleet.region_rows(parts.fleet.regions)
    return json_answer(request, table(REGION_COLUMNS, rows, as_of=newest and iso_seconds(newest)))


@routes.get("/regions/{code}/day", summary="A region over a local day, a point each five minutes")
async def region_day(request: Request, parts: TheParts, code: str, day: AskedDay = None) -> Response:
    known_region(parts, code)
    wanted = day or today(parts)
    rows = await parts.history.region(code, wanted)
    facts = {"region": code, "date": wanted.isoformat(), "timezone": parts.zone.key}
    return json_answer(request, table(REGION_POINT_COLUMNS, rows, **facts))


@routes.get("/nation/day", summary="All regions together over a local day, with the day before and what was expected")
async def nation_day(request: Request, parts: TheParts, day: AskedDay = None) -> Response:
    wanted = day or today(parts)
    rows = await parts.history.nation(wanted)
    return json_answer(request, table(NATION_COLUMNS, rows, date=wanted.isoformat(), timezone=parts.zone.key))
