"""SolarEdge: a site's power in quarters of an hour. 300 calls a day for a key and a site, three at once.

Traps: times are local to the site, without offset, and mark the quarter's start; the hour that clocks repeat in autumn
comes twice; a quarter that is not measured yet is null; power is in the unit that the answer names. A plant whose line
was down tells hours later what it measured, so that the last day is asked for again each hour, by the same call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import msgspec

from heliograph.sites import Site
from ingest.observations import Observation, Refused, parsed
from ingest.sources.declaration import Answer, AnswerError, Declaration, Quota, Request, Revision
from ingest.sources.json_body import parse_json, scaled

NAME = "solaredge"
URL = "https://monitoringapi.solaredge.com"
QUARTER_S = 900
TO_KW = {"W": 0.001, "kW": 1.0, "MW": 1000.0}
TEXT_FORMAT = "%Y-%m-%d %H:%M:%S"


class SolarEdge:
    """The plants that the settings match with SolarEdge's site ids."""

    declaration = Declaration(
        name=NAME,
        schedule="every 15m",
        interval_s=QUARTER_S,
        label="start",
        timezone="the site's",
        lag_s=900,
        quotas=(Quota(300, 86_400),),
        revisions=(Revision(86_400, 3_600),),
        first_window_s=86_400,
        window_s=7 * 86_400,
        parallel=3,
        jitter_s=120,
    )

    def __init__(
        self, key: str, site_ids: Mapping[str, str], lookup: Callable[[str], Site | None], url: str = URL
    ) -> None:
        self._key = key
        self._site_ids = site_ids
        self._lookup = lookup
        self._url = url

    def sites(self) -> Sequence[Site]:
        """None of its own."""
        return ()

    def request(self, since: datetime, now: datetime) -> Sequence[Request]:
        """A call a site, in the site's own time."""
        return [
            self._call(plant_id, site_id, site.timezone, (since, now))
            for plant_id, site_id in self._site_ids.items()
            if (site := self._lookup(plant_id)) is not None
        ]

    def _call(self, plant_id: str, site_id: str, zone: str, span: tuple[datetime, datetime]) -> Request:
        start, end = (moment.astimezone(ZoneInfo(zone)) for moment in span)
        query = {"startTime": f"{start:{TEXT_FORMAT}}", "endTime": f"{end:{TEXT_FORMAT}}", "api_key": self._key}
        return Request(
            f"{self._url}/site/{site_id}/power?{urlencode(query)}",
            context={"plant": plant_id, "zone": zone, "now": span[1].isoformat()},
        )

    def parse(self, body: bytes, request: Request) -> Answer:
        """Quarters that are over and measured."""
        answer = parse_json(body)
        try:
            factor = TO_KW[answer["power"]["unit"]]
            values = list(answer["power"]["values"])
        except (KeyError, TypeError) as error:
            raise AnswerError(f"SolarEdge: the answer has another shape: {error!r}") from None
        context = request.context
        found = _rows(values, factor, context["plant"], ZoneInfo(context["zone"]))
        now = datetime.fromisoformat(context["now"])
        return Answer(parsed(one for one in found if isinstance(one, Refused) or one.observed_at <= now))


def _rows(values: Sequence[Any], factor: float, plant_id: str, zone: ZoneInfo) -> Iterator[Observation | Refused]:
    before: datetime | None = None
    for value in values:
        try:
            start = _start(value["date"], zone, before)
            power_kw = scaled(value["value"], factor)
        except (KeyError, TypeError, ValueError) as error:
            yield Refused("malformed", f"SolarEdge, {plant_id}: {error!r}", msgspec.json.encode(value))
            continue
        before = start
        if power_kw is not None:
            yield Observation(
                plant_id=plant_id,
                observed_at=start + timedelta(seconds=QUARTER_S),
                source=NAME,
                interval_s=QUARTER_S,
                generation_kw=power_kw,
            )


def _start(text: str, zone: ZoneInfo, before: datetime | None) -> datetime:
    """UTC; the second of two equal local times is the one that comes after the first."""
    local = datetime.strptime(text, TEXT_FORMAT).replace(tzinfo=zone)
    start = local.astimezone(UTC)
    if before is not None and start <= before:
        return local.replace(fold=1).astimezone(UTC)
    return start
