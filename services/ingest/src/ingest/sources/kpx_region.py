"""KPX: solar generation traded by region and hour, data.go.kr 15103243. About two months late, 100 calls a day.

Traps: hour 1 is 00:00-01:00 KST, so that hour n ends at n o'clock; regions have Korean names; some days have no rows.
Each region becomes a series of its own, in a region of its own, since its plants are in the national total already.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from heliograph.regions import KOREA
from heliograph.sites import Site
from ingest.observations import Observation, Refused, parsed
from ingest.sources.data_go_kr import items_of, url_with_key
from ingest.sources.declaration import Answer, Declaration, Quota, Request
from ingest.sources.json_body import number

NAME = "kpx-region"
URL = "https://apis.data.go.kr/B552115/PvAmountByLocHr/getPvAmountByLocHr"
KST = ZoneInfo("Asia/Seoul")
ROWS = 500
DAY_S = 86_400.0
CEILING_KW = 12e6
"""No province has as much; the registry may say better."""
BY_NAME = {region.name_ko: region for region in KOREA}


class KpxRegion:
    """A call a day of data."""

    declaration = Declaration(
        name=NAME,
        schedule="17 10 * * *",
        interval_s=3600,
        label="end",
        timezone="Asia/Seoul",
        lag_s=75 * DAY_S,
        quotas=(Quota(100, DAY_S, "Asia/Seoul"),),
        first_window_s=75 * DAY_S,
        window_s=30 * DAY_S,
        jitter_s=600,
    )

    def __init__(self, key: str, url: str = URL) -> None:
        self._key = key
        self._url = url

    def sites(self) -> Sequence[Site]:
        """A series for each province."""
        return tuple(
            Site(
                plant_id=_series(region.code),
                name=f"{region.name}, traded",
                region=f"kpx-{region.code}",
                latitude=region.latitude,
                longitude=region.longitude,
                capacity_kw=CEILING_KW,
                owner="KPX",
            )
            for region in KOREA
        )

    def request(self, since: datetime, now: datetime) -> Sequence[Request]:
        """The Korean days that the time between touches."""
        day, last = since.astimezone(KST).date(), now.astimezone(KST).date()
        days = [day + timedelta(days=count) for count in range((last - day).days + 1)]
        return [self._page(f"{one:%Y%m%d}", 1) for one in days]

    def _page(self, day: str, page: int) -> Request:
        query = {"pageNo": page, "numOfRows": ROWS, "dataType": "json", "tradeYmd": day}
        return Request(url_with_key(self._url, self._key, query), context={"day": day, "page": str(page)})

    def parse(self, body: bytes, request: Request) -> Answer:
        """Hours of all regions, and the next page if there is one."""
        items, total = items_of(body)
        page = int(request.context["page"])
        more = (self._page(request.context["day"], page + 1),) if items and page * ROWS < total else ()
        return Answer(parsed(_rows(items)), more)


def _rows(items: Sequence[dict[str, Any]]) -> Iterator[Observation | Refused]:
    for item in items:
        try:
            energy_mwh = number(item["amgo"])
            region = BY_NAME[_short(str(item["regionNm"]))]
            ends = _hour_end(str(item["tradeYmd"]), int(item["tradeNo"]))
        except (KeyError, TypeError, ValueError) as error:
            yield Refused("malformed", f"KPX row: {error!r}", msgspec.json.encode(item))
            continue
        if energy_mwh is not None:
            yield Observation(
                plant_id=_series(region.code),
                observed_at=ends,
                source=NAME,
                interval_s=3600,
                generation_kw=energy_mwh * 1000,
            )


def _hour_end(day: str, hour: int) -> datetime:
    """The end of the nth hour of a Korean day; Korea has no summer time."""
    if not 1 <= hour <= 24:
        raise ValueError(f"tradeNo is {hour}, outside [1, 24]")
    start = datetime.strptime(day, "%Y%m%d").replace(tzinfo=KST)
    return (start + timedelta(hours=hour)).astimezone(UTC)


_LONG_NAMES = {
    "충청북": "충북",
    "충청남": "충남",
    "전라북": "전북",
    "전라남": "전남",
    "경상북": "경북",
    "경상남": "경남",
}


def _short(name: str) -> str:
    """`전라남도`, `전남` and `서울특별시` as the map of regions has them."""
    name = name.strip()
    for suffix in ("특별자치시", "특별자치도", "특별시", "광역시", "도", "시"):
        name = name.removesuffix(suffix) if len(name) > len(suffix) + 1 else name
    return _LONG_NAMES.get(name, name)


def _series(code: str) -> str:
    return f"kpx-region-{code.lower()}"
