"""What each plant should have produced in a window, in the weather that it had.

1. Night: nothing.
2. Irradiance measured, or held since it was last told (in the plane, or horizontal and turned into it): pvlib's PVWatts
   from irradiance, cell temperature and capacity.
3. Else from the neighbours: the clear-sky index of a region is the median, over its plants, of actual power over
   power under a clear sky; a plant should have that share of its own clear-sky power.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from pvlib import inverter, pvsystem, temperature  # type: ignore[import-untyped]

from analyzer.columns import Floats, Ints, Mask
from analyzer.folds import Table
from analyzer.plants import Plants
from analyzer.sun import Sky, sky_at

POWER_PER_DEGREE = -0.004
"""Loss of power with cell temperature, 1/degC: the usual crystalline module (PVWatts version 5, NREL/TP-6A20-62641)."""
SYSTEM_DERATE = 0.86
"""PVWatts' default losses of 14 %: soiling, shading, mismatch, wiring and the rest."""
INVERTER_EFFICIENCY = 0.96
CELL_OVER_BACK_C = 3.0
"""A cell is warmer than the module's back by this much at 1000 W/m2 (King et al., SAND2004-3535, open rack)."""
USUAL_AMBIENT_C = 20.0
USUAL_WIND_M_S = 1.0
NIGHT_BELOW_DEG = 0.0
"""Elevation of the sun under which a plant is expected to give nothing."""
CLEAR_SHARE_NEEDED = 0.05
"""A plant speaks for its neighbours' sky only while clear-sky power is over this share of capacity."""
NEIGHBOURS_NEEDED = 3
MINUTE_US = 60_000_000


@dataclass(frozen=True, slots=True)
class Expectation:
    """(k,) for the k lines of a table; NaN where it can't be said."""

    expected_kw: Floats
    clear_kw: Floats
    """Under a clear sky."""
    elevation_deg: Floats
    measured: Mask
    """Whether it rests on irradiance reported for the plant."""
    in_plane: Mask
    """Whether that was measured in the plane of its modules, not horizontally."""
    index: Floats
    """Clear-sky index of the plant's region; dimensionless."""
    neighbours: Ints
    """Plants that the index rests on."""
    module_c: Floats
    """What sun, air and wind make of the modules' back; NaN without irradiance or air temperature."""


class ClearSky(NamedTuple):
    """The sun over all plants of a lane, and what it would put into their planes through a clear sky."""

    sky: Sky
    poa_w_m2: Floats


def clear_sky(plants: Plants, middle_us: int) -> ClearSky:
    """At the minute that a time falls into: the sun moves a quarter of a degree in it, and many windows share it."""
    minute_us = middle_us // MINUTE_US * MINUTE_US + MINUTE_US // 2
    if plants.clear_sky is None or plants.clear_sky[0] != (minute_us, len(plants)):
        latitude, longitude, tilt, azimuth, _ = plants.geography.T
        sky = sky_at(minute_us, latitude, longitude)
        poa = sky.poa_w_m2(sky.clear_ghi_w_m2(), tilt, azimuth)
        plants.clear_sky = (minute_us, len(plants)), ClearSky(sky, poa)
    found: ClearSky = plants.clear_sky[1]
    return found


def expect(table: Table, plants: Plants, middle_us: int) -> Expectation:
    """The expectation for each line of a table of one window, whose middle is given."""
    _, _, tilt, azimuth, dc_per_ac = plants.geography[table.rows].T
    clear = clear_sky(plants, middle_us)
    sky, clear_poa = clear.sky.of(table.rows), clear.poa_w_m2[table.rows]
    elevation = sky.elevation_deg
    with np.errstate(invalid="ignore"):
        night = elevation < NIGHT_BELOW_DEG
    capacity = table.capacity_kw
    clear_kw = np.where(night, 0.0, power_kw(clear_poa, cell_c(clear_poa, table), capacity, dc_per_ac))
    index, neighbours = _sky_index(table, clear_kw, plants.region[table.rows], len(plants.regions))
    poa = _poa(table, sky, tilt, azimuth)
    measured = ~np.isnan(poa)
    from_irradiance = power_kw(poa, cell_c(poa, table), capacity, dc_per_ac)
    from_neighbours = np.minimum(index * clear_kw, capacity)
    expected = np.where(measured, from_irradiance, from_neighbours)
    module = _module_c(poa, table)
    in_plane, expected = ~np.isnan(table.poa_w_m2), np.where(night, 0.0, expected)
    return Expectation(expected, clear_kw, elevation, measured, in_plane, index, neighbours, module)


def _module_c(poa_w_m2: Floats, table: Table) -> Floats:
    poa = np.maximum(poa_w_m2, 0.0)
    wind = np.where(np.isnan(table.wind_m_s), USUAL_WIND_M_S, table.wind_m_s)
    cell: Floats = temperature.faiman(poa, table.ambient_c, wind)
    return cell - CELL_OVER_BACK_C * poa / 1000.0


def power_kw(poa_w_m2: Floats, cell: Floats, capacity_kw: Floats, dc_per_ac: Floats) -> Floats:
    """AC power of a plant by PVWatts; all (k,)."""
    dc_kw = pvsystem.pvwatts_dc(np.maximum(poa_w_m2, 0.0), cell, capacity_kw * dc_per_ac, POWER_PER_DEGREE)
    result: Floats = inverter.pvwatts(dc_kw * SYSTEM_DERATE, capacity_kw / INVERTER_EFFICIENCY, INVERTER_EFFICIENCY)
    return result


def cell_c(poa_w_m2: Floats, table: Table) -> Floats:
    """Cell temperature: from the module's back where it is measured, else by Faiman's model from air and wind."""
    poa = np.maximum(poa_w_m2, 0.0)
    warmed = table.module_c + CELL_OVER_BACK_C * poa / 1000.0
    unknown = np.isnan(table.module_c)
    if not unknown.any():
        return warmed
    ambient = np.where(np.isnan(table.ambient_c), USUAL_AMBIENT_C, table.ambient_c)
    wind = np.where(np.isnan(table.wind_m_s), USUAL_WIND_M_S, table.wind_m_s)
    modelled: Floats = temperature.faiman(poa, ambient, wind)
    return np.where(unknown, modelled, warmed)


def _poa(table: Table, sky: Sky, tilt: Floats, azimuth: Floats) -> Floats:
    horizontal_only = np.isnan(table.poa_w_m2) & ~np.isnan(table.ghi_w_m2)
    if not horizontal_only.any():
        return table.poa_w_m2
    turned = sky.poa_w_m2(np.maximum(table.ghi_w_m2, 0.0), tilt, azimuth)
    return np.where(horizontal_only, np.where(np.isnan(turned), table.ghi_w_m2, turned), table.poa_w_m2)


def _sky_index(table: Table, clear_kw: Floats, region: Ints, regions: int) -> tuple[Floats, Ints]:
    """Median by region of actual over clear-sky power, for each line, and how many plants it rests on."""
    mean_kw = table.generation_kw.mean
    speaks = (clear_kw > CLEAR_SHARE_NEEDED * table.capacity_kw) & ~np.isnan(mean_kw)
    medians, counts = medians_by(region[speaks], mean_kw[speaks] / clear_kw[speaks], regions)
    medians[counts < NEIGHBOURS_NEEDED] = np.nan
    return np.maximum(medians, 0.0)[region], counts[region]


def medians_by(groups: Ints, values: Floats, size: int) -> tuple[Floats, Ints]:
    """Median of the values of each group 0 to size-1 (NaN for none), and their counts."""
    counts = np.bincount(groups, minlength=size)
    by_value = np.argsort(values)
    narrow = groups[by_value].astype(np.min_scalar_type(size))  # up to two bytes are sorted by radix
    order = by_value[np.argsort(narrow, kind="stable")]
    begins = np.cumsum(counts) - counts
    medians = np.full(size, np.nan)
    some = counts > 0
    low, high = begins + np.maximum(counts - 1, 0) // 2, begins + counts // 2
    medians[some] = (values[order][low[some]] + values[order][high[some]]) / 2.0
    return medians, counts
