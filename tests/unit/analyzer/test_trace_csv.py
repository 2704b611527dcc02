"""Anybody's CSV becomes a trace: columns by their names, units and times by what they hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.trace_csv import read_csv

POWERS_KW = [0.0, 10.0, 20.0, 50.0, 80.0, 95.0, 90.0, 70.0, 40.0, 20.0, 5.0, 0.0]
NOON_US = 1_780_282_800_000_000


def trace(folder: Path, head: str, line: str, *, scale: float = 1.0):
    rows = []
    for hour, power in enumerate(POWERS_KW):
        at_s = 1_780_282_800 + 3600 * hour
        text = line.format(hour=hour, p=power * scale, s=at_s, ms=1000 * at_s, g=power * 10)
        rows.append(text)
    path = folder / "plant.csv"
    path.write_text("\n".join([head, *rows]))
    return read_csv(path, 100.0)


@pytest.mark.parametrize(
    ("head", "line", "scale"),
    [
        ("time,power", "2026-06-01T{hour:02d}:00:00Z,{p}", 1.0),
        ("time,power", "2026-06-01 {hour:02d}:00,{p}", 1.0),
        ("Timestamp,AC Power (W)", "2026-06-01 {hour:02d}:00:00+09:00,{p}", 1e3),
        ("measured_on,ac_power", "2026-06-01 {hour:02d}:00:00-07:00,{p}", 1e3),
        (",Power [MW]", "01/06/2026 {hour:02d}:00,{p}", 1e-3),
        ("date,time,value", "2026-06-01,{hour:02d}:00,{p}", 1.0),
        ("t,kW", "{s},{p}", 1.0),
        ("ts,generated_kW,expected_kW", "{ms},{p},99", 1.0),
        ("site,meas_name,ts,sensor,meas_val_f", "a,ac_power,2026-06-01 {hour:02d}:00:00,x,{p}", 1.0),
        ("Zeit;Leistung", "2026-06-01 {hour:02d}:00;{p}", 1.0),
        ("year,month,day,hour,power", "2026,6,1,{hour},{p}", 1.0),
        ("time,power", "20260601{hour:02d}00,{p}", 1.0),
        ("time,power (W)", '2026-06-01 {hour:02d}:00,"{p:,.1f}"', 1e3),
    ],
)
def test_time_and_power_are_found_whatever_they_are_called(head: str, line: str, scale: float, tmp_path: Path) -> None:
    """Names, zones, epochs, separators and units do not matter: the powers are the same in kW, an hour apart."""
    found = trace(tmp_path, head, line, scale=scale)
    assert found.power_kw == pytest.approx(POWERS_KW)
    assert set(np.diff(found.times_us)) == {3600 * 10**6}
    assert not found.on_site


@pytest.mark.parametrize(
    ("name", "column"),
    [("poa_irradiance__771", "poa_w_m2"), ("Plane of array", "poa_w_m2"), ("GHI", "ghi_w_m2"),
     ("irradiance", "poa_w_m2"),
     ("Global Horizontal", "ghi_w_m2"), ("GTI (W/m2)", "poa_w_m2")],
)  # fmt: skip
def test_irradiance_is_told_by_its_plane(name: str, column: str, tmp_path: Path) -> None:
    """Irradiance in the plane of the array and on the horizontal are told apart; an unnamed plane is the array's."""
    found = trace(tmp_path, f"time,power,{name},temperature", "2026-06-01 {hour:02d}:00,{p},{g},21.5")
    assert found.on_site
    assert getattr(found, column) == pytest.approx([power * 10 for power in POWERS_KW])
    assert found.ambient_c is not None
    assert found.module_c is None


def test_impossible_values_and_repeats_are_left_out(tmp_path: Path) -> None:
    """What the contract would refuse becomes a missing value; repeated times count once."""
    path = tmp_path / "plant.csv"
    lines = [f"2026-06-01 {hour:02d}:00,{power},{5000 if hour == 3 else 100}" for hour, power in enumerate(POWERS_KW)]
    path.write_text("\n".join(["time,power_kw,poa", *lines[::-1], lines[4], "2026-06-01 13:00,,-", "garbage,1,1"]))
    found = read_csv(path, 100.0)
    assert found.poa_w_m2 is not None
    assert found.times_us.size == len(POWERS_KW) + 1
    assert np.flatnonzero(np.isnan(found.poa_w_m2)).tolist() == [3, 12]
    assert np.flatnonzero(np.isnan(found.power_kw)).tolist() == [12]
    assert (np.diff(found.times_us) > 0).all()


@pytest.mark.parametrize(
    ("text", "said"),
    [("a,b\nx,1\ny,2\n", "no column of times"),
     ("time,poa,ghi\n2026-06-01,1,2\n2026-06-02,1,2\n", "no column for power"),
     ("", "plant.csv: No columns"),
     ("time,power\n", "plant.csv: no lines"),
     ("time,power\n2026-06-01,1e9\n2026-06-02,1e10\n", "'power' is at most 1e.10, which fits 100 kW neither as W"),
     ("time,power\n2026-06-01,0\n2026-06-02,0\n", "'power' is at most 0"),
     ("time,power\n2026-06-01,50\n", "fewer than ten samples")],
)  # fmt: skip
def test_a_file_that_is_no_trace_is_refused_by_name(text: str, said: str, tmp_path: Path) -> None:
    """The message names the file and what is missing."""
    path = tmp_path / "plant.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=said):
        read_csv(path, 100.0)


def test_a_counter_of_energy_becomes_power(tmp_path: Path) -> None:
    """Where kWh only grow, their growth is the power of each interval; the first has none."""
    total, lines = 1000.0, ["time,energy_kwh"]
    for day in range(3):
        for hour, power in enumerate(POWERS_KW):
            total += power
            lines.append(f"2026-06-0{day + 1} {hour:02d}:00,{total}")
    path = tmp_path / "plant.csv"
    path.write_text("\n".join(lines))
    assert read_csv(path, 100.0).power_kw[1 : len(POWERS_KW)] == pytest.approx(POWERS_KW[1:])


@pytest.mark.parametrize(
    ("head", "line", "column", "values"),
    [("time,power,IRRADIATION", "2026-06-01 {hour:02d}:00,{p},{k}", "poa_w_m2", [p * 10 for p in POWERS_KW]),
     ("time,power,module_temp_F", "2026-06-01 {hour:02d}:00,{p},{f}", "module_c", POWERS_KW)],
)  # fmt: skip
def test_other_units_of_light_and_heat_are_told(
    head: str, line: str, column: str, values: list[float], tmp_path: Path
) -> None:
    """Irradiance that stays under 2 is in kW/m2; temperatures are in degF where the name says so."""
    path = tmp_path / "plant.csv"
    lines = [line.format(hour=hour, p=power, k=power / 100, f=power * 1.8 + 32) for hour, power in enumerate(POWERS_KW)]
    path.write_text("\n".join([head, *lines]))
    assert getattr(read_csv(path, 100.0), column) == pytest.approx(values)
