"""Real measurements of NREL's plants in Golden, Colorado, as the package pvanalytics carries them (PVDAQ, public).

They keep their own times, so that the same windows come out at any speed. The meters' clocks stand at UTC-7, with no
summer time; fifteen-minute values are means labelled at the interval's end.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from importlib.util import find_spec
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from heliograph.sites import Site
from ingest.observations import Observation

NAME = "replay"
MOUNTAIN = timezone(timedelta(hours=-7))
REGION = "US-CO"


@dataclass(frozen=True, slots=True)
class System:
    """One recorded system: its facts, its file, and which column is which field, with the factor to our unit."""

    site: Site
    file: str
    time_column: str
    columns: Mapping[str, tuple[str, float]]
    interval_s: float
    time_format: str | None = None
    """None for ISO 8601."""
    joined: tuple[tuple[str, str, Mapping[str, tuple[str, float]]], ...] = field(default=())
    """Further files of the same times: name, time column, columns."""


def _site(plant_id: str, name: str, capacity_kw: float, tilt: float, azimuth: float) -> Site:
    return Site(
        plant_id=plant_id,
        name=name,
        region=REGION,
        latitude=39.742,
        longitude=-105.1727,
        capacity_kw=capacity_kw,
        tilt_deg=tilt,
        azimuth_deg=azimuth,
        timezone="Etc/GMT+7",
        owner="NREL",
    )


US_FORMAT = "%m/%d/%Y %H:%M"
SYSTEMS = (
    System(
        _site("nrel-rsf-2", "NREL RSF II", 408.24, 10, 180),
        "nrel_RSF_II.csv",
        "",
        {
            "generation_kw": ("ac_power_kw_1137", 1.0),
            "poa_w_m2": ("poa_irradiance__1055", 1.0),
            "module_c": ("module_temp__1056", 1.0),
            "ambient_c": ("ambient_temp__1053", 1.0),
            "wind_m_s": ("wind_speed__1051", 1.0),
        },
        900,
        US_FORMAT,
    ),
    System(
        _site("nrel-rsf-2-inverter-2", "NREL RSF II, inverter 2", 204.12, 10, 180),
        "nrel_RSF_II.csv",
        "",
        {
            "generation_kw": ("inv2_ac_power_w__1047", 0.001),
            "poa_w_m2": ("poa_irradiance__1055", 1.0),
            "module_c": ("module_temp__1056", 1.0),
            "ambient_c": ("ambient_temp__1053", 1.0),
            "wind_m_s": ("wind_speed__1051", 1.0),
        },
        900,
        US_FORMAT,
    ),
    System(
        _site("nrel-serf-west", "NREL SERF West", 6.0, 45, 158),
        "serf_west_15min.csv",
        "",
        {
            "generation_kw": ("ac_power__773", 0.001),
            "poa_w_m2": ("poa_irradiance__771", 1.0),
            "module_c": ("module_temp_1__781", 1.0),
            "ambient_c": ("ambient_temp__780", 1.0),
        },
        900,
    ),
    System(
        _site("nrel-serf-east", "NREL SERF East", 6.0, 45, 158),
        "serf_east_15min_ac_power.csv",
        "measured_on",
        {"generation_kw": ("ac_power", 0.001)},
        900,
        joined=(
            ("serf_east_psm3_data.csv", "measured_on", {"ghi_w_m2": ("ghi", 1.0), "ambient_c": ("temp_air", 1.0)}),
        ),
    ),
    System(
        _site("nrel-serf-east-1min", "NREL SERF East, by the minute", 6.0, 45, 158),
        "serf_east_1min_ac_power.csv",
        "measured_on",
        {"generation_kw": ("ac_power__752", 0.001)},
        60,
    ),
)
"""Capacities: RSF II and its inverter as in pvanalytics' examples; SERF by its name plate of 6 kW."""

Read = Callable[[str], bytes]


def read_packaged(name: str) -> bytes:
    """A data file of the installed package pvanalytics, which is not imported: it would bring half of SciPy.

    Raises `ModuleNotFoundError` where it is not installed.
    """
    package = find_spec("pvanalytics")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError(
            "the source `replay` needs the package pvanalytics: install heliograph-ingest[replay]"
        )
    return (Path(package.submodule_search_locations[0]) / "data" / name).read_bytes()


def recordings(
    first_day: date, days: int, *, shift_to: date | None = None, read: Read = read_packaged
) -> list[Observation]:
    """All that the systems recorded on these days (UTC-7), in the order of time and then of plants.

    `shift_to` moves the first day to another date, hours and minutes unchanged.
    """
    start = datetime(first_day.year, first_day.month, first_day.day, tzinfo=MOUNTAIN)
    shift = timedelta(days=(shift_to - first_day).days) if shift_to else timedelta(0)
    found = [
        observation
        for system in SYSTEMS
        for observation in parse_system(system, read, shift)
        if start < observation.observed_at - shift <= start + timedelta(days=days)
    ]
    return sorted(found, key=lambda one: (one.observed_at, one.plant_id))


def parse_system(system: System, read: Read, shift: timedelta) -> Iterator[Observation]:
    """The observations of one system; missing values are left out, rows without any too."""
    values = _columns(read(system.file), system.time_column, system.columns, system.time_format)
    for name, time_column, columns in system.joined:
        for at, more in _columns(read(name), time_column, columns, None).items():
            if at in values:
                values[at].update(more)
    for at, row in values.items():
        if row:
            yield Observation(
                plant_id=system.site.plant_id,
                observed_at=at + shift,
                source=NAME,
                interval_s=system.interval_s,
                **row,
            )


def _columns(
    data: bytes, time_column: str, columns: Mapping[str, tuple[str, float]], time_format: str | None
) -> dict[datetime, dict[str, float]]:
    rows = csv.DictReader(io.StringIO(data.decode()))
    return {
        _time(row[time_column], time_format): {
            name: round(float(row[column]) * factor, 6) for name, (column, factor) in columns.items() if row[column]
        }
        for row in rows
        if row[time_column]
    }


def _time(text: str, time_format: str | None) -> datetime:
    local = datetime.strptime(text, time_format) if time_format else datetime.fromisoformat(text)  # noqa: DTZ007
    return (local if local.tzinfo else local.replace(tzinfo=MOUNTAIN)).astimezone(UTC)


def by_moment(observations: Sequence[Observation]) -> Iterator[tuple[datetime, list[Observation]]]:
    """Sorted observations, those of one moment together."""
    for at, group in groupby(observations, key=attrgetter("observed_at")):
        yield at, list(group)
