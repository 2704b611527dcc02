"""Exports, uploads, freshness: what goes out and comes in is safe and says what is."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import pyarrow.parquet as pq
import pytest

from dashboard.export import to_csv, to_parquet
from dashboard.freshness import Arrivals, status
from dashboard.history import Range, settled
from dashboard.routes_records import blob_file, image_type
from heliograph.contracts import RegionWindow

NOW = datetime(2026, 6, 1, 3, tzinfo=UTC)
COLUMNS = ("plant_id", "time", "kw", "count", "note")
ROWS = [["p1", "2026-06-01T03:00:00Z", 1.5, 3, None], ["p,2", "2026-06-01T03:00:10Z", 2, None, 'a "word"\nand more']]


def test_csv_and_parquet_hold_the_same() -> None:
    """Both forms give every value back, missing ones as missing."""
    assert list(csv.reader(io.StringIO(to_csv(COLUMNS, ROWS).decode())))[1:] == [
        ["p1", "2026-06-01T03:00:00Z", "1.5", "3", ""],
        ["p,2", "2026-06-01T03:00:10Z", "2", "", 'a "word"\nand more'],
    ]
    table = pq.read_table(io.BytesIO(to_parquet(COLUMNS, ROWS)))
    assert table.column_names == list(COLUMNS)
    assert [list(row.values()) for row in table.to_pylist()] == ROWS


def test_an_empty_export_has_its_columns() -> None:
    """A query that finds nothing is a file with a header."""
    assert to_csv(COLUMNS, []).decode().strip() == ",".join(COLUMNS)
    assert pq.read_table(io.BytesIO(to_parquet(COLUMNS, []))).num_rows == 0


def region_part(partition: str, after_s: int) -> RegionWindow:
    start = NOW + timedelta(seconds=after_s)
    return RegionWindow(v=1, region="KR-46", partition=partition, window="10s", window_start=start, readings=1,
                        window_end=start + timedelta(seconds=10), plants=1, capacity_kw=9.0,
                        generation_kw=5.0)  # fmt: skip


def test_a_curve_does_not_end_in_a_dip() -> None:
    """Of the last minute only windows that every partition has told of count; an older one counts as it is."""
    old, whole = [region_part("0", 0)], [region_part(p, 100) for p in "01"]
    half = [region_part("0", 110)]
    assert settled([*old, *whole, *half]) == [*old, *whole]
    assert settled([]) == []


def test_a_spreadsheet_runs_nothing() -> None:
    """A note that begins like a formula is text in a spreadsheet; a negative number stays a number."""
    assert to_csv(("note", "kw"), [["=HYPERLINK(1)", -5.0]]).decode().splitlines()[1] == "'=HYPERLINK(1),-5.0"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"RIFF0000WEBPVP8 ", "image/webp"),
        (b"\0\0\0\x18ftypheic", "image/heic"),
        (b"\0\0\0\x18ftypavif", "image/avif"),
        (b"<svg onload=alert(1)>", None),
        (b"<!doctype html>", None),
        (b"", None),
    ],
)
def test_images_are_known_by_their_bytes(data: bytes, expected: str | None) -> None:
    """What a file is says its content; a script in any guise is no image."""
    assert image_type(data) == expected


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "a\\..\\b.jpg", "x?y#z.JPG", "", ".", "사진 1.jpg", "a" * 500 + ".png"]
)
def test_file_names_are_safe_in_blobs(name: str) -> None:
    """Whatever a file is called, its blob lies directly under its plant and needs no encoding tricks."""
    blob = blob_file(name, NOW)
    assert not set(blob) & set("/\\?#%")
    assert len(blob) < 120
    assert blob.startswith("20260601T030000-")
    assert blob_file(name, NOW) != blob, "the same name twice is two photos"


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def arrivals(watched: float, readings: float | None, windows: float | None, stored: float | None) -> Arrivals:
    return Arrivals(ago(watched), *(None if age is None else ago(age) for age in (readings, windows, stored)))


@pytest.mark.parametrize(
    ("arrivals", "service"),
    [
        (arrivals(999, 1, 2, 15), None),
        (arrivals(999, 300, 310, 320), "ingest"),
        (arrivals(999, 1, 300, 310), "analyzer"),
        (arrivals(999, 1, 2, 300), "sink"),
        (arrivals(999, None, 2, 15), None),
        (arrivals(999, 300, 2, 3), None),
        (arrivals(999, None, None, None), "ingest"),
        (arrivals(5, None, None, None), None),
        (arrivals(5, 300, None, 300), "ingest"),
        (arrivals(5, 1, None, 300), None),
        (arrivals(70, 1, None, 300), "analyzer"),
    ],
)
def test_the_first_silent_step_is_to_blame(arrivals: Arrivals, service: str | None) -> None:
    """Staleness goes by arrival, the service named is the first that gives nothing, and what a dashboard that has just
    started did not see yet is not silent."""
    answer = status(arrivals, NOW, 60)
    assert (answer["stale"], answer["service"]) == (service is not None, service)
    assert bool(answer["message"]) == answer["stale"]
    if service:
        assert not answer["services"][service]["ok"]


def test_a_range_touches_its_days_and_suits_its_length() -> None:
    """A range that ends at midnight does not touch the next day; longer ranges are told more coarsely."""
    day = Range(NOW.replace(hour=0), NOW.replace(hour=0) + timedelta(days=1))
    assert day.days == ["2026-06-01"]
    lengths = [timedelta(hours=1), timedelta(days=1), timedelta(days=30), timedelta(days=300)]
    assert [Range(NOW, NOW + length).suited() for length in lengths] == ["window", "5min", "hour", "day"]
