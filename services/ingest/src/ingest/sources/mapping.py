"""A mapping file: how an operator says where in a provider's rows the plant, the time and the values are.

    {
      "name": "acme",
      "kind": "http-json",
      "url": "https://api.acme.example/v1/power?from={since}&to={now}",
      "records": "data.sites[].series[]",
      "fields": {
        "plant_id": "site",
        "observed_at": "t",
        "generation_kw": {"path": "p", "unit": "W"},
        "ambient_c": {"path": "weather.temp", "unit": "F"}
      },
      "time": {"format": "iso", "zone": "Asia/Seoul", "label": "start", "interval_s": 300},
      "plants": {"S-17": "kr46-00017"},
      "auth": {"kind": "header", "name": "X-Api-Key", "secret": "ACME"},
      "paging": {"kind": "next", "path": "links.next"},
      "schedule": "every 5m",
      "quota": {"calls": 300, "per_s": 86400}
    }

Paths are JMESPath. For `csv` and `parquet` a path is a column's name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import jmespath  # type: ignore[import-untyped]
import msgspec
from jmespath.exceptions import JMESPathError  # type: ignore[import-untyped]
from msgspec import Meta

from heliograph.wire import UNREADABLE
from ingest.given import time_zone, with_value
from ingest.observations import Observation, Refused
from ingest.sources.json_body import number

ENERGY_KWH = {"Wh": 0.001, "kWh": 1.0, "MWh": 1000.0}
LINEAR: dict[str, tuple[float, float]] = {
    "": (1, 0), "W": (0.001, 0), "kW": (1, 0), "MW": (1000, 0), "GW": (1e6, 0),
    "W/m2": (1, 0), "kW/m2": (1000, 0),
    "C": (1, 0), "K": (1, -273.15), "F": (5 / 9, -160 / 9),
    "m/s": (1, 0), "km/h": (1 / 3.6, 0), "mph": (0.44704, 0), "kn": (0.514444, 0),
}  # fmt: skip
"""Factor and offset to the unit of the field."""
SCHEMES = ("http", "https", "file", "blob")
TIMES = ("{since}", "{now}", "{since_s}", "{now_s}")
VALUE_FIELDS = ("generation_kw", "poa_w_m2", "ghi_w_m2", "module_c", "ambient_c", "wind_m_s")


class Field(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Where a value is, and its unit. An energy unit is turned into the mean power of the interval."""

    path: str
    unit: str = ""


class TimeRule(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """How times are written and what they mark."""

    format: str = "iso"
    """`iso`, `epoch_s`, `epoch_ms`, or a format of `strptime`."""
    zone: str = "UTC"
    """Of times without an offset."""
    label: Literal["start", "end", "instant"] = "end"
    interval_s: Annotated[float, Meta(ge=0, le=86400)] = 0.0


class Auth(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """How to be let in. The secret itself is in the environment, as HELIOGRAPH_SECRET_<secret>."""

    kind: Literal["header", "query", "oauth2"]
    secret: str
    name: str = "Authorization"
    """Of the header or the query parameter."""
    prefix: str = ""
    """Before the secret in the header, e.g. `Bearer `."""
    token_url: str = ""
    client_id: str = ""
    scope: str = ""


class Paging(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """How more pages are found: `next` holds the next address, `page` counts up until a page has no rows."""

    kind: Literal["next", "page"]
    path: str = ""
    parameter: str = "page"
    first: int = 1


class QuotaRule(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """So many calls in so many seconds."""

    calls: Annotated[int, Meta(ge=1)]
    per_s: Annotated[float, Meta(gt=0)]


class MappingFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The whole file."""

    name: Annotated[str, Meta(min_length=1, max_length=40, pattern="^[a-z0-9-]+$")]
    kind: Literal["http-json", "csv", "parquet"]
    url: str
    fields: dict[str, Field | str]
    records: str = "@"
    time: TimeRule = TimeRule()
    plants: dict[str, str] = {}
    """Their id to ours; empty if they are the same."""
    plant_id: str = ""
    """Where the rows name no plant."""
    auth: Auth | None = None
    paging: Paging | None = None
    schedule: str = "every 5m"
    quota: QuotaRule | None = None
    lag_s: Annotated[float, Meta(ge=0)] = 0.0
    revision_s: Annotated[float, Meta(ge=0)] = 0.0
    """How much of the past is asked for again each hour."""


class MappingError(ValueError):
    """The mapping file can't be used."""


Get = Callable[[Any], Any]


def compiled(field: str, path: str) -> Any:  # noqa: ANN401 - jmespath has no types
    """Raises `MappingError` that names the field."""
    try:
        return jmespath.compile(path)
    except JMESPathError as error:
        hint = "; it looks like JSONPath: leave out `$.`, and write `[]` for `[*]`" if path.startswith("$") else ""
        reason = str(error).partition("\n")[0]
        raise MappingError(f"{field}: {path!r} is no JMESPath{hint}: {reason}") from None


class RowReader:
    """Turns a provider's rows into observations."""

    def __init__(self, mapping: MappingFile, source: str) -> None:
        """Raises `MappingError` that names the field."""
        self._mapping = mapping
        self._source = source
        self._zone = time_zone(mapping.time.zone)
        fields = {name: Field(path=one) if isinstance(one, str) else one for name, one in mapping.fields.items()}
        unknown = set(fields) - {"plant_id", "observed_at", *VALUE_FIELDS}
        if unknown or "observed_at" not in fields or not ("plant_id" in fields or mapping.plant_id):
            raise MappingError(
                f"{mapping.name}: fields must be observed_at, plant_id (or a plant_id for all) and some of "
                f"{', '.join(VALUE_FIELDS)}; unknown are {sorted(unknown)}"
            )
        if not set(fields) & set(VALUE_FIELDS):
            raise MappingError(f"{mapping.name}: fields has no value: give some of {', '.join(VALUE_FIELDS)}")
        self.paths = [field.path for field in fields.values()]
        """Where the fields are: in a table the names of columns."""
        self._get = {name: self._getter(name, field) for name, field in fields.items()}
        self._units = {name: self._unit(name, field.unit) for name, field in fields.items() if name in VALUE_FIELDS}

    def _getter(self, name: str, field: Field) -> Get:
        if self._mapping.kind != "http-json":
            return lambda row: row.get(field.path)
        search: Get = compiled(f"fields.{name}", field.path).search
        return search

    def _unit(self, name: str, unit: str) -> tuple[float, float]:
        if unit in ENERGY_KWH:
            interval_s = self._mapping.time.interval_s
            if not interval_s or name != "generation_kw":
                raise MappingError(f"{self._mapping.name}: {unit} of {name} needs time.interval_s")
            return ENERGY_KWH[unit] * 3600 / interval_s, 0.0
        if unit not in LINEAR:
            known = ", ".join(sorted([*LINEAR, *ENERGY_KWH]))
            raise MappingError(f"{self._mapping.name}: the unit {unit!r} of {name} is unknown; known are {known}")
        return LINEAR[unit]

    def read(self, rows: Iterable[Any]) -> Iterator[Observation | Refused]:
        """One of the two for each row; rows without any value are left out."""
        for index, row in enumerate(rows):
            try:
                observation = self._observation(row)
            except (AttributeError, KeyError, TypeError, ValueError, OverflowError, JMESPathError) as error:
                original = msgspec.json.encode(row, enc_hook=str)
                yield Refused("malformed", f"{self._mapping.name}, row {index}: {error}", original, index)
                continue
            if observation is not None:
                yield observation

    def _observation(self, row: Any) -> Observation | None:  # noqa: ANN401 - any JSON
        values = {name: self._value(name, row) for name in self._units}
        if all(value is None for value in values.values()):
            return None
        theirs = str(self._get["plant_id"](row)) if "plant_id" in self._get else self._mapping.plant_id
        rule = self._mapping.time
        at = self._time(self._get["observed_at"](row))
        return Observation(
            plant_id=self._mapping.plants.get(theirs, theirs),
            observed_at=at + timedelta(seconds=rule.interval_s) if rule.label == "start" else at,
            source=self._source,
            interval_s=0.0 if rule.label == "instant" else rule.interval_s,
            **values,
        )

    def _value(self, name: str, row: Any) -> float | None:  # noqa: ANN401 - any JSON
        value = number(self._get[name](row))
        factor, offset = self._units[name]
        return None if value is None else value * factor + offset

    def _time(self, value: Any) -> datetime:  # noqa: ANN401 - any JSON
        form = self._mapping.time.format
        if form in ("epoch_s", "epoch_ms"):
            seconds = number(value)
            if seconds is None:
                raise ValueError("the time is missing")
            return datetime.fromtimestamp(seconds / (1000 if form == "epoch_ms" else 1), UTC)
        if isinstance(value, datetime):
            at = value
        else:
            at = datetime.fromisoformat(value) if form == "iso" else datetime.strptime(value, form)  # noqa: DTZ007
        return (at if at.tzinfo else at.replace(tzinfo=self._zone)).astimezone(UTC)


def parse_mapping(data: bytes) -> MappingFile:
    """Raises `MappingError` that names the place and what is there."""
    try:
        plain = msgspec.json.decode(data)
        mapping = msgspec.convert(plain, MappingFile)
        time_zone(mapping.time.zone)
    except msgspec.ValidationError as error:
        raise MappingError(with_value(error, plain)) from None
    except UNREADABLE as error:
        raise MappingError(f"no JSON: {error}") from None
    except ValueError as error:
        raise MappingError(f"time.zone: {error}") from None
    if mapping.auth and mapping.auth.kind == "oauth2" and not (mapping.auth.token_url and mapping.auth.client_id):
        raise MappingError("auth: oauth2 needs token_url and client_id")
    if mapping.paging and mapping.paging.kind == "next" and not mapping.paging.path:
        raise MappingError("paging: next needs a path, that of the next page's address")
    _check_url(mapping)
    return mapping


def _check_url(mapping: MappingFile) -> None:
    scheme = urlsplit(mapping.url).scheme
    if scheme not in SCHEMES:
        known = ", ".join(f"{one}://" for one in SCHEMES)
        raise MappingError(f"url: {mapping.url!r} must begin with one of {known}")
    if mapping.auth and scheme not in ("http", "https"):
        raise MappingError(f"auth: {scheme}:// takes none")
    if mapping.kind == "http-json":
        return
    if mapping.paging:
        raise MappingError(f"paging: a file of kind {mapping.kind} has no pages")
    if times := [one for one in TIMES if one in mapping.url]:
        raise MappingError(f"url: a file of kind {mapping.kind} is read as a whole: leave out {', '.join(times)}")
