"""KPX: Korea's generation by fuel every five minutes, 15142651.

Traps: solar is `fuelPwr8` here (in the older 15113384 it is 9); it counts the market alone, so that power bought by
contract (`pEsmw`) and used behind the meter (`bEsmw`), both estimates, are series of their own; MW; KST; the answer may
be XML although JSON was asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from heliograph.sites import Site
from ingest.observations import Observation, Refused, parsed
from ingest.sources.data_go_kr import items_of, url_with_key
from ingest.sources.declaration import Answer, Declaration, Quota, Request, Revision
from ingest.sources.json_body import scaled

NAME = "kpx-fuel"
URL = "https://openapi.kpx.or.kr/openapi/sumperfuel5m/getSumperfuel5m"
KST = ZoneInfo("Asia/Seoul")
SERIES = {"fuelPwr8": "kpx-solar-market", "pEsmw": "kpx-solar-contract", "bEsmw": "kpx-solar-behind-meter"}
CEILING_KW = 6e7


class KpxFuel:
    """The national solar series."""

    declaration = Declaration(
        name=NAME,
        schedule="every 5m",
        interval_s=300,
        label="end",
        timezone="Asia/Seoul",
        lag_s=300,
        quotas=(Quota(1_000, 86_400, "Asia/Seoul"),),
        revisions=(Revision(window_s=3_600, every_s=3_600),),
        jitter_s=60,
    )

    def __init__(self, key: str, url: str = URL) -> None:
        self._key = key
        self._url = url

    def sites(self) -> Sequence[Site]:
        """The three series, in the region of the nation."""
        return tuple(
            Site(
                plant_id=plant_id,
                name=plant_id.replace("-", " "),
                region="kpx-KR",
                latitude=36.3,
                longitude=127.8,
                capacity_kw=CEILING_KW,
                owner="KPX",
            )
            for plant_id in SERIES.values()
        )

    def request(self, since: datetime, now: datetime) -> Sequence[Request]:
        """One call brings the latest values; those before `since` are left out by `parse`."""
        query = {"pageNo": 1, "numOfRows": 300, "dataType": "json"}
        context = {"since": since.isoformat(), "now": now.isoformat()}
        return [Request(url_with_key(self._url, self._key, query), context=context)]

    def parse(self, body: bytes, request: Request) -> Answer:
        """The solar series."""
        since = datetime.fromisoformat(request.context["since"])
        found = (one for item in items_of(body)[0] for one in _row(item))
        return Answer(parsed(one for one in found if isinstance(one, Refused) or one.observed_at > since))


def _row(item: dict[str, Any]) -> Iterator[Observation | Refused]:
    try:
        local = datetime.strptime(str(item["baseDateTime"]), "%Y%m%d%H%M%S").replace(tzinfo=KST)
        powers = {plant_id: scaled(item.get(name), 1000) for name, plant_id in SERIES.items()}
    except (KeyError, TypeError, ValueError) as error:
        yield Refused("malformed", f"KPX row: {error!r}", msgspec.json.encode(item))
        return
    for plant_id, power_kw in powers.items():
        if power_kw is not None:
            yield Observation(
                plant_id=plant_id,
                observed_at=local.astimezone(UTC),
                source=NAME,
                interval_s=300,
                generation_kw=power_kw,
            )
