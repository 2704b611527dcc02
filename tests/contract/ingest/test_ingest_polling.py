"""How providers are asked: within their quotas, as late as they are, and for all that they have."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest
from azure.storage.blob.aio import BlobServiceClient

from heliograph import topology
from heliograph.sites import Site
from ingest.oauth import ClientCredentials
from ingest.sources.http_json import HttpJson
from ingest.sources.kma_nowcast import KmaNowcast
from ingest.sources.kpx_region import KpxRegion
from ingest.sources.mapping import Auth, parse_mapping
from ingest.sources.solaredge import SolarEdge
from ingest.sources.tables import Table
from tests.contract.ingest.poller import Asked, Said, poller, provider

NOW = datetime(2026, 6, 21, 1, 17, tzinfo=UTC)
DAY = timedelta(days=1)
pytestmark = pytest.mark.timeout(60)


def site(plant_id: str) -> Site:
    return Site(plant_id=plant_id, name="P", region="KR-46", latitude=34.8, longitude=126.9, capacity_kw=1000)


def mapping(url: str, **more: Any) -> HttpJson:
    facts = {
        "name": uuid.uuid4().hex[:8],
        "kind": "http-json",
        "url": f"{url}/power?since={{since_s}}&now={{now_s}}",
        "fields": {"plant_id": "plant", "observed_at": "t", "generation_kw": "p"},
        "time": {"format": "epoch_s", "interval_s": 60},
    }
    return HttpJson(parse_mapping(json.dumps(facts | more).encode()), "secret")


def minutes(asked: Asked) -> Said:
    """One value each ten minutes of the time that is asked for."""
    first, last = (int(asked.query[name]) // 600 for name in ("since", "now"))
    return Said([{"plant": "p", "t": step * 600, "p": 100 + step % 100} for step in range(first + 1, last + 1)])


class Kpx:
    """Publishes the hours of a province two months late; a day in between never comes, and a month of silence."""

    def __init__(self, silent: tuple[date, date]) -> None:
        self.today = NOW.date()
        self.silent = silent
        self.strange = False

    def __call__(self, asked: Asked) -> Said:
        day = datetime.strptime(asked.query["tradeYmd"], "%Y%m%d").date()  # noqa: DTZ007
        items: Any = ""
        if day <= self.today - timedelta(days=60) and not self.silent[0] <= day < self.silent[1]:
            region = "Atlantis" if self.strange else "전남"
            rows = [{"tradeYmd": f"{day:%Y%m%d}", "tradeNo": hour, "regionNm": "제주", "amgo": 1} for hour in (1, 24)]
            items = {"item": [*rows, {"tradeYmd": f"{day:%Y%m%d}", "tradeNo": 2, "regionNm": region, "amgo": 1}]}
        header = {"resultCode": "00", "resultMsg": "X"}
        return Said({"response": {"header": header, "body": {"items": items, "totalCount": 3}}})


async def test_a_provider_that_is_two_months_late_is_asked_within_its_hundred_calls(azurite: str, tmp_path: Path):
    """The first day catches up, each further day asks for a month at most, and every day that comes is taken once."""
    kpx = Kpx((date(2026, 4, 12), date(2026, 4, 13)))
    async with provider(kpx) as known, poller(azurite, tmp_path, KpxRegion("k", known.url), ()) as one:
        first = await one.run(NOW)
        assert [outcome.result for outcome in first] == ["ok"] * len(first)
        assert len(known.asked) <= 100
        for later in range(1, 4):
            kpx.today, before = NOW.date() + later * DAY, len(known.asked)
            [outcome] = await one.run(NOW + later * DAY)
            assert (outcome.result, outcome.again) == ("ok", False)
            assert len(known.asked) - before <= 32
        days = [row["observed_at"] for row in one.readings() if row["plant_id"] == "kpx-region-kr-46"]
    wanted = [date(2026, 4, 7) + step * DAY for step in range(19)]
    expected = [f"{day - DAY}T17:00:00Z" for day in wanted if day != date(2026, 4, 12)]
    assert [day for day in sorted(days) if day >= expected[0]] == expected


async def test_weather_of_each_hour_is_caught_up_with_and_none_asked_for_too_young(azurite: str, tmp_path: Path):
    """After nine hours away each hour is asked for once, in order, the last when it is there forty minutes later."""

    def weather(asked: Asked) -> Said:
        row = {"baseDate": asked.query["base_date"], "baseTime": asked.query["base_time"]}
        items = {"item": [row | {"category": "T1H", "obsrValue": "24.8"}]}
        return Said({"response": {"header": {"resultCode": "00"}, "body": {"items": items, "totalCount": 1}}})

    plants = [site("p")]
    async with provider(weather) as known:
        source = KmaNowcast("k", lambda: plants, known.url)
        async with poller(azurite, tmp_path, source, plants) as one:
            one.cursor = NOW - timedelta(hours=9)
            await one.run(NOW)
            assert [asked.query["base_time"] for asked in known.asked] == [f"{hour % 24:02}00" for hour in range(2, 10)]
            await one.run(NOW + timedelta(minutes=30))
        assert [asked.query["base_time"] for asked in known.asked[8:]] == ["1000"]


async def test_a_month_without_rows_is_crossed_and_a_bad_row_skips_nothing(azurite: str, tmp_path: Path):
    """A silence longer than a run asks for ends; where each day has a row that can't be read, the days stay in turn."""
    kpx = Kpx((date(2026, 2, 1), date(2026, 3, 20)))
    kpx.strange = True
    async with provider(kpx) as known, poller(azurite, tmp_path, KpxRegion("k", known.url), ()) as one:
        one.cursor = datetime(2026, 1, 30, 15, tzinfo=UTC)
        await one.run(NOW)
        found = {row["observed_at"] for row in one.readings()}
    assert one.cursor == datetime(2026, 4, 22, 15, tzinfo=UTC)
    assert "2026-04-22T15:00:00Z" in found
    assert "2026-03-20T15:00:00Z" in found


async def test_a_day_that_the_provider_answers_with_nonsense_is_asked_for_again(azurite: str, tmp_path: Path):
    """The other days come at once, the bad one with the next run; nothing of it is passed over."""
    kpx, bad = Kpx((date(2026, 1, 1), date(2026, 1, 1))), {"20260412"}
    async with (
        provider(lambda asked: Said({"odd": 1}) if asked.query["tradeYmd"] in bad else kpx(asked)) as known,
        poller(azurite, tmp_path, KpxRegion("k", known.url), ()) as one,
    ):
        [first] = await one.run(NOW)
        assert (first.result, "another shape" in first.detail) == ("error", True)
        found = {row["observed_at"] for row in one.readings() if row["plant_id"] == "kpx-region-kr-46"}
        assert ("2026-04-19T17:00:00Z" in found, "2026-04-11T17:00:00Z" in found) == (True, False)
        bad.clear()
        [second] = await one.run(NOW + DAY)
        assert second.result == "ok"
        times = [(row["plant_id"], row["observed_at"]) for row in one.readings()]
    assert ("kpx-region-kr-46", "2026-04-11T17:00:00Z") in times
    assert len(set(times)) == len(times)


async def test_a_quota_is_used_evenly_over_its_day_and_a_trigger_goes_before(azurite: str, tmp_path: Path):
    """With 24 calls a day a five-minute schedule asks once an hour and loses nothing; an operator need not wait."""
    async with provider(minutes) as known:
        source = mapping(known.url, quota={"calls": 24, "per_s": 86_400})
        async with poller(azurite, tmp_path, source, [site("p")]) as one:
            results = [(await one.run(NOW + timedelta(minutes=5 * step)))[0].result for step in range(200)]
            times = [int(asked.query["now"]) for asked in known.asked]
            assert {later - earlier for earlier, later in pairwise(times)} == {3600}
            assert set(results) == {"ok", "paced"}
            [triggered] = await one.run(NOW + timedelta(minutes=1001), triggered=True)
            assert (triggered.result, len(known.asked)) == ("ok", len(times) + 1)
            seen = sorted(row["observed_at"] for row in one.readings())
    assert len(seen) == len(set(seen)) == 1000 // 10 + 6


async def test_a_quota_of_a_second_is_waited_for_within_the_run(azurite: str, tmp_path: Path):
    """More pages than the shortest quota allows are all read, in one run."""

    def pages(asked: Asked) -> Said:
        page = int(asked.query["page"])
        return Said([{"plant": "p", "t": 1_782_000_000 + page, "p": 1}] if page <= 4 else [])

    async with provider(pages) as known:
        source = mapping(known.url, quota={"calls": 3, "per_s": 1}, paging={"kind": "page"})
        async with poller(azurite, tmp_path, source, [site("p")]) as one:
            [outcome] = await one.run(NOW)
    assert (outcome.result, len(known.asked), len(one.readings())) == ("ok", 5, 4)


async def test_a_provider_that_asks_for_a_pause_gets_it(azurite: str, tmp_path: Path):
    """After a 429 that says an hour, nothing is asked for an hour; then all is caught up."""
    busy = [Said(status=429, headers={"Retry-After": "3600"})]
    async with (
        provider(lambda asked: busy.pop() if busy else minutes(asked)) as known,
        poller(azurite, tmp_path, mapping(known.url), [site("p")]) as one,
    ):
        results = [(await one.run(NOW + timedelta(minutes=5 * step)))[0].result for step in range(13)]
        assert results == ["error", *["paced"] * 11, "ok"]
        assert len(known.asked) == 2
        assert len(one.readings()) == 12


async def test_a_revision_of_a_week_is_asked_for_in_one_run(azurite: str, tmp_path: Path):
    """What the provider corrects within the week arrives as a revision, once an hour."""
    async with provider(minutes) as known:
        source = mapping(known.url, revision_s=7 * 86_400)
        async with poller(azurite, tmp_path, source, [site("p")]) as one:
            await one.run(NOW)
            await one.run(NOW + timedelta(minutes=5))
            await one.run(NOW + timedelta(minutes=65))
            spans = [int(asked.query["now"]) - int(asked.query["since"]) for asked in known.asked]
    assert [round(span / 86_400) for span in spans] == [7, 0, 7]
    assert len({row["observed_at"] for row in one.readings()}) == len(one.readings())


async def test_a_plant_that_the_provider_refuses_keeps_no_other_from_its_data(azurite: str, tmp_path: Path):
    """The run is an error that names the call; the other plants' readings come, and go on coming after days."""

    def power(asked: Asked) -> Said:
        if "/site/1/" in asked.path:
            return Said(b"no such site", 403)
        latest = {"date": f"{asked.query['endTime'][:14]}00:00", "value": 9}
        return Said({"power": {"unit": "W", "values": [latest]}})

    plants = {"p1": "1", "p2": "2", "p3": "3", "p4": "4", "p5": "5"}
    sites = {plant: site(plant) for plant in plants}
    async with provider(power) as known:
        source = SolarEdge("k", plants, sites.get, known.url)
        async with poller(azurite, tmp_path, source, list(sites.values())) as one:
            for day in range(9):
                [outcome, *_] = await one.run(NOW + day * DAY)
                assert outcome.result == "error"
                assert outcome.detail.endswith("/site/1/power answered 403")
            found = [row["plant_id"] for row in one.readings()]
    assert {plant: found.count(plant) for plant in plants} == {"p1": 0, "p2": 9, "p3": 9, "p4": 9, "p5": 9}


async def test_a_plant_that_the_provider_refuses_uses_up_no_quota(azurite: str, tmp_path: Path):
    """With one site of ten refused, the day's quota lasts for all of the day, as it does for ten."""

    def power(asked: Asked) -> Said:
        return Said(b"", 403) if "/site/0/" in asked.path else Said({"power": {"unit": "W", "values": []}})

    plants = {f"p{number}": str(number) for number in range(10)}
    sites = {plant: site(plant) for plant in plants}
    async with provider(power) as known:
        source = SolarEdge("k", plants, sites.get, known.url)
        async with poller(azurite, tmp_path, source, list(sites.values())) as one:
            for step in range(96):
                await one.run(NOW + timedelta(minutes=15 * step))
                if step == 48:
                    by_noon = len(known.asked)
    assert by_noon <= 160
    assert len(known.asked) <= 300


async def test_a_row_of_the_future_hides_no_row_of_others(azurite: str, tmp_path: Path):
    """One logger with a wrong clock does not move the cursor past what the provider publishes late."""

    def late(asked: Asked) -> Said:
        since, now = int(asked.query["since"]), int(asked.query["now"])
        rows = [{"plant": "p", "t": t, "p": 5} for t in range(since // 300 * 300 + 300, now - 899, 300)]
        return Said([*rows, {"plant": "q", "t": now + 2700, "p": 5}])

    async with provider(late) as known:
        source = mapping(known.url, lag_s=900)
        async with poller(azurite, tmp_path, source, [site("p"), site("q")]) as one:
            for step in range(12):
                await one.run(NOW + timedelta(minutes=5 * step))
            times = sorted({row["observed_at"] for row in one.readings() if row["plant_id"] == "p"})
    seconds = [datetime.fromisoformat(at).timestamp() for at in times]
    assert {later - earlier for earlier, later in pairwise(seconds)} == {300}
    assert seconds[-1] >= (NOW + timedelta(minutes=35)).timestamp()


async def test_oauth2_tokens_are_asked_for_once_and_again_when_they_are_refused(azurite: str, tmp_path: Path):
    """The secret goes to the token server alone; a token serves until it ends or the provider takes it back."""
    valid = {"token-1"}

    def answer(asked: Asked) -> Said:
        if asked.path == "/token":
            assert parse_qs(asked.body) == {"grant_type": ["client_credentials"], "scope": ["read"]}
            assert asked.headers["authorization"].startswith("Basic ")
            count = sum(one.path == "/token" for one in known.asked)
            return Said({"access_token": f"token-{count}", "expires_in": 3600})
        token = asked.headers["authorization"].removeprefix("Bearer ")
        return minutes(asked) if token in valid else Said(b"", 401)

    async with provider(answer) as known:
        auth = {"kind": "oauth2", "secret": "A", "token_url": f"{known.url}/token", "client_id": "me", "scope": "read"}
        source, rule = mapping(known.url, auth=auth), msgspec.convert(auth, Auth)
        async with poller(
            azurite, tmp_path, source, [site("p")], lambda client: ClientCredentials(client, rule, "secret")
        ) as one:
            results = [(await one.run(NOW + timedelta(minutes=10 * step)))[0].result for step in range(2)]
            valid.clear()
            valid.add("token-2")
            results += [(await one.run(NOW + timedelta(minutes=10 * step)))[0].result for step in (2, 3)]
            found = one.readings()
    assert results == ["ok", "ok", "error", "ok"]
    assert [asked.path for asked in known.asked].count("/token") == 2
    assert len({row["observed_at"] for row in found}) == len(found) == 9


async def test_a_file_in_a_blob_is_read_when_it_changes_and_only_new_rows_are_sent(azurite: str, tmp_path: Path):
    """Rows that were there before are not sent again; a file that did not change is not even parsed."""
    name = f"{uuid.uuid4().hex[:8]}.csv"
    rows = [f"p,2026-06-20T0{hour}:00:00Z,5\n" for hour in range(4)]
    facts = {
        "name": name[:8],
        "kind": "csv",
        "url": f"blob://{topology.UPLOADS}/{name}",
        "fields": {"plant_id": "plant", "observed_at": "when", "generation_kw": {"path": "power", "unit": "kW"}},
    }
    async with BlobServiceClient.from_connection_string(azurite) as blobs:
        blob = blobs.get_blob_client(topology.UPLOADS, name)
        async with poller(azurite, tmp_path, Table(parse_mapping(json.dumps(facts).encode())), [site("p")]) as one:
            for known in (2, 2, 4):
                await blob.upload_blob("plant,when,power\n" + "".join(rows[:known]), overwrite=True)
                assert {outcome.result for outcome in await one.run(NOW)} == {"ok"}
                assert len(one.readings()) == known
            assert {outcome.result for outcome in await one.run(NOW)} == {"ok"}
            await blob.delete_blob()
            [outcome] = await one.run(NOW + timedelta(minutes=5))
        assert (outcome.result, name in outcome.detail) == ("error", True)
        assert len(one.readings()) == 4
