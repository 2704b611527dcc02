"""Reads an operator's list of plants, CSV or JSON. Every wrong row is named, none is guessed at.

Columns or keys are those of `heliograph.sites.Site`: plant_id, name, region, latitude, longitude, capacity_kw, and,
where known, dc_capacity_kw, tilt_deg, azimuth_deg, timezone, owner.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from heliograph.sites import Site
from heliograph.wire import UNREADABLE
from ingest.given import time_zone, with_value

TEXT_COLUMNS = frozenset({"plant_id", "name", "region", "timezone", "owner"})


class SiteFileError(ValueError):
    """The file can't be used; the text names each row that is wrong."""


def parse_sites(data: bytes) -> list[Site]:
    """The plants. Raises `SiteFileError`: a registry is taken as a whole or not at all."""
    rows = list(_json_rows(data) if data.lstrip()[:1] in (b"[", b"{") else _csv_rows(data))
    sites: list[Site] = []
    faults: list[str] = []
    seen: set[str] = set()
    for number, row in enumerate(rows, start=1):
        try:
            site = _site(row, seen)
        except ValueError as error:
            faults.append(f"row {number} ({row.get('plant_id', 'no plant_id')}): {error}")
            continue
        seen.add(site.plant_id)
        sites.append(site)
    if not rows:
        raise SiteFileError("the file names no plant")
    if faults:
        raise SiteFileError("; ".join(faults[:20]) + (f"; and {len(faults) - 20} more" if len(faults) > 20 else ""))
    return sites


def _site(row: dict[str, Any], seen: Iterable[str]) -> Site:
    try:
        site = msgspec.convert(row, Site)
    except msgspec.ValidationError as error:
        raise ValueError(with_value(error, row)) from None
    if site.plant_id in seen:
        raise ValueError("the plant_id is there twice")
    time_zone(site.timezone)
    return site


def _json_rows(data: bytes) -> Iterator[dict[str, Any]]:
    try:
        rows = msgspec.json.decode(data)
    except UNREADABLE as error:
        raise SiteFileError(f"the file is no JSON: {error}") from error
    if isinstance(rows, dict):
        rows = rows.get("sites")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise SiteFileError("the file holds no array of plants")
    yield from rows


def _csv_rows(data: bytes) -> Iterator[dict[str, Any]]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SiteFileError(f"the file is neither JSON nor CSV in UTF-8: {error}") from error
    reader = csv.DictReader(io.StringIO(text), strict=True)
    if "plant_id" not in (reader.fieldnames or ()):
        raise SiteFileError("the first line names no column plant_id")
    try:
        for row in reader:
            yield {name: _value(name, value) for name, value in row.items() if name and value not in (None, "")}
    except csv.Error as error:
        raise SiteFileError(f"line {reader.line_num}: {error}") from error


def _value(name: str, value: str) -> str | float:
    if name in TEXT_COLUMNS:
        return value.strip()
    try:
        return float(value)
    except ValueError:
        return value
