"""A trace from any CSV: columns are told by their names, units and times by what they hold.

- time: `time`, `date`, `timestamp`, `measured_on`, `ts` and their like, `date` and `time` apart, else the first column
  that holds times, or `year`, `month`, `day`, `hour` and `minute` apart. ISO 8601, usual local writings, 202606011230,
  days of a spreadsheet, or seconds to nanoseconds since 1970.
- power: `power`, `generation`, `kw`, `production`, `value` and their like, else the only numbers there. W, kW or MW, by
  the name if the capacity makes that possible, else by the capacity; energies (kWh), counters too, become powers.
- irradiance in W/m2, or in kW/m2 if it never exceeds 2: `poa`, `plane of array`, `gti`; `ghi`, `global horizontal`; a
  plain `irradiance` is the plane's.
- temperature in degC, or degF if the name says so: `module`, `panel`, `cell`, `back`; `ambient`, `air`; a plain
  `temperature` is the air's.
- wind in m/s.

A time without a zone is taken for UTC: the analyzer learns a plant's hours from its power. Values that the contract of
readings would refuse are left out, as are repeated times.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.traces import Trace, micros_of
from heliograph.contracts import MAX_POWER_KW, MIN_POWER_KW

Floats = npt.NDArray[np.float64]

TIME = ("timestamp", "datetime", "date_time", "measured_on", "observed_at", "time", "date", "ts", "t", "index")
POWER = ("generation_kw", "power_kw", "ac_power", "generation", "generated", "power", "p_ac", "pac", "production",
         "output", "kwh", "kw", "mw", "meas_val", "value", "watt", "energy")  # fmt: skip
NO_POWER = ("dc", "reactive", "apparent", "factor", "expected", "capacity", "forecast", "irrad", "temp", "time", "volt",
            "current", "limit", "setpoint", "w/m")  # fmt: skip
PLANE = ("poa", "plane", "gti", "tilted", "inclined", "gpi")
HORIZONTAL = ("ghi", "horizontal", "global")
LIGHT = ("irradiance", "irrad", "insolation", "radiation", "pyranometer", "solar", "w/m", "w_m")
NO_LIGHT = ("ghi", "horizontal", "dni", "dhi", "direct", "diffuse", "clear", "temp", "power")
MODULE = ("module", "panel", "cell", "back", "tmod", "t_mod", "mod_temp", "temp_mod")
AMBIENT = ("ambient", "t_amb", "tamb", "air", "dry bulb", "temp_a", "temperature", "temp")
NO_AIR = ("module", "panel", "cell", "back", "mod", "inv", "cabinet", "dew")
NO_TEMPERATURE = ("power", "voltage", "current", "irrad", "w/m", "humidity", "pressure")


def read_csv(path: Path, capacity_kw: float) -> Trace:
    """The trace of a file. Raises `ValueError` that says what is missing."""
    frame = _frame(path)
    times, frame = _times(frame, path)
    power = _power(frame, times, capacity_kw, path)
    poa, ghi = _column(frame, PLANE, ("clear",)), _column(frame, HORIZONTAL, ("clear", "normal", "diffuse"))
    light = _column(frame, LIGHT, NO_LIGHT)
    poa = poa if poa is not None or ghi is not None else light
    order = np.argsort(times, kind="stable")
    order = order[np.append(True, np.diff(times[order]) > 0)]
    on_site = poa is not None or ghi is not None

    def picked(column: Floats | None, low: float, high: float) -> Floats | None:
        return None if column is None else _within(column[order], low, high)

    trace = Trace(
        path.stem,
        times[order],
        _within(power[order], MIN_POWER_KW, MAX_POWER_KW),
        capacity_kw,
        on_site=on_site,
        poa_w_m2=picked(_in_w_m2(poa), -20, 2000),
        ghi_w_m2=None if poa is not None else picked(_in_w_m2(ghi), -20, 2000),
        module_c=picked(_temperature(frame, MODULE, NO_TEMPERATURE), -90, 150),
        ambient_c=picked(_temperature(frame, AMBIENT, (*NO_TEMPERATURE, *NO_AIR)), -90, 150),
        wind_m_s=picked(_column(frame, ("wind",), ("dir",)), 0, 120),
    )
    if np.isfinite(trace.power_kw).sum() < 10:
        raise ValueError(f"{path}: fewer than ten samples with power, of {len(frame)} lines")
    return trace


def _frame(path: Path) -> pd.DataFrame:
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    head = text[:4000]
    try:
        separator = csv.Sniffer().sniff(head, ",;\t|").delimiter
    except csv.Error:
        separator = ","
    decimal = "," if separator != "," and re.search(r"\d,\d", head) else "."
    try:
        frame = pd.read_csv(path, sep=separator, decimal=decimal, encoding="utf-8-sig", encoding_errors="replace",
                            comment="#", skipinitialspace=True)  # fmt: skip
    except ValueError as error:
        raise ValueError(f"{path}: {str(error).strip()}") from error
    if frame.empty:
        raise ValueError(f"{path}: no lines under the heads of the columns")
    return frame.rename(columns=str)


def _times(frame: pd.DataFrame, path: Path) -> tuple[npt.NDArray[np.int64], pd.DataFrame]:
    """Microseconds of each line that has a time, and those lines without the time's columns."""
    apart = {name.strip().lower(): name for name in frame.columns}
    parts = [part for part in ("year", "month", "day", "hour", "minute") if part in apart]
    if len(parts) >= 4:
        names = [apart[part] for part in parts]
        times = pd.to_datetime(frame[names].rename(columns=dict(zip(names, parts, strict=True))), errors="coerce")
        good = times.notna().to_numpy()
        return micros_of(pd.DatetimeIndex(times[good])), frame.loc[good].drop(columns=names)
    for names in _time_columns(frame):
        text = frame[names[0]] if len(names) == 1 else frame[names].astype(str).agg(" ".join, axis=1)
        times = _parsed(text)
        if times is not None:
            good = times.notna().to_numpy()
            return micros_of(pd.DatetimeIndex(times[good])), frame.loc[good].drop(columns=names)
    raise ValueError(f"{path}: no column of times among {', '.join(frame.columns)}")


def _time_columns(frame: pd.DataFrame) -> list[list[str]]:
    """Candidates, the most telling first."""
    plain = {name.strip().lower(): name for name in frame.columns}
    both = [[plain["date"], plain["time"]]] if "date" in plain and "time" in plain else []
    exact = [[plain[word]] for word in TIME if word in plain]
    partly = [[name] for word in TIME[:7] for low, name in plain.items() if word in low]
    return [*both, *exact, *partly, *([name] for name in frame.columns)]


def _parsed(column: pd.Series) -> pd.Series | None:
    """Times in UTC; None when most of the column is none."""
    if pd.api.types.is_numeric_dtype(column):
        return _since_1970(column)
    best = None
    for dayfirst in (False, True):
        times = pd.to_datetime(column, utc=True, format="mixed", dayfirst=dayfirst, errors="coerce")
        if times.notna().mean() < 0.9:
            continue
        backwards = float((times.diff() < pd.Timedelta(0)).mean())
        if best is None or backwards < best[0]:
            best = (backwards, times)
    return None if best is None else best[1]


def _since_1970(column: pd.Series) -> pd.Series | None:
    """Numbers are times when they lie between 1980 and 2100 in seconds, milli-, micro- or nanoseconds, in the days of a
    spreadsheet, or are written like 202606011230."""
    middle = float(column.median())
    if 30_000 < middle < 73_000:
        return pd.to_datetime(column, unit="D", origin="1899-12-30", utc=True, errors="coerce").dt.round("s")
    for digits, form in ((12, "%Y%m%d%H%M"), (14, "%Y%m%d%H%M%S")):
        if 1980 * 10 ** (digits - 4) < middle < 2100 * 10 ** (digits - 4):
            written = pd.to_datetime(column.astype("Int64").astype(str), format=form, utc=True, errors="coerce")
            if written.notna().mean() > 0.9:
                return written
    for unit, per_second in (("s", 1.0), ("ms", 1e3), ("us", 1e6), ("ns", 1e9)):
        if 3.15e8 < middle / per_second < 4.1e9:
            return pd.to_datetime(column, unit=unit, utc=True, errors="coerce")
    return None


def _power(frame: pd.DataFrame, times: npt.NDArray[np.int64], capacity_kw: float, path: Path) -> Floats:
    name = _named(frame, POWER, NO_POWER)
    if name is None:
        numbers = [each for each in frame.columns if _numbers(frame[each]) is not None]
        if len(numbers) != 1:
            raise ValueError(f"{path}: no column for power among {', '.join(frame.columns) or 'none'}")
        name = numbers[0]
    power = _numbers(frame[name])
    if power is None:
        raise ValueError(f"{path}: column {name!r} holds no numbers")
    if re.search(r"\b[km]?wh\b|energy", name.lower().replace("_", " ")):
        power = _power_of_energy(power, times)
    factor = _unit(name, power, capacity_kw)
    if factor is None:
        top = np.nanmax(power, initial=0.0)
        raise ValueError(f"{path}: column {name!r} is at most {top:g}, which fits {capacity_kw:g} kW neither as W nor "
                         "as kW nor as MW")  # fmt: skip
    return power * factor


def _power_of_energy(energy: Floats, times: npt.NDArray[np.int64]) -> Floats:
    """Energy of each interval, or a counter that only grows, as power in the same unit without the hours."""
    rises = np.diff(energy)
    if np.nanmean(rises >= 0) > 0.98 and energy[-1] > 20 * np.nanmax(rises):
        energy = np.append(np.nan, np.where(rises >= 0, rises, np.nan))
    result: Floats = energy / (float(np.median(np.diff(np.sort(times)))) / 3600e6)
    return result


def _unit(name: str, power: Floats, capacity_kw: float) -> float | None:
    """What turns the column into kW: what its name says if that is possible, else what is; None if nothing is."""
    said = {"w": 1e-3, "wh": 1e-3, "watt": 1e-3, "watts": 1e-3, "kw": 1.0, "kwh": 1.0, "mw": 1e3, "mwh": 1e3}
    words = re.split(r"[^a-z]+", name.lower())
    named = [said[word] for word in words if word in said]
    top = float(np.nanquantile(power[np.isfinite(power)], 0.999)) / capacity_kw if np.isfinite(power).any() else 0.0
    return next((factor for factor in (*named, 1.0, 1e-3, 1e3) if 0.03 < top * factor < 20), None)


def _in_w_m2(light: Floats | None) -> Floats | None:
    """Irradiance whose greatest value is under 2 must be in kW/m2."""
    if light is None or np.nanmax(light) > 2.0:
        return light
    return light * 1e3


def _temperature(frame: pd.DataFrame, words: Sequence[str], unless: Sequence[str]) -> Floats | None:
    name = _named(frame, words, unless)
    degrees = None if name is None else _numbers(frame[name])
    if name is None or degrees is None or not re.search(r"fahrenheit|deg_?f\b|°f|[ _\[(]f[\])]?$", name.lower()):
        return degrees
    return (degrees - 32.0) / 1.8


def _named(frame: pd.DataFrame, words: Sequence[str], unless: Sequence[str] = ()) -> str | None:
    """The first column whose name has one of the words, the more telling words first."""
    for word in words:
        for name in frame.columns:
            low = name.lower()
            if word in low and not any(other in low for other in unless) and _numbers(frame[name]) is not None:
                return str(name)
    return None


def _column(frame: pd.DataFrame, words: Sequence[str], unless: Sequence[str] = ()) -> Floats | None:
    name = _named(frame, words, unless)
    return None if name is None else _numbers(frame[name])


def _numbers(column: pd.Series) -> Floats | None:
    """Its values; None when it holds hardly any number."""
    if not pd.api.types.is_numeric_dtype(column):
        column = column.astype(str).str.replace(r"(?<=\d)[,\s'](?=\d{3}(\D|$))", "", regex=True)
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(float)
    return numbers if np.isfinite(numbers).any() else None


def _within(column: Floats, low: float, high: float) -> Floats:
    return np.where((column >= low) & (column <= high), column, np.nan)
