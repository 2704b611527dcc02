"""The plants of the fleet: where they stand, how big they are, how they look at the sky."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from heliograph.sites import Site
from ingest.fleet.noise import Floats, uniform
from ingest.fleet.towns import SHARES, TOWNS, Town

SCATTER_DEG = {"KR-11": 0.02, "KR-26": 0.015, "KR-28": 0.02, "KR-49": 0.025}
"""How far plants stand from the middle of their town, where the coast or the border is near; else:"""
USUAL_SCATTER_DEG = 0.045

SIZES_KW = ((0.62, 95.0, 500.0), (0.28, 500.0, 1_000.0), (0.08, 1_000.0, 10_000.0), (0.02, 10_000.0, 90_000.0))
"""Share, least and most capacity: most Korean plants lie just under 100 kW to 1 MW, a few are solar parks."""

DC_TO_AC = (1.05, 1.30)
MAX_PLANTS = 200_000


@dataclass(frozen=True, slots=True)
class Plants:
    """The fleet as columns, one element a plant."""

    sites: tuple[Site, ...]
    latitude_deg: Floats
    longitude_deg: Floats
    capacity_kw: Floats
    dc_capacity_kw: Floats
    tilt_rad: Floats
    azimuth_rad: Floats

    def __len__(self) -> int:
        return len(self.sites)


def build_plants(seed: int, count: int) -> Plants:
    """The first `count` plants of the seed's fleet: more plants leave the first ones as they are.

    Raises `ValueError` for a count outside [1, 200,000].
    """
    if not 1 <= count <= MAX_PLANTS:
        raise ValueError(f"the fleet has {count} plants, outside [1, {MAX_PLANTS}]")
    index = np.arange(count)
    draw = [uniform(seed, 100 + stream, index) for stream in range(9)]
    towns = [(code, town) for code in SHARES for town in TOWNS[code]]
    weights = np.cumsum([share / len(TOWNS[code]) for code, share in SHARES.items() for _ in TOWNS[code]])
    chosen = np.searchsorted(weights / weights[-1], draw[0], side="right")
    distance, bearing = np.sqrt(draw[1]), 2 * np.pi * draw[2]
    scatter = np.array([SCATTER_DEG.get(code, USUAL_SCATTER_DEG) for code, _ in towns])[chosen]
    latitude = np.round(np.array([town[1] for _, town in towns])[chosen] + scatter * distance * np.cos(bearing), 5)
    longitude = np.round(np.array([town[2] for _, town in towns])[chosen] + scatter * distance * np.sin(bearing), 5)
    capacity = _capacities(draw[3], draw[4])
    dc_capacity = np.round(capacity * (DC_TO_AC[0] + (DC_TO_AC[1] - DC_TO_AC[0]) * draw[5]), 1)
    tilt = np.round(15 + 20 * draw[6])
    azimuth = np.round(180 + 50 * (draw[7] - 0.5))
    sites = tuple(
        _site(number, towns[chosen[number]], row)
        for number, row in enumerate(
            zip(
                *(column.tolist() for column in (latitude, longitude, capacity, dc_capacity, tilt, azimuth)),
                strict=True,
            )
        )
    )
    return Plants(sites, latitude, longitude, capacity, dc_capacity, np.radians(tilt), np.radians(azimuth))


def _capacities(which: Floats, where: Floats) -> Floats:
    """Log-uniform within each class of size, kW."""
    capacity = np.zeros_like(which)
    bound = 0.0
    for share, least, most in SIZES_KW:
        inside = (which >= bound) & (which < bound + share)
        capacity[inside] = least * (most / least) ** where[inside]
        bound += share
    capacity[capacity == 0] = SIZES_KW[-1][2]
    return np.round(capacity, 1)


def _site(number: int, place: tuple[str, Town], columns: tuple[float, float, float, float, float, float]) -> Site:
    code, town = place
    latitude, longitude, capacity_kw, dc_capacity_kw, tilt, azimuth = columns
    return Site(
        plant_id=f"kr{code[3:]}-{number:05d}",
        name=f"{town[0]} {number:05d}",
        region=code,
        latitude=latitude,
        longitude=longitude,
        capacity_kw=capacity_kw,
        dc_capacity_kw=dc_capacity_kw,
        tilt_deg=tilt,
        azimuth_deg=azimuth,
        owner="simulated fleet",
    )
