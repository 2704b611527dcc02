"""Measured traces of real plants that pvanalytics carries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pvanalytics

Floats = npt.NDArray[np.float64]
DATA = Path(pvanalytics.__file__).parent / "data"
MOUNTAIN = "Etc/GMT+7"


@dataclass(frozen=True)
class Trace:
    """(n,) columns; NaN where there is no value. Times are UTC, microseconds, ascending."""

    name: str
    times_us: npt.NDArray[np.int64]
    power_kw: Floats
    capacity_kw: float
    on_site: bool
    """Whether irradiance was measured at the plant itself."""
    poa_w_m2: Floats | None = None
    ghi_w_m2: Floats | None = None
    module_c: Floats | None = None
    ambient_c: Floats | None = None
    wind_m_s: Floats | None = None
    tuned: bool = False
    """Whether the thresholds of trips were tuned on it; those of losses were chosen with all packaged ones in view."""

    @property
    def interval_s(self) -> float:
        """The usual distance between two samples."""
        return float(np.median(np.diff(self.times_us))) / 1e6

    @property
    def days(self) -> float:
        """How long it is."""
        return float(self.times_us[-1] - self.times_us[0]) / 86_400e6

    def first_days(self, days: float) -> Trace:
        """Its beginning."""
        keep = self.times_us < self.times_us[0] + int(days * 86_400e6)
        columns = {name: value[keep] for name, value in vars(self).items() if isinstance(value, np.ndarray)}
        return replace(self, **columns)


def micros_of(times: pd.DatetimeIndex) -> npt.NDArray[np.int64]:
    """UTC; times without a zone are taken for it."""
    utc = times.tz_localize("UTC") if times.tz is None else times.tz_convert("UTC")
    return utc.as_unit("us").asi8  # type: ignore[no-any-return]


def _frame(name: str, zone: str | None = None) -> pd.DataFrame:
    frame = pd.read_csv(DATA / name, index_col=0)
    frame.index = pd.to_datetime(frame.index, utc=zone is None)
    return frame if zone is None else frame.tz_localize(zone)


def packaged() -> Iterator[Trace]:
    """The power traces of pvanalytics. Capacities are the plants' AC ratings, else the greatest power seen.

    On the two inverters the rules for stuck values and clipping were tuned (with their labels), and what speaks for a
    loss was chosen with them in view; trips on them are reported, never looked at while thresholds were chosen.
    """
    rsf = _frame("nrel_RSF_II.csv", MOUNTAIN)
    yield Trace(
        "nrel-rsf-ii", micros_of(rsf.index), rsf.ac_power_kw_1137.to_numpy(float), 408.0, on_site=True, tuned=True,
        poa_w_m2=rsf.poa_irradiance__1055.to_numpy(float), module_c=rsf.module_temp__1056.to_numpy(float),
        ambient_c=rsf.ambient_temp__1053.to_numpy(float), wind_m_s=rsf.wind_speed__1051.to_numpy(float),
    )  # fmt: skip
    west = _frame("serf_west_15min.csv", MOUNTAIN)
    yield Trace(
        "serf-west", micros_of(west.index), west.ac_power__773.to_numpy(float) / 1e3, 6.0, on_site=True, tuned=True,
        poa_w_m2=west.poa_irradiance__771.to_numpy(float), module_c=west.module_temp_1__781.to_numpy(float),
        ambient_c=west.ambient_temp__780.to_numpy(float),
    )  # fmt: skip
    east, sky = _frame("serf_east_15min_ac_power.csv"), _frame("serf_east_psm3_data.csv")
    power = east.ac_power.to_numpy(float) / 1e3
    yield Trace("serf-east", micros_of(east.index), power, 6.0, on_site=False, tuned=True)
    yield Trace(
        "serf-east-satellite", micros_of(east.index), power, 6.0, on_site=False, tuned=True,
        ghi_w_m2=sky.ghi.reindex(east.index).to_numpy(float), ambient_c=sky.temp_air.reindex(east.index).to_numpy(float),  # noqa: E501
    )  # fmt: skip
    minute = _frame("serf_east_1min_ac_power.csv")
    power = minute.iloc[:, 0].to_numpy(float) / 1e3
    yield Trace("serf-east-1min", micros_of(minute.index), power, 6.0, on_site=False, tuned=True)
    mesa = _frame("nrel_1axis_tracker_mesa_ac_power.csv")
    yield Trace("mesa-tracker", micros_of(mesa.index), mesa.ac_power.to_numpy(float), 350.0, on_site=False, tuned=True)
    fifty = pd.read_parquet(DATA / "system_50_ac_power_2_full_DST.parquet")
    times = pd.DatetimeIndex(pd.to_datetime(fifty.measured_on, utc=True))
    power = fifty.ac_power_2.to_numpy(float) / 1e3
    yield Trace("system-50", micros_of(times), power, 3.2, on_site=False, tuned=True)
    sky = pd.read_parquet(DATA / "system_50_ac_power_2_full_DST_psm3.parquet")
    seen = micros_of(pd.DatetimeIndex(pd.to_datetime(sky["index"], utc=True)))
    yield Trace(
        "system-50-satellite", micros_of(times), power, 3.2, on_site=False, tuned=True,
        ghi_w_m2=np.interp(micros_of(times), seen, sky.ghi), ambient_c=np.interp(micros_of(times), seen, sky.temp_air),
    )  # fmt: skip
    yield _normalised("inverter-2173", _frame("ac_power_inv_2173.csv").dropna())
    yield _normalised("inverter-7539", _frame("ac_power_inv_7539.csv"))


def labelled_stale() -> tuple[Trace, npt.NDArray[np.bool_]]:
    """pvanalytics' trace with stuck values, and which samples are."""
    frame = _frame("ac_power_inv_2173_stale_data.csv").dropna()
    return _normalised("inverter-2173", frame), frame.stale_data_mask.to_numpy(bool)


def labelled_clipping() -> tuple[Trace, npt.NDArray[np.bool_]]:
    """pvanalytics' trace with clipping, and which samples are."""
    frame = _frame("ac_power_inv_7539.csv")
    return _normalised("inverter-7539", frame), frame.label.to_numpy(bool)


def _normalised(name: str, frame: pd.DataFrame) -> Trace:
    return Trace(name, micros_of(frame.index), frame.value_normalized.to_numpy(float), 1.0, on_site=False)
