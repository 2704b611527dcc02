"""The shapes that providers answer with, as recorded, and the trap in each."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from heliograph.regions import KOREA
from heliograph.sites import Site
from ingest.sources.declaration import AnswerError, Request
from ingest.sources.kma_nowcast import KmaNowcast, grid_cell
from ingest.sources.kpx_fuel import KpxFuel
from ingest.sources.kpx_region import KpxRegion
from ingest.sources.open_meteo import OpenMeteo
from ingest.sources.pvlive import PvLive
from ingest.sources.solaredge import SolarEdge

SINCE, NOW = datetime(2026, 6, 21, 2, 30, tzinfo=UTC), datetime(2026, 6, 21, 3, 10, tzinfo=UTC)
ENCODED_KEY = "ab%2Bcd%2F12%3D%3D"


def site(plant_id: str = "p1", **facts: Any) -> Site:
    known = {"name": plant_id, "region": "KR-46", "latitude": 34.8, "longitude": 126.9, "capacity_kw": 1000.0}
    return Site(plant_id=plant_id, **(known | facts))


def query(request: Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}


def portal(items: Any, *, total: int = 1, code: str = "00") -> bytes:
    body = {"items": items, "numOfRows": 500, "pageNo": 1, "totalCount": total}
    return json.dumps({"response": {"header": {"resultCode": code, "resultMsg": "X"}, "body": body}}).encode()


PORTAL_XML_ERROR = b"""<OpenAPI_ServiceResponse><cmmMsgHeader><errMsg>SERVICE ERROR</errMsg>
<returnAuthMsg>%b</returnAuthMsg><returnReasonCode>%b</returnReasonCode></cmmMsgHeader></OpenAPI_ServiceResponse>"""


def meteo(units: str = "m/s", offset_s: int = 0, **series: Any) -> dict[str, Any]:
    known = {
        "time": ["2026-06-21T02:30", "2026-06-21T02:45", "2026-06-21T03:00", "2026-06-21T03:15"],
        "shortwave_radiation": [700.0, 710.0, None, 730.0],
        "temperature_2m": [25.0, 25.5, 26.0, 26.5],
        "wind_speed_10m": [3.6, 7.2, 10.8, 3.6],
    }
    unit = {"shortwave_radiation": "W/m²", "temperature_2m": "°C", "wind_speed_10m": units}
    return {"utc_offset_seconds": offset_s, "minutely_15_units": unit, "minutely_15": known | series}


def spread(count: int) -> list[Site]:
    """Plants all over Korea, each in a cell of its own."""
    return [
        site(f"p{number}", latitude=34 + number // 50 * 0.1, longitude=126 + number % 50 * 0.06)
        for number in range(count)
    ]


def test_open_meteo_asks_for_many_places_at_once_and_counts_each():
    """A call names the places, asks for m/s and GMT, and costs as many calls as it has places."""
    [request] = OpenMeteo(lambda: spread(60)).request(SINCE, NOW)
    asked = query(request)
    assert (request.cost, len(asked["latitude"].split(","))) == (60, 60)
    assert (asked["wind_speed_unit"], asked["timezone"]) == ("ms", "GMT")


@pytest.mark.parametrize("plants", [150, 2000])
def test_open_meteo_keeps_a_day_of_quarters_within_its_quota(plants: int):
    """Neighbouring plants share a place, so that 96 rounds are under 10,000 calls, and every plant gets its weather."""
    source = OpenMeteo(lambda: spread(plants))
    [request] = source.request(SINCE, NOW)
    assert 25 <= request.cost <= 100
    body = json.dumps([meteo() for _ in range(request.cost)]).encode()
    assert len({one.plant_id for one in source.parse(body, request).parsed.observations}) == plants


def test_kma_keeps_a_day_of_hours_within_its_quota():
    """Above four hundred cells neighbours share one, a true cell of one of their plants."""
    requests = KmaNowcast("k", lambda: spread(2000)).request(NOW - timedelta(hours=1), NOW)
    assert 100 <= len(requests) <= 400
    assert sum(len(json.loads(request.context["plants"])) for request in requests) == 2000


def test_open_meteo_labels_the_end_and_leaves_the_forecast_out():
    """A value belongs to the quarter before its time; nothing later than now is taken, nor at or before `since`."""
    source = OpenMeteo(lambda: [site()])
    [request] = source.request(SINCE, NOW)
    found = source.parse(json.dumps(meteo()).encode(), request).parsed.observations
    assert [(one.observed_at.minute, one.interval_s, one.ghi_w_m2) for one in found] == [
        (45, 900, 710.0),
        (0, 900, None),
    ]


def test_open_meteo_wind_in_km_per_hour_is_converted():
    """The unit in the answer counts, not the one that was asked for; an unknown one is refused."""
    source = OpenMeteo(lambda: [site()])
    [request] = source.request(SINCE, NOW)
    found = source.parse(json.dumps(meteo("km/h")).encode(), request).parsed.observations
    assert [round(one.wind_m_s or 0, 9) for one in found] == [2.0, 3.0]
    with pytest.raises(AnswerError, match="shape"):
        source.parse(json.dumps(meteo("furlongs")).encode(), request)


def test_open_meteo_says_when_its_own_limit_is_reached():
    """An error object tells of a used-up quota, so that the poller stops asking."""
    source = OpenMeteo(lambda: [site()])
    body = b'{"error": true, "reason": "Daily API request limit exceeded. Please try again tomorrow."}'
    with pytest.raises(AnswerError) as caught:
        source.parse(body, source.request(SINCE, NOW)[0])
    assert caught.value.quota


def test_open_meteo_takes_the_provinces_where_there_are_no_plants():
    """Without a registry there is a weather station in the middle of each province."""
    source = OpenMeteo(list)
    assert [one.region for one in source.sites()] == [region.code for region in KOREA]


@pytest.mark.parametrize("key", [ENCODED_KEY, "ab+cd/12=="])
def test_the_portal_key_is_encoded_exactly_once(key: str):
    """A key that comes URL-encoded, as the portal shows it, is not encoded again; a plain one is."""
    [request] = KpxRegion(key).request(SINCE, NOW)
    assert f"serviceKey={ENCODED_KEY}&" in request.url
    assert ENCODED_KEY not in request.label


def test_kpx_hour_one_ends_at_one_o_clock_korean_time():
    """Hour 1 is 00:00-01:00 KST and hour 24 ends at midnight; energy of an hour in MWh is mean power."""
    items = {
        "item": [
            {"tradeYmd": "20260401", "tradeNo": 1, "regionNm": "전남", "amgo": 0.0},
            {"tradeYmd": "20260401", "tradeNo": 24, "regionNm": "제주특별자치도", "amgo": "12.5"},
        ]
    }
    source = KpxRegion(ENCODED_KEY)
    answer = source.parse(portal(items, total=2), source.request(SINCE, NOW)[0])
    first, last = answer.parsed.observations
    assert (first.observed_at, last.observed_at) == (
        datetime(2026, 3, 31, 16, tzinfo=UTC),
        datetime(2026, 4, 1, 15, tzinfo=UTC),
    )
    assert (first.plant_id, last.plant_id, last.generation_kw) == ("kpx-region-kr-46", "kpx-region-kr-49", 12_500.0)


def test_kpx_days_without_rows_are_no_error_and_pages_follow():
    """`items` is an empty string where a day has no rows, a lone row is no list, and a full page is followed."""
    source = KpxRegion(ENCODED_KEY)
    [request] = source.request(SINCE, NOW)
    assert source.parse(portal("", total=0), request).parsed.observations == []
    lone = {"item": {"tradeYmd": "20260401", "tradeNo": "12", "regionNm": "서울시", "amgo": 1}}
    answer = source.parse(portal(lone, total=501), request)
    assert len(answer.parsed.observations) == 1
    assert query(answer.more[0])["pageNo"] == "2"


def test_kpx_bad_rows_are_refused_one_by_one():
    """A row with an unknown region, hour 25 or text for a number is kept as refused; the others are taken."""
    rows = [
        {"tradeYmd": "20260401", "tradeNo": 25, "regionNm": "전남", "amgo": 1},
        {"tradeYmd": "20260401", "tradeNo": 1, "regionNm": "Atlantis", "amgo": 1},
        {"tradeYmd": "20260401", "tradeNo": 1, "regionNm": "경북", "amgo": "many"},
        {"tradeYmd": "20260401", "tradeNo": 1, "regionNm": "경상북도", "amgo": 1},
    ]
    source = KpxRegion(ENCODED_KEY)
    parsed = source.parse(portal({"item": rows}, total=4), source.request(SINCE, NOW)[0]).parsed
    assert [one.plant_id for one in parsed.observations] == ["kpx-region-kr-47"]
    assert len(parsed.refused) == 3


@pytest.mark.parametrize(
    ("code", "message", "quota", "transient"),
    [
        (b"22", b"LIMITED_NUMBER_OF_SERVICE_REQUESTS_EXCEEDS_ERROR", True, False),
        (b"30", b"SERVICE_KEY_IS_NOT_REGISTERED_ERROR", False, False),
        (b"04", b"HTTP_ERROR", False, True),
    ],
)
def test_the_portal_sends_errors_as_xml_with_status_200(code: bytes, message: bytes, quota: bool, transient: bool):
    """XML in place of JSON is read, so that a used-up quota, a wrong key and a passing fault are told apart."""
    source = KpxRegion(ENCODED_KEY)
    with pytest.raises(AnswerError, match=message.decode()) as caught:
        source.parse(PORTAL_XML_ERROR % (message, code), source.request(SINCE, NOW)[0])
    assert (caught.value.quota, caught.value.transient) == (quota, transient)


@pytest.mark.parametrize("body", [b"<html><body>503</body></html>", b"<!doctype html>", b"{", b"", b"[1, 2]"])
def test_what_is_no_answer_is_an_answer_error(body: bytes):
    """HTML, cut JSON, nothing or another shape raise an `AnswerError`, never anything else."""
    sources = [KpxRegion("k"), KpxFuel("k"), PvLive(), OpenMeteo(lambda: [site()]), KmaNowcast("k", lambda: [site()])]
    for source in sources:
        request = source.request(SINCE - timedelta(hours=1), NOW)[0]
        with pytest.raises(AnswerError):
            source.parse(body, request)


def test_kpx_solar_is_the_eighth_fuel_and_only_what_is_new_is_taken():
    """Market solar is fuelPwr8; contracts and behind the meter are series of their own; MW become kW."""
    rows = [
        {"baseDateTime": "20260621113000", "fuelPwr8": "1", "fuelPwr9": "2", "pEsmw": "3", "bEsmw": "4"},
        {"baseDateTime": "20260621120000", "fuelPwr8": "5120.5", "fuelPwr9": "2", "pEsmw": "", "bEsmw": "9800"},
    ]
    source = KpxFuel(ENCODED_KEY)
    [request] = source.request(SINCE, NOW)
    found = source.parse(portal({"item": rows}, total=2), request).parsed.observations
    assert {one.plant_id: one.generation_kw for one in found} == {
        "kpx-solar-market": 5_120_500.0,
        "kpx-solar-behind-meter": 9_800_000.0,
    }
    assert {one.observed_at for one in found} == {datetime(2026, 6, 21, 3, tzinfo=UTC)}


def test_kpx_fuel_reads_xml_too():
    """The same rows as XML, whatever was asked for, give the same values."""
    body = (
        b"<response><header><resultCode>00</resultCode></header><body><items><item>"
        b"<baseDateTime>20260621120000</baseDateTime><fuelPwr8>5120.5</fuelPwr8></item></items></body></response>"
    )
    source = KpxFuel(ENCODED_KEY)
    [found] = source.parse(body, source.request(SINCE, NOW)[0]).parsed.observations
    assert (found.plant_id, found.generation_kw) == ("kpx-solar-market", 5_120_500.0)


@pytest.mark.parametrize(
    ("latitude", "longitude", "cell"),
    [(37.5665, 126.9780, (60, 127)), (35.1796, 129.0756, (98, 76)), (33.4996, 126.5312, (53, 38))],
)
def test_kma_places_become_grid_cells(latitude: float, longitude: float, cell: tuple[int, int]):
    """nx, ny are KMA's 5 km cells: those of Seoul, Busan and Jeju as its guide lists them."""
    assert grid_cell(latitude, longitude) == cell


def test_kma_asks_once_for_all_plants_of_a_cell_and_never_for_an_hour_too_young():
    """One call a cell and hour; an hour is asked for forty minutes after it at the earliest."""
    source = KmaNowcast(
        "k", lambda: [site("p1", latitude=34.79), site("p2", latitude=34.791), site("p3", latitude=36.0)]
    )
    requests = source.request(datetime(2026, 6, 21, 2, 0, tzinfo=UTC), datetime(2026, 6, 21, 4, 30, tzinfo=UTC))
    assert [json.loads(request.context["plants"]) for request in requests] == [["p1", "p2"], ["p3"]] * 2
    assert [
        (query(request)["base_date"], query(request)["base_time"], f"{request.not_before:%H:%M}")
        for request in requests[::2]
    ] == [("20260621", "1200", "03:40"), ("20260621", "1300", "04:40")]


def test_kma_strings_become_numbers_and_beyond_900_is_missing():
    """Values are strings; -998.9 stands for a missing one."""
    rows = [
        {"baseDate": "20260621", "baseTime": "1200", "category": "T1H", "obsrValue": "24.8"},
        {"baseDate": "20260621", "baseTime": "1200", "category": "WSD", "obsrValue": "-998.9"},
    ]
    source = KmaNowcast("k", lambda: [site()])
    [found] = source.parse(portal({"item": rows}), Request("", context={"plants": '["p1"]'})).parsed.observations
    assert (found.ambient_c, found.wind_m_s, found.observed_at) == (24.8, None, datetime(2026, 6, 21, 3, tzinfo=UTC))


def test_pvlive_reads_columns_by_name_and_takes_the_capacity_of_the_moment():
    """The order of columns is that of `meta`; times are the interval's end in UTC."""
    body = json.dumps(
        {
            "data": [[0, "2026-06-21T12:00:00Z", 8123.5, 19000.0], [0, "2026-06-21T12:05:00Z", None, 19000.0]],
            "meta": ["gsp_id", "datetime_gmt", "generation_mw", "installedcapacity_mwp"],
        }
    ).encode()
    source = PvLive()
    [found] = source.parse(body, source.request(SINCE, NOW)[0]).parsed.observations
    assert (found.generation_kw, found.capacity_kw, found.interval_s) == (8_123_500.0, 19_000_000.0, 300)
    assert found.observed_at == datetime(2026, 6, 21, 12, tzinfo=UTC)


def test_solaredge_times_are_local_and_mark_the_start():
    """A quarter that starts at 12:00 in Seoul ends at 03:15 UTC; null is not measured yet; W become kW."""
    values = [{"date": "2026-06-21 11:45:00", "value": 812_000.0}, {"date": "2026-06-21 12:00:00", "value": None}]
    source = SolarEdge("secret", {"p1": "77"}, {"p1": site()}.get)
    [request] = source.request(SINCE, NOW)
    assert query(request)["startTime"] == "2026-06-21 11:30:00"
    body = json.dumps({"power": {"unit": "W", "values": values}}).encode()
    [found] = source.parse(body, request).parsed.observations
    assert (found.observed_at, found.generation_kw) == (datetime(2026, 6, 21, 3, 0, tzinfo=UTC), 812.0)


def test_solaredge_tells_the_two_hours_of_autumn_apart():
    """Where clocks go back the hour comes twice: the second time is an hour later in UTC."""
    berlin = site(timezone="Europe/Berlin")
    source = SolarEdge("secret", {"p1": "77"}, {"p1": berlin}.get)
    now = datetime(2026, 10, 26, tzinfo=UTC)
    [request] = source.request(now - timedelta(days=1), now)
    quarters = ["01:45", "02:00", "02:15", "02:30", "02:45", "02:00", "02:15", "02:30", "02:45", "03:00"]
    values = [{"date": f"2026-10-25 {text}:00", "value": 1.0} for text in quarters]
    found = source.parse(json.dumps({"power": {"unit": "W", "values": values}}).encode(), request).parsed.observations
    steps = {(after.observed_at - before.observed_at) for before, after in pairwise(found)}
    assert (len(found), steps) == (10, {timedelta(minutes=15)})
