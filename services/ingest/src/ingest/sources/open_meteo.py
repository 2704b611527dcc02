"""Open-Meteo: weather for many places a call, from forecast models. No key; non-commercial; CC BY 4.0.

Traps: wind comes in km/h unless asked otherwise, and the units are checked in the answer all the same; radiation is
the mean of the hour (or quarter) before the timestamp, so that the label is the interval's end; temperature and wind
are of the moment; times are GMT without an offset. Each place counts as a call.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any
from urllib.parse import urlencode

import msgspec

from heliograph.regions import KOREA
from heliograph.sites import Site
from ingest.observations import Observation, Refused, parsed
from ingest.sources.declaration import Answer, AnswerError, Declaration, Quota, Request, Revision
from ingest.sources.json_body import parse_json, scaled
from ingest.sources.places import Cell, grouped

NAME = "open-meteo"
URL = "https://api.open-meteo.com/v1/forecast"
MOST_PLACES = 100
CELL_DEG = 0.05
"""The finest of the models is on 2 km; plants in a cell of 5 have the same weather."""
INTERVAL_S = 900.0
VARIABLES = ("shortwave_radiation", "temperature_2m", "wind_speed_10m")
FIELDS = ("ghi_w_m2", "ambient_c", "wind_m_s")
FACTORS = (
    {"W/m²": 1.0},
    {"°C": 1.0},
    {"m/s": 1.0, "km/h": 1 / 3.6, "mp/h": 0.44704, "kn": 0.514444},
)
"""By the unit that the answer names, to W/m2, degC and m/s."""


class OpenMeteo:
    """Weather in quarters of an hour for the plants of the registry, or, where there are none, for each province."""

    declaration = Declaration(
        name=NAME,
        schedule="*/15 * * * *",
        interval_s=INTERVAL_S,
        label="end",
        timezone="UTC",
        quotas=(Quota(600, 60), Quota(5_000, 3_600), Quota(10_000, 86_400)),
        revisions=(Revision(window_s=3 * 3_600, every_s=3_600),),
        first_window_s=2 * 3_600,
        jitter_s=60,
    )

    def __init__(self, places: Callable[[], Sequence[Site]], url: str = URL) -> None:
        self._places = places
        self._url = url

    def sites(self) -> Sequence[Site]:
        """A weather station in the middle of each province, if the registry has no plants."""
        return () if self._places() else tuple(_station(*row) for row in _centres())

    def request(self, since: datetime, now: datetime) -> Sequence[Request]:
        """One call for all places, over the days that the time since then touches."""
        groups = list(grouped(self._places() or self.sites(), _cell, MOST_PLACES).values())
        query = {
            "latitude": ",".join(f"{group[0].latitude:.4f}" for group in groups),
            "longitude": ",".join(f"{group[0].longitude:.4f}" for group in groups),
            "minutely_15": ",".join(VARIABLES),
            "wind_speed_unit": "ms",
            "timezone": "GMT",
            "start_date": f"{since.astimezone(UTC):%Y-%m-%d}",
            "end_date": f"{now.astimezone(UTC):%Y-%m-%d}",
        }
        context = {
            "plants": json.dumps([[site.plant_id for site in group] for group in groups]),
            "since": since.isoformat(),
            "now": now.isoformat(),
        }
        return [Request(f"{self._url}?{urlencode(query, safe=',')}", context=context, cost=len(groups))]

    def parse(self, body: bytes, request: Request) -> Answer:
        """Values between `since` and `now`: what lies ahead is forecast, not observed."""
        answer = parse_json(body)
        if isinstance(answer, dict) and answer.get("error"):
            reason = str(answer.get("reason"))
            raise AnswerError(f"Open-Meteo: {reason}", quota="limit" in reason.lower())
        places = answer if isinstance(answer, list) else [answer]
        groups = json.loads(request.context["plants"])
        if len(places) != len(groups):
            raise AnswerError(f"Open-Meteo: asked for {len(groups)} places, got {len(places)}")
        span = (datetime.fromisoformat(request.context["since"]), datetime.fromisoformat(request.context["now"]))
        of_places = (_of_place(plants, place, span) for plants, place in zip(groups, places, strict=True))
        return Answer(parsed(chain.from_iterable(of_places)))


def _cell(site: Site) -> Cell:
    return math.floor(site.latitude / CELL_DEG), math.floor(site.longitude / CELL_DEG)


def _of_place(
    plants: Sequence[str], place: dict[str, Any], span: tuple[datetime, datetime]
) -> Iterator[Observation | Refused]:
    try:
        series, units = place["minutely_15"], place["minutely_15_units"]
        factors = [known[units[name]] for name, known in zip(VARIABLES, FACTORS, strict=True)]
        offset = timedelta(seconds=place["utc_offset_seconds"])
        rows = list(zip(series["time"], *(series[name] for name in VARIABLES), strict=True))
    except (KeyError, TypeError, ValueError) as error:
        raise AnswerError(f"Open-Meteo: the answer for {plants[0]} has another shape: {error!r}") from None
    for row in rows:
        try:
            at = datetime.fromisoformat(row[0]).replace(tzinfo=UTC) - offset
            values = [scaled(value, factor) for value, factor in zip(row[1:], factors, strict=True)]
        except (TypeError, ValueError) as error:
            yield Refused("malformed", f"{plants[0]}: {error}", msgspec.json.encode(row))
            continue
        if span[0] < at <= span[1] and any(value is not None for value in values):
            named = dict(zip(FIELDS, values, strict=True))
            for plant_id in plants:
                yield Observation(plant_id=plant_id, observed_at=at, source=NAME, interval_s=INTERVAL_S, **named)


def _centres() -> Iterator[tuple[str, str, float, float]]:
    for region in KOREA:
        yield region.code, region.name, region.latitude, region.longitude


def _station(code: str, name: str, latitude: float, longitude: float) -> Site:
    return Site(
        plant_id=f"weather-{code.lower()}",
        name=f"{name}, weather",
        region=code,
        latitude=latitude,
        longitude=longitude,
        capacity_kw=1.0,
        owner=NAME,
    )
