"""What an operator may get wrong, and what is said about it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from heliograph.settings import WrongSettingError
from ingest.jobs import Tools, plan_jobs
from ingest.settings import IngestSettings
from ingest.site_file import SiteFileError, parse_sites

MAPPING = {
    "name": "acme",
    "kind": "http-json",
    "url": "http://localhost/",
    "fields": {"plant_id": "s", "observed_at": "t", "generation_kw": "p"},
}
HEAD = "plant_id,name,region,latitude,longitude,capacity_kw"


def plan(environment: dict[str, str] | None = None, **settings: Any) -> list[str]:
    """The names of the jobs that the settings make."""
    ways = {"eventhub_namespace": "h.servicebus.windows.net", "storage_account": "store"}
    known: Any = None  # what the jobs would work with is not asked while they are planned
    tools = Tools(IngestSettings(**ways, **settings), known, known, known, tuple, {}.get, known, environment or {})
    return [planned.job.name for planned in plan_jobs(tools, datetime(2026, 6, 21, tzinfo=UTC))]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"sources": "fleet,sun"}, "HELIOGRAPH_SOURCES: 'sun' is unknown; known are csv, fleet"),
        ({"sources": "fleet,fleet"}, "fleet is there twice"),
        ({"sources": "pvlive", "schedules": {"pvlive": "61 * * * *"}}, "HELIOGRAPH_SCHEDULES of pvlive.*'61"),
        ({"sources": "pvlive", "schedules": {"pvlve": "every 5m"}}, "HELIOGRAPH_SCHEDULES: 'pvlve'.*: pvlive$"),
        ({"sources": "fleet", "schedules": {"fleet": "every 5m"}}, "HELIOGRAPH_SCHEDULES: 'fleet'.*: none$"),
        (
            {"sources": "pvlive", "schedules": {"pvlive": "0 6 * * *"}, "schedule_zone": "Mars/X"},
            "HELIOGRAPH_SCHEDULE_ZONE.*'Mars/X'",
        ),
        ({"sources": "kpx-fuel"}, "HELIOGRAPH_DATA_GO_KR_KEY"),
        ({"sources": "solaredge"}, "HELIOGRAPH_SOLAREDGE_KEY"),
        ({"sources": "csv"}, "HELIOGRAPH_MAPPINGS_DIR is not set"),
        ({"sources": "csv", "mappings_dir": "/nowhere"}, "HELIOGRAPH_MAPPINGS_DIR '/nowhere' is no folder"),
        ({"sources": "replay", "replay_day": "1999-01-01"}, "HELIOGRAPH_REPLAY_DAY.*1999-01-01"),
    ],
)
def test_a_wrong_setting_is_named_with_what_was_given(settings: dict[str, Any], said: str):
    """Each ends the start with one line that says where to look."""
    with pytest.raises(WrongSettingError, match=said):
        plan(**settings)


def test_a_wrong_mapping_file_is_named(tmp_path: Path):
    """The file, its field and its value; a missing secret by its variable; two files of one name; no file at all."""

    def write(name: str, **changes: Any) -> None:
        (tmp_path / name).write_text(json.dumps(MAPPING | changes))

    given = {"sources": "http-json", "mappings_dir": tmp_path}
    with pytest.raises(WrongSettingError, match=f"no file .* in '{tmp_path}' is of kind 'http-json'"):
        plan(**given)
    write("a.json", schedule="every 5 parsecs")
    with pytest.raises(WrongSettingError, match=r"a\.json: .*'every 5 parsecs'"):
        plan(**given)
    write("a.json", auth={"kind": "header", "secret": "acme-1"})
    with pytest.raises(WrongSettingError, match=r"a\.json: .*HELIOGRAPH_SECRET_ACME_1"):
        plan(**given)
    assert plan({"HELIOGRAPH_SECRET_ACME_1": "x"}, **given) == ["http-json-acme"]
    write("b.json")
    with pytest.raises(WrongSettingError, match="http-json-acme is there twice"):
        plan({"HELIOGRAPH_SECRET_ACME_1": "x"}, **given)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "no column plant_id"),
        (f"{HEAD}\n", "names no plant"),
        (f"{HEAD}\na,A,KR-46,34,126,\n", r"row 1 \(a\): .*`capacity_kw`"),
        (f"{HEAD}\na,A,KR-46,north,126,5\n", r"row 1 \(a\): .*latitude.*'north'"),
        (f"{HEAD}\na,A,KR-46,134,26,5\n", r"row 1 \(a\): .*latitude.*134"),
        (f"{HEAD}\na,A,KR-46,34,126,5\na,A,KR-46,34,126,5\n", r"row 2 \(a\): the plant_id is there twice"),
        (f"{HEAD},timezone\na,A,KR-46,34,126,5,Mars/X\n", r"row 1 \(a\): .*'Mars/X'"),
        ('{"sites": 7}', "no array"),
        ("[1]", "no array"),
        ("[{", "no JSON"),
        ('[{"plant_id": "a"}]', r"row 1 \(a\): .*`name`"),
    ],
)
def test_a_wrong_site_file_is_refused_with_each_row_named(body: str, said: str):
    """A registry is taken as a whole or not at all; an empty one is not taken for the end of all plants."""
    with pytest.raises(SiteFileError, match=said):
        parse_sites(body.encode())


def test_csv_and_json_of_the_same_plants_are_the_same_registry():
    """Columns may come in any order, with a byte-order mark; values that are left out get their defaults."""
    head = "\ufeffcapacity_kw,plant_id,name,region,latitude,longitude,tilt_deg"
    text = f"{head}\n5,a,A,KR-46,34,126,22\n7,b,B,KR-46,34,126,\n"
    rows = [
        {"plant_id": name.lower(), "name": name, "region": "KR-46", "latitude": 34, "longitude": 126, "capacity_kw": kw}
        for name, kw in (("A", 5), ("B", 7))
    ]
    rows[0]["tilt_deg"] = 22
    assert (
        parse_sites(text.encode())
        == parse_sites(json.dumps(rows).encode())
        == parse_sites(json.dumps({"sites": rows}).encode())
    )
