"""KMA: the observed weather of the last hour on a 5 km grid, data.go.kr 15084084. 10,000 calls a day, one for a cell.

Traps: `nx`, `ny` are cells of a Lambert conformal grid, not degrees; values are strings, and numbers beyond +-900 mean
a missing one; an hour is there some forty minutes after it; KST.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from heliograph.sites import Site
from ingest.observations import Observation, Parsed, Refused
from ingest.sources.data_go_kr import items_of, url_with_key
from ingest.sources.declaration import Answer, Declaration, Quota, Request
from ingest.sources.json_body import number
from ingest.sources.places import Cell, grouped

NAME = "kma-nowcast"
URL = "https://apis.data.go.kr/1360000/VilageFcstInfoService_2.0/getUltraSrtNcst"
KST = ZoneInfo("Asia/Seoul")
LAG_S = 2_400.0
MISSING = 900.0
MOST_CELLS = 400
"""9,600 calls a day: above that, neighbouring cells share the weather of one."""
EARTH_KM, CELL_KM = 6371.00877, 5.0
PARALLELS_DEG = (30.0, 60.0)
ORIGIN_DEG, ORIGIN_CELL = (38.0, 126.0), (43, 136)


class KmaNowcast:
    """Temperature and wind at the plants of the registry, one call for all plants of a cell."""

    declaration = Declaration(
        name=NAME,
        schedule="45 * * * *",
        interval_s=0,
        label="instant",
        timezone="Asia/Seoul",
        lag_s=LAG_S,
        quotas=(Quota(10_000, 86_400, "Asia/Seoul"),),
        first_window_s=3_600,
        window_s=3 * 3_600,
        parallel=4,
        jitter_s=120,
    )

    def __init__(self, key: str, places: Callable[[], Sequence[Site]], url: str = URL) -> None:
        self._key = key
        self._places = places
        self._url = url

    def sites(self) -> Sequence[Site]:
        """None of its own."""
        return ()

    def request(self, since: datetime, now: datetime) -> Sequence[Request]:
        """Each cell that plants stand in, for each full hour."""
        cells = grouped(self._places(), lambda site: grid_cell(site.latitude, site.longitude), MOST_CELLS)
        begin = since.replace(minute=0, second=0, microsecond=0)
        count = (now - begin) // timedelta(hours=1)
        hours = [begin + timedelta(hours=step) for step in range(1, count + 1)]
        return [self._call(one, cell, sites) for one in hours for cell, sites in sorted(cells.items())]

    def _call(self, hour: datetime, cell: Cell, sites: Sequence[Site]) -> Request:
        local = hour.astimezone(KST)
        query = {
            "pageNo": 1,
            "numOfRows": 20,
            "dataType": "JSON",
            "base_date": f"{local:%Y%m%d}",
            "base_time": f"{local:%H%M}",
            "nx": cell[0],
            "ny": cell[1],
        }
        return Request(
            url_with_key(self._url, self._key, query),
            context={"plants": json.dumps([site.plant_id for site in sites])},
            not_before=hour + timedelta(seconds=LAG_S),
        )

    def parse(self, body: bytes, request: Request) -> Answer:
        """The same weather for each plant of the cell."""
        items, _ = items_of(body)
        try:
            values = {str(item["category"]): _value(item["obsrValue"]) for item in items}
            at = _time(items[0]) if items else None
        except (KeyError, TypeError, ValueError) as error:
            return Answer(Parsed((), [Refused("malformed", f"KMA: {error!r}", msgspec.json.encode(items))]))
        ambient_c, wind_m_s = values.get("T1H"), values.get("WSD")
        if at is None or (ambient_c is None and wind_m_s is None):
            return Answer(Parsed(()))
        return Answer(
            Parsed(
                [
                    Observation(plant_id=plant_id, observed_at=at, source=NAME, ambient_c=ambient_c, wind_m_s=wind_m_s)
                    for plant_id in json.loads(request.context["plants"])
                ]
            )
        )


def _time(item: dict[str, Any]) -> datetime:
    text = f"{item['baseDate']}{item['baseTime']}"
    return datetime.strptime(text, "%Y%m%d%H%M").replace(tzinfo=KST).astimezone(UTC)


def _value(text: object) -> float | None:
    value = number(text)
    return None if value is None or abs(value) >= MISSING else value


def grid_cell(latitude: float, longitude: float) -> Cell:
    """The cell (nx, ny) of a place: Lambert conformal conic with two parallels, as KMA's guide defines it."""
    first, second = (math.radians(one) for one in PARALLELS_DEG)
    cone = math.log(math.cos(first) / math.cos(second)) / math.log(_tan_half(second) / _tan_half(first))
    scale = _tan_half(first) ** cone * math.cos(first) / cone
    radius = EARTH_KM / CELL_KM * scale
    origin = radius / _tan_half(math.radians(ORIGIN_DEG[0])) ** cone
    distance = radius / _tan_half(math.radians(latitude)) ** cone
    angle = math.radians((longitude - ORIGIN_DEG[1] + 180) % 360 - 180) * cone
    return (
        math.floor(distance * math.sin(angle) + ORIGIN_CELL[0] + 0.5),
        math.floor(origin - distance * math.cos(angle) + ORIGIN_CELL[1] + 0.5),
    )


def _tan_half(angle: float) -> float:
    return math.tan(math.pi / 4 + angle / 2)
