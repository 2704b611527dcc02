"""Reads what is pushed: one reading, an array, or one a line; plain or gzipped; each judged by itself."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from heliograph.contracts import Capacity, Irradiance, Name, Power, Speed, Temperature, Utc
from heliograph.wire import UNREADABLE
from ingest.observations import Observation, Refused

SOURCE = "push"
MAX_ITEMS = 10_000
NDJSON = ("application/x-ndjson", "application/jsonl", "application/x-jsonlines")


class PushedReading(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a plant reports about itself. At least one value is needed."""

    plant_id: Name
    observed_at: Annotated[
        Utc, Meta(description="End of the interval that the values stand for, ISO 8601 with an offset.")
    ]
    interval_s: Annotated[float, Meta(ge=0, le=86400, description="Length of the interval, s; 0 for a moment.")] = 0.0
    source: Annotated[Name, Meta(description="Name of the sender, part of the de-duplication key.")] = SOURCE
    generation_kw: Annotated[Power | None, Meta(description="Mean AC power over the interval, kW.")] = None
    poa_w_m2: Annotated[Irradiance | None, Meta(description="Irradiance in the plane of the array, W/m2.")] = None
    ghi_w_m2: Annotated[Irradiance | None, Meta(description="Global horizontal irradiance, W/m2.")] = None
    module_c: Annotated[Temperature | None, Meta(description="Temperature at the back of the modules, degC.")] = None
    ambient_c: Annotated[Temperature | None, Meta(description="Temperature of the air, degC.")] = None
    wind_m_s: Annotated[Speed | None, Meta(description="Wind speed, m/s.")] = None
    capacity_kw: Annotated[Capacity | None, Meta(description="AC capacity now, if not that of the registry.")] = None


class BodyError(ValueError):
    """The body as a whole can't be taken; `status` is the HTTP status that says so."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


_one = msgspec.json.Decoder(PushedReading)
_many = msgspec.json.Decoder(list[PushedReading])
_raws = msgspec.json.Decoder(list[msgspec.Raw])


def unfold(body: bytes, encoding: str, limit: int) -> bytes:
    """The plain body. Raises `BodyError` (413, 415, 400)."""
    if encoding in ("", "identity"):
        return body
    if encoding != "gzip":
        raise BodyError(415, f"content-encoding is {encoding!r}, known is gzip")
    unzip = zlib.decompressobj(wbits=31)
    try:
        plain = unzip.decompress(body, limit)
    except zlib.error as error:
        raise BodyError(400, f"the body is no gzip: {error}") from None
    if unzip.unconsumed_tail:
        raise BodyError(413, f"the body unfolds to more than {limit} bytes")
    if not unzip.eof:
        raise BodyError(400, "the gzipped body is cut off")
    return plain


def parse_push(body: bytes, content_type: str) -> tuple[Sequence[Observation], list[int], list[Refused]]:
    """The readings, the place of each in the body, and those that are none.

    Raises `BodyError`: 400 for what is no JSON, 413 for too many, 422 for a single one that is no reading.
    """
    start = body.lstrip()[:1]
    if content_type in NDJSON:
        raws: Sequence[bytes] = [line for line in body.splitlines() if line.strip()]
    elif start == b"[":
        try:
            readings = _many.decode(body)
        except UNREADABLE:
            raws = _raw_items(body)
        else:
            _check_count(len(readings))
            return [_observation(one) for one in readings], list(range(len(readings))), []
    else:
        return [_observation(_single(body))], [0], []
    _check_count(len(raws))
    return _each(raws)


def _each(raws: Sequence[bytes]) -> tuple[list[Observation], list[int], list[Refused]]:
    good: list[Observation] = []
    places: list[int] = []
    bad: list[Refused] = []
    for index, raw in enumerate(raws):
        try:
            good.append(_observation(_one.decode(raw)))
            places.append(index)
        except UNREADABLE as error:
            bad.append(Refused("malformed", str(error), bytes(raw), index))
    return good, places, bad


def _raw_items(body: bytes) -> Sequence[bytes]:
    try:
        return [bytes(raw) for raw in _raws.decode(body)]
    except UNREADABLE as error:
        raise BodyError(400, f"the body is no JSON: {error}") from None


def _single(body: bytes) -> PushedReading:
    try:
        return _one.decode(body)
    except msgspec.ValidationError as error:
        raise BodyError(422, str(error)) from None
    except UNREADABLE as error:
        raise BodyError(400, f"the body is no JSON: {error}") from None


def _check_count(count: int) -> None:
    if count > MAX_ITEMS:
        raise BodyError(413, f"{count} readings are more than {MAX_ITEMS}")


def _observation(pushed: PushedReading) -> Observation:
    return Observation(
        plant_id=pushed.plant_id,
        observed_at=pushed.observed_at,
        source=pushed.source,
        interval_s=pushed.interval_s,
        generation_kw=pushed.generation_kw,
        poa_w_m2=pushed.poa_w_m2,
        ghi_w_m2=pushed.ghi_w_m2,
        module_c=pushed.module_c,
        ambient_c=pushed.ambient_c,
        wind_m_s=pushed.wind_m_s,
        capacity_kw=pushed.capacity_kw,
    )


def reading_schema() -> dict[str, Any]:
    """JSON Schema of one pushed reading, for the OpenAPI document."""
    _, components = msgspec.json.schema_components([PushedReading], ref_template="#/components/schemas/{name}")
    schema: dict[str, Any] = components["PushedReading"]
    return schema
