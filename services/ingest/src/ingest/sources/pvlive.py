"""PV_Live (Sheffield Solar): Great Britain's solar generation every five minutes, estimated from metered plants.

Traps: timestamps mark the interval's end, in UTC; values are revised for days, so the last three hours are asked for
again every five minutes, the last three days once a day; the installed capacity of the moment comes with each row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import msgspec

from heliograph.sites import Site
from ingest.observations import Observation, Refused, parsed
from ingest.sources.declaration import Answer, AnswerError, Declaration, Quota, Request, Revision
from ingest.sources.json_body import parse_json, scaled

NAME = "pvlive"
URL = "https://api.pvlive.uk/pvlive/api/v4/gsp/0"
PLANT = "pvlive-gb"
PERIOD_MIN = 5


class PvLive:
    """The national series."""

    declaration = Declaration(
        name=NAME,
        schedule="every 5m",
        interval_s=PERIOD_MIN * 60,
        label="end",
        timezone="UTC",
        lag_s=300,
        quotas=(Quota(600, 3_600),),
        revisions=(Revision(3 * 3_600, 300), Revision(3 * 86_400, 86_400)),
        window_s=30 * 86_400,
        jitter_s=60,
    )

    def __init__(self, url: str = URL) -> None:
        self._url = url

    def sites(self) -> Sequence[Site]:
        """Great Britain as one plant."""
        site = Site(
            plant_id=PLANT,
            name="Great Britain, PV_Live",
            region="GB",
            latitude=52.5,
            longitude=-1.5,
            capacity_kw=2e7,
            timezone="Europe/London",
            owner="Sheffield Solar",
        )
        return (site,)

    def request(self, since: datetime, now: datetime) -> Sequence[Request]:
        """One call for the whole span."""
        query = {
            "start": f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%S}",
            "end": f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%S}",
            "extra_fields": "installedcapacity_mwp",
            "period": PERIOD_MIN,
        }
        return [Request(f"{self._url}?{urlencode(query)}")]

    def parse(self, body: bytes, request: Request) -> Answer:
        """Columns by the names in `meta`."""
        answer = parse_json(body)
        try:
            names, rows = list(answer["meta"]), list(answer["data"])
        except (KeyError, TypeError) as error:
            raise AnswerError(f"PV_Live: the answer has another shape: {error!r}") from None
        return Answer(parsed(_rows(names, rows)))


def _rows(names: Sequence[str], rows: Sequence[Any]) -> Iterator[Observation | Refused]:
    for row in rows:
        try:
            named = dict(zip(names, row, strict=True))
            at = datetime.fromisoformat(named["datetime_gmt"])
            power_kw = scaled(named["generation_mw"], 1000)
            capacity_kw = scaled(named.get("installedcapacity_mwp"), 1000)
        except (KeyError, TypeError, ValueError) as error:
            yield Refused("malformed", f"PV_Live: {error!r}", msgspec.json.encode(row))
            continue
        if power_kw is not None:
            yield Observation(
                plant_id=PLANT,
                observed_at=at if at.tzinfo else at.replace(tzinfo=UTC),
                source=NAME,
                interval_s=PERIOD_MIN * 60,
                generation_kw=power_kw,
                capacity_kw=capacity_kw or None,
            )
