"""The dashboard's API and live feed on real servers."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

import pyarrow.parquet as pq
import pytest

SEED = 20260621

pytestmark = pytest.mark.timeout(240)  # processes start here; on a busy machine that takes its time


async def test_the_past_is_what_was_sent(live, make, until) -> None:
    """Windows, five minutes, hours, days, regions, the nation and a past moment all tell the windows that were sent."""
    await live.send([make.plant("past", 10 * n, 600.0) for n in range(60)], "past")
    await live.send([make.region(p, 10 * n, 300.0) for n in range(60) for p in "01"], "past")
    span = "from=2026-06-01T03:00:00Z&to=2026-06-01T03:10:00Z"
    async with live.http() as http:

        async def windows():
            rows = (await http.get(f"/plants/past/windows?resolution=window&{span}")).json().get("rows", [])
            return rows if len(rows) == 60 else None

        rows = await until(windows, "all windows")
        assert [row[0] for row in rows] == [f"2026-06-01T03:{n // 6:02d}:{n % 6}0Z" for n in range(60)]
        five = (await http.get(f"/plants/past/windows?resolution=5min&{span}")).json()
        assert [dict(zip(five["columns"], row, strict=True))["generation_kw"] for row in five["rows"]] == [600, 600]
        for resolution, time_of in (("hour", "2026-06-01T03:00:00Z"), ("day", "2026-06-01")):
            answer = (await http.get(f"/plants/past/windows?resolution={resolution}&{span}")).json()
            [row] = [dict(zip(answer["columns"], row, strict=True)) for row in answer["rows"]]
            assert (row["time"], row["windows"]) == (time_of, 60)
            assert (row["energy_kwh"], row["observed_s"]) == (pytest.approx(100.0), pytest.approx(600.0))
        region = (await http.get("/regions/KR-46/day?date=2026-06-01")).json()["rows"]
        assert [row[:3] for row in region] == [["2026-06-01T03:00:00Z", 600, 1200], ["2026-06-01T03:05:00Z", 600, 1200]]
        nation = (await http.get("/nation/day?date=2026-06-01")).json()["rows"]
        assert nation[0][:3] == [12 * 60, 600, 1200], "03:00 in UTC is noon in Seoul"
        past = (await http.get("/at?time=2026-06-01T03:05:05Z")).json()
        assert any(row[0] == "past" and row[8] == 600 for row in past["plants"]["rows"])
        assert [row[5] for row in past["regions"]["rows"] if row[0] == "KR-46"] == [600]
        exported = await http.get(f"/export?what=windows&plant=past&resolution=window&format=parquet&{span}")
        assert pq.read_table(io.BytesIO(exported.content)).num_rows == 60


async def test_an_alert_is_told_acknowledged_and_resolved(live, make, listen, until) -> None:
    """A trip reaches a listening page; what one operator does the other page sees, and Cosmos keeps."""
    await live.send([make.plant("sick", 0, 0.0, state="fault")], "sick")
    alert_id = make.trip("sick").alert_id
    async with listen(live) as first, listen(live) as second, live.http() as http:
        await first.next("heartbeat")
        await second.next("heartbeat")
        began = time.monotonic()
        await live.send([make.trip("sick")], "sick")
        told = await first.next("alert")
        took_s = time.monotonic() - began
        assert (told["alert_id"], told["state"]) == (alert_id, "open")
        answer = await http.post(f"/alerts/{quote(alert_id, safe='')}/acknowledge", json={"by": "kim", "note": "going"})
        assert answer.status_code == 202
        action = await second.next("action")
        assert (action["by"], action["action"], action["alert_id"]) == ("kim", "acknowledge", alert_id)

        async def acknowledged():
            found = (await http.get("/alerts?plant=sick")).json()["alerts"]
            return [alert for alert in found if alert["status"] == "acknowledged"]

        [alert] = await until(acknowledged, "the acknowledgement in Cosmos")
        assert (alert["acknowledged_by"], alert["actions"][0]["note"]) == ("kim", "going")
        await http.post(f"/alerts/{quote(alert_id, safe='')}/resolve", json={"by": "kim"})
        await second.next("action")
        past = (await http.get("/at?time=2026-06-01T03:00:05Z")).json()["plants"]
        [row] = [row for row in past["rows"] if row[0] == "sick"]
        known = dict(zip(past["columns"], row, strict=True))
        assert (known["state"], known["open_alerts"]) == ("fault", None), "what is open now says nothing of then"
        plants = (await http.get("/plants")).json()
        [row] = [row for row in plants["rows"] if row[0] == "sick"]
        assert dict(zip(plants["columns"], row, strict=True))["open_alerts"] == 0
    assert took_s < 20, "under a second on a quiet machine"


async def test_notes_and_photos(live, make, until, listen) -> None:
    """A note is told and kept; a photo is taken by its bytes and lies under its plant; a script is no photo."""
    await live.send([make.plant("site", 0, 5.0)], "site")
    async with live.http() as http, listen(live) as page:

        async def known():
            return (await http.get("/plants/site")).status_code == 200

        await until(known, "the plant")
        assert (await http.post("/plants/nowhere/notes", json={"text": "x", "author": "kim"})).status_code == 404
        assert (await http.post("/plants/site/notes", json={"text": "x"})).status_code == 400
        assert (await http.post("/plants/site/notes", json={"text": "깨끗함", "author": "kim"})).status_code == 202
        assert (await page.next("note"))["text"] == "깨끗함"

        async def notes():
            return (await http.get("/plants/site/notes")).json()["notes"]

        assert [note["author"] for note in await until(notes, "the note")] == ["kim"]
        photo = {"file": ("roof.jpg", b"\xff\xd8\xff\xe0 and so on", "text/html")}
        blob = (await http.post("/plants/site/photos", files=photo)).json()["blob"]
        assert blob.startswith("site/")
        script = {"file": ("roof.jpg", b"<svg onload=alert(1)>", "image/jpeg")}
        assert (await http.post("/plants/site/photos", files=script)).status_code == 415
        assert (await http.get(f"/thumbnails/{blob}")).status_code == 404


async def test_wrong_questions_are_answered_as_such(live, make, until) -> None:
    """Too long, empty or unknown ranges and names get a 4xx that says why and names what was asked."""
    await live.send([make.plant("p", 0, 1.0)], "p")
    async with live.http() as http:

        async def known():
            return (await http.get("/plants/p")).status_code == 200

        await until(known, "the plant")
        day = "from=2026-06-01T00:00:00Z&to=2026-06-02T00:00:00Z"
        for path, status in (
            (f"/plants/p/windows?resolution=window&{day}", 400),
            ("/plants/p/windows?from=2026-06-02T00:00:00Z&to=2026-06-01T00:00:00Z", 400),
            ("/plants/p/windows?resolution=week", 422),
            ("/plants/never-heard-of", 404),
            ("/alerts/none%3Atrip%3A2026-06-01T00%3A00%3A00Z", 404),
            ("/alerts?state=odd", 422),
            ("/export?what=windows", 400),
            ("/plants/never-heard-of/windows", 404),
            ("/plants/never-heard-of/notes", 404),
            ("/export?what=windows&plant=never-heard-of", 404),
            ("/regions/never-heard-of/day", 404),
            ("/at?time=yesterday", 422),
            ("/at?time=1234.5", 422),
            ("/nation/day?date=0285-03-24", 422),
            ("/nation/day?date=9999-12-31", 422),
        ):
            answer = await http.get(path)
            assert answer.status_code == status, path
            asked = max(path.split("?")[-1].split("&")[-1].split("=")[-1].split("/"), key=len)
            assert answer.json()["detail"]
            assert status == 400 or any(part in answer.text for part in (asked, "never-heard-of", "none:trip")), path
        for action in ("acknowledge", "resolve"):
            answer = await http.post(f"/alerts/p%3Atrip%3A2026-06-01T00%3A00%3A00Z/{action}", json={"by": "kim"})
            assert (answer.status_code, "p:trip" in answer.text) == (404, True)


def test_schemathesis_finds_nothing(live, make, tmp_path: Path) -> None:
    """Whatever the OpenAPI document allows is answered as it says, and whatever it forbids is refused."""
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", f"{live.url}/api/v1/openapi.json", "--max-examples=3",
        f"--seed={SEED}", "--generation-database=none", "--exclude-path-regex=events|login",
        "--phases=coverage,fuzzing", "--header=x-heliograph: 1", "--no-color",
        "--exclude-checks=positive_data_acceptance,allow_header_conformance,unsupported_method",
    ]  # fmt: skip
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    print(f"seed {SEED}\n{result.stdout[-6000:]}{result.stderr[-2000:]}")
    assert result.returncode == 0


async def test_a_page_survives_the_dashboards_death(stack, make, listen) -> None:
    """After kill -9 a page comes back with its cursor and gets what was sent meanwhile, once."""
    stack = stack.elsewhere()
    with stack.dashboard() as process:
        stack.wait_ready()
        async with listen(stack) as page:
            await page.next("heartbeat")
            await stack.send([make.plant("dies", 0, 1.0)], "dies")
            await page.next("windows")
            last_id = page.last_id
        process.send_signal(signal.SIGKILL)
        process.wait()
    await stack.send([make.trip("dies")], "dies")
    with stack.dashboard() as process:
        stack.wait_ready()
        async with listen(stack, last_id) as page:
            told = await page.next("alert", "reset")
            assert (told["event"], told["alert_id"]) == ("alert", make.trip("dies").alert_id)
            await stack.send([make.trip("other")], "dies")
            assert (await page.next("alert"))["alert_id"] == make.trip("other").alert_id
            process.terminate()
            process.wait(25)
        assert process.returncode == 0, "an open stream does not hold the drain back"
