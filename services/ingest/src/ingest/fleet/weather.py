"""The fleet's sky: clear-sky irradiance, moving clouds, temperature and wind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ingest.fleet.clear_sky import ineichen, relative_airmass
from ingest.fleet.noise import Floats, along_time, over_plane, uniform
from ingest.fleet.plants import Plants
from ingest.sun import DAY_S, sun_position

LINKE_TURBIDITY = 3.5
"""A usual value of East Asia's plains, the same all year."""
ALTITUDE_M = 80.0
LOWEST_COS = 0.005
"""Under this the sun counts as down."""
ALBEDO = 0.2
KST_S = 9 * 3600
KM_PER_DEG = 111.2
CLOUD_SCALES = ((260.0, 0.45), (75.0, 0.35), (22.0, 0.20))
"""Size in km and weight of the layers of the cloud field."""
MEAN_C, SEASON_C, DAY_C = 12.5, 13.0, 4.5


@dataclass(frozen=True, slots=True)
class Weather:
    """At each plant; W/m2, degC, m/s."""

    ghi_w_m2: Floats
    poa_w_m2: Floats
    ambient_c: Floats
    wind_m_s: Floats


def weather_at(seed: int, plants: Plants, index: Floats, epoch_s: Floats) -> Weather:
    """The weather at the plants; `epoch_s` is one time, or one for each plant; `index` their numbers."""
    latitude, longitude = plants.latitude_deg, plants.longitude_deg
    sun = sun_position(epoch_s, latitude, longitude)
    up = sun.cos_zenith > LOWEST_COS
    cos_zenith = np.maximum(sun.cos_zenith, LOWEST_COS)
    airmass = relative_airmass(np.degrees(np.arccos(cos_zenith)))
    clear_ghi, clear_dni = ineichen(cos_zenith, airmass, LINKE_TURBIDITY, ALTITUDE_M, sun.extra_w_m2)
    cover = _cloud_cover(seed, plants, index, epoch_s)
    clearness = 1 - 0.75 * cover**3.4  # Kasten and Czeplak, Solar Energy 24 (1980) 177-189
    ghi = np.where(up, clear_ghi * clearness, 0.0)
    dni = np.where(up, clear_dni * (1 - cover) ** 1.5, 0.0)
    diffuse = np.maximum(ghi - dni * cos_zenith, 0)
    cos_incidence = sun.cos_zenith * np.cos(plants.tilt_rad) + np.sqrt(np.clip(1 - sun.cos_zenith**2, 0, 1)) * np.sin(
        plants.tilt_rad
    ) * np.cos(sun.azimuth - plants.azimuth_rad)
    view = np.cos(plants.tilt_rad)
    poa = dni * np.maximum(cos_incidence, 0) + diffuse * (1 + view) / 2 + ghi * ALBEDO * (1 - view) / 2
    return Weather(ghi, poa, _ambient(seed, latitude, longitude, epoch_s, ghi), _wind(seed, index, epoch_s))


def _cloud_cover(seed: int, plants: Plants, index: Floats, epoch_s: Floats) -> Floats:
    """Cover of the sky over each plant, 0 to 1: fields of three sizes that drift east, under the weather of the day
    and region, and a flicker of each site's own."""
    east_km = plants.longitude_deg * KM_PER_DEG * 0.81 - 0.012 * epoch_s
    north_km = plants.latitude_deg * KM_PER_DEG + 0.004 * epoch_s
    field = sum(
        weight * over_plane(seed, 10 + layer, east_km / size, north_km / size)
        for layer, (size, weight) in enumerate(CLOUD_SCALES)
    )
    half_days = (epoch_s + KST_S) / (DAY_S / 2)
    regime = along_time(seed, 20, half_days, 1.7, np.floor(plants.latitude_deg / 1.5))
    flicker = along_time(seed, 21, epoch_s, 240.0, index) - 0.5
    cover = 1.9 * (field - 0.5) + 1.15 * regime - 0.12
    broken = np.clip(1 - np.abs(2 * cover - 1), 0, 1)
    clipped: Floats = np.clip(cover + 0.25 * broken * flicker, 0, 1)
    return clipped


def _ambient(seed: int, latitude: Floats, longitude: Floats, epoch_s: Floats, ghi: Floats) -> Floats:
    year = (epoch_s / DAY_S + 10) / 365.25 * 2 * np.pi
    hour = (epoch_s + longitude * 240) / DAY_S * 2 * np.pi
    spell = along_time(seed, 30, epoch_s, 2.5 * DAY_S, np.floor(latitude)) - 0.5
    ambient: Floats = (
        MEAN_C - 0.9 * (latitude - 36) - SEASON_C * np.cos(year) - DAY_C * np.cos(hour - 0.6) + 6 * spell + ghi / 400
    )
    return ambient


def _wind(seed: int, index: Floats, epoch_s: Floats) -> Floats:
    gale = along_time(seed, 40, epoch_s, 5 * 3600.0)
    wind: Floats = 0.4 + 5 * gale * (0.4 + along_time(seed, 41, epoch_s, 600.0, index)) + 0.2 * uniform(seed, 42, index)
    return wind
