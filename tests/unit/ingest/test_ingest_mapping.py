"""Mapping files: any REST API, CSV or Parquet."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyarrow
import pyarrow.parquet
import pytest

from ingest.sources.declaration import AnswerError
from ingest.sources.http_json import HttpJson
from ingest.sources.mapping import MappingError, parse_mapping
from ingest.sources.tables import Table

SINCE, NOW = datetime(2026, 6, 21, 2, 30, tzinfo=UTC), datetime(2026, 6, 21, 3, 10, tzinfo=UTC)
MAPPING: dict[str, Any] = {
    "name": "acme",
    "kind": "http-json",
    "url": "https://api.acme.example/power?from={since}&to={now_s}",
    "records": "data.series[]",
    "fields": {
        "plant_id": "site",
        "observed_at": "t",
        "generation_kw": {"path": "p", "unit": "W"},
        "ambient_c": {"path": "weather.temp", "unit": "F"},
    },
    "time": {"format": "iso", "zone": "Asia/Seoul", "label": "start", "interval_s": 300},
    "plants": {"S-17": "kr46-00017"},
}


def source(secret: str = "", **changes: Any) -> HttpJson:
    return HttpJson(parse_mapping(json.dumps(MAPPING | changes).encode()), secret)


def test_rows_are_found_and_their_units_and_times_converted():
    """JMESPath finds rows and values; W become kW, Fahrenheit Celsius, a local start a UTC end, their id ours."""
    body = json.dumps(
        {"data": {"series": [{"site": "S-17", "t": "2026-06-21T12:00:00", "p": "1500", "weather": {"temp": 77}}]}}
    ).encode()
    one = source()
    [found] = one.parse(body, one.request(SINCE, NOW)[0]).parsed.observations
    assert (found.plant_id, found.observed_at) == ("kr46-00017", datetime(2026, 6, 21, 3, 5, tzinfo=UTC))
    assert (found.generation_kw, found.ambient_c) == (1.5, pytest.approx(25.0))


def test_energy_of_an_interval_becomes_mean_power():
    """25 kWh in five minutes are 300 kW; without the interval's length the file is refused."""
    fields = {"plant_id": "s", "observed_at": "t", "generation_kw": {"path": "e", "unit": "kWh"}}
    one = source(fields=fields, records="@")
    body = b'[{"s": "a", "t": "2026-06-21T12:00:00", "e": 25}]'
    [found] = one.parse(body, one.request(SINCE, NOW)[0]).parsed.observations
    assert found.generation_kw == pytest.approx(300)
    with pytest.raises(MappingError, match="interval_s"):
        source(fields=fields, time={"format": "iso"})


@pytest.mark.parametrize(
    ("form", "value"), [("epoch_s", 1782010800), ("epoch_ms", "1782010800000"), ("%d.%m.%Y %H:%M", "21.06.2026 12:00")]
)
def test_times_come_in_many_forms(form: str, value: object):
    """Epoch seconds, epoch milliseconds and any format of strptime name the same moment."""
    one = source(records="@", time={"format": form, "zone": "Asia/Seoul", "label": "instant"})
    body = json.dumps([{"site": "a", "t": value, "p": 1}]).encode()
    [found] = one.parse(body, one.request(SINCE, NOW)[0]).parsed.observations
    assert (found.observed_at, found.interval_s) == (datetime(2026, 6, 21, 3, tzinfo=UTC), 0)


def test_bad_rows_are_refused_one_by_one():
    """A row with text for a number, no time, or no object is refused with its original; the others are taken."""
    rows = [
        {"site": "a", "t": "2026-06-21T12:00:00", "p": "much"},
        {"site": "a", "p": 1},
        7,
        {"site": "a", "t": "2026-06-21T12:00:00", "p": 1},
        {"site": "a", "t": "2026-06-21T12:00:00"},
    ]
    one = source(records="@")
    parsed = one.parse(json.dumps(rows).encode(), one.request(SINCE, NOW)[0]).parsed
    assert (len(parsed.observations), [refused.index for refused in parsed.refused]) == (1, [0, 1])


def test_secrets_travel_as_header_or_query_and_never_in_the_label():
    """The header gets its prefix; a query key keeps the rest of the query; the label has neither."""
    [header] = source("s3", auth={"kind": "header", "secret": "ACME", "prefix": "Bearer "}).request(SINCE, NOW)
    assert header.headers == {"Authorization": "Bearer s3"}
    [query] = source("s3", auth={"kind": "query", "name": "key", "secret": "ACME"}).request(SINCE, NOW)
    asked = parse_qs(urlsplit(query.url).query)
    assert (asked["key"], asked["from"], asked["to"]) == (["s3"], ["2026-06-21T02:30:00Z"], ["1782011400"])
    assert "s3" not in query.label


def test_pages_follow_by_link_or_by_number_until_there_are_no_more():
    """A link leads on until it is missing, a number counts up until a page is empty; a link never leaves the host."""
    row = {"site": "a", "t": "2026-06-21T12:00:00", "p": 1}
    linked = source(records="rows", paging={"kind": "next", "path": "next"})
    [first] = linked.request(SINCE, NOW)
    [second] = linked.parse(json.dumps({"rows": [row], "next": "/power?page=2"}).encode(), first).more
    assert second.url == "https://api.acme.example/power?page=2"
    assert linked.parse(json.dumps({"rows": [row]}).encode(), second).more == ()
    with pytest.raises(AnswerError, match="another host"):
        linked.parse(json.dumps({"rows": [row], "next": "https://evil.example/"}).encode(), first)
    counted = source(records="rows", paging={"kind": "page", "parameter": "p", "first": 0})
    [first] = counted.request(SINCE, NOW)
    [second] = counted.parse(json.dumps({"rows": [row]}).encode(), first).more
    assert parse_qs(urlsplit(second.url).query)["p"] == ["1"]
    assert counted.parse(b'{"rows": []}', second).more == ()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"fields": {"observed_at": "t"}}, "plant_id"),
        ({"fields": {"plant_id": "s", "observed_at": "t", "height": "h"}}, "height"),
        ({"fields": {"plant_id": "s", "observed_at": "t", "generation_kw": {"path": "p", "unit": "BTU"}}}, "'BTU'"),
        ({"records": "data["}, "records: 'data\\['"),
        ({"records": "$.data[*]"}, "JSONPath"),
        ({"time": {"zone": "Mars/Olympus"}}, "time.zone.*'Mars/Olympus'"),
        ({"time": {"label": "middle"}}, "time.label.*'middle'"),
        ({"colour": "red"}, "colour"),
        ({"url": 7}, r"\$.url.*given 7"),
        ({"quota": {"calls": 0, "per_s": 60}}, r"quota.calls.*given 0"),
        ({"auth": {"kind": "oauth2", "secret": "A"}}, "token_url"),
        ({"paging": {"kind": "next"}}, "paging"),
    ],
)
def test_a_wrong_mapping_file_is_refused_and_says_why(changes: dict[str, Any], said: str):
    """Unknown keys, fields, units, zones and broken paths are named with their value."""
    with pytest.raises(MappingError, match=said):
        source(**changes)


FIELDS = {"plant_id": "plant", "observed_at": "when", "generation_kw": {"path": "power (W)", "unit": "W"}}


def test_csv_and_parquet_give_the_same_observations():
    """A path is a column's name, spaces and all; dates of Parquet come as they are."""
    when = datetime(2026, 6, 21, 3, tzinfo=UTC)
    text = f"plant,when,power (W)\na,{when.isoformat()},1500\nb,{when.isoformat()},\n".encode()
    table = pyarrow.table({"plant": ["a", "b"], "when": [when, when], "power (W)": [1500.0, None]})
    binary = io.BytesIO()
    pyarrow.parquet.write_table(table, binary)
    found = []
    for kind, body in (("csv", text), ("parquet", binary.getvalue())):
        mapping = parse_mapping(
            json.dumps({"name": "file", "kind": kind, "url": "file:///x", "fields": FIELDS}).encode()
        )
        one = Table(mapping)
        found.append(
            [
                (o.plant_id, o.observed_at, o.generation_kw)
                for o in one.parse(body, one.request(SINCE, NOW)[0]).parsed.observations
            ]
        )
    assert found[0] == found[1] == [("a", when, 1.5)]
    with pytest.raises(AnswerError, match="no Parquet"):
        one.parse(b"nonsense", one.request(SINCE, NOW)[0])
