"""The plants of one lane: a row number for each, and what is known of where it stands, as columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from analyzer.columns import Floats, Ints, Mask, put
from heliograph.regions import BY_CODE
from heliograph.sites import Site

Sites = Callable[[str], Site | None]
"""Looks a plant up in the site registry."""

DC_PER_AC = 1.2
"""Usual ratio of module to inverter capacity, where the registry does not say (NREL, ATB 2023: 1.2 to 1.34)."""
USUAL_TILT_DEG = 30.0
LISTS_KEPT = 256
_SITE_COLUMNS = ("latitude", "longitude", "tilt_deg", "azimuth_deg", "dc_per_ac")


def nowhere(_plant_id: str) -> Site | None:
    """A site registry that knows no plant."""
    return None


@dataclass(slots=True)
class Plants:
    """Columns by row. A plant that the registry does not know stands in the middle of its province; where that is
    unknown too, its coordinates are NaN."""

    ids: list[str] = field(default_factory=list)
    regions: list[str] = field(default_factory=list)
    """Names of the regions met, by region number."""
    region: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    """(rows,) region number of each plant."""
    geography: Floats = field(default_factory=lambda: np.empty((0, len(_SITE_COLUMNS))))
    """(rows, 5): latitude, longitude, tilt, azimuth in degrees, DC over AC capacity."""
    surveyed: Mask = field(default_factory=lambda: np.empty(0, dtype=np.bool_))
    """(rows,) whether the registry knows the plant."""
    left: Mask = field(default_factory=lambda: np.empty(0, dtype=np.bool_))
    """(rows,) whose readings go to another lane by now."""
    row_of: dict[str, int] = field(default_factory=dict)
    """Of those that have not left."""
    familiar: dict[str, tuple[list[str], Ints]] = field(default_factory=dict)
    """Lists of plants that came before, by their first, with their rows: sources pack the same plants again and again,
    and to compare two lists is several times cheaper than to look each plant up."""

    clear_sky: Any = None
    """The last answer of `expectation.clear_sky`, with its minute."""

    def __len__(self) -> int:
        return len(self.ids)

    def add(self, new: Sequence[tuple[str, str]], sites: Sites) -> None:
        """Gives rows to plants, each with its region."""
        self.row_of.update((plant_id, row) for row, (plant_id, _) in enumerate(new, len(self.ids)))
        self.ids.extend(plant_id for plant_id, _ in new)
        found = [sites(plant_id) for plant_id, _ in new]
        regions = [site.region if site else region for site, (_, region) in zip(found, new, strict=True)]
        self.region = np.append(self.region, self._numbers(regions))
        facts = [_geography(site, region) for site, region in zip(found, regions, strict=True)]
        self.geography = np.vstack((self.geography, facts))
        self.surveyed = np.append(self.surveyed, [site is not None for site in found])
        self.left = np.append(self.left, np.zeros(len(new), dtype=np.bool_))

    def leave(self, plant_id: str) -> None:
        """The plant's readings go to another lane from now on."""
        self.left = put(self.left, np.array([self.row_of.pop(plant_id)]), True)
        self.familiar = {}

    def rows(self, plant_ids: list[str]) -> Ints:
        """The row of each plant. Raises `KeyError` for one without."""
        known = self.familiar.get(plant_ids[0]) if plant_ids else None
        if known is not None and known[0] == plant_ids:
            return known[1]
        rows = np.fromiter(map(self.row_of.__getitem__, plant_ids), np.int64, len(plant_ids))
        if plant_ids:
            if len(self.familiar) >= LISTS_KEPT:
                self.familiar.clear()
            self.familiar[plant_ids[0]] = (plant_ids, rows)
        return rows

    def survey(self, sites: Sites) -> None:
        """Takes over what the site registry says now."""
        self.clear_sky = None
        found = [sites(plant_id) for plant_id in self.ids]
        regions = [
            site.region if site else self.regions[number] for site, number in zip(found, self.region, strict=True)
        ]
        self.region = self._numbers(regions)
        for row, (site, region) in enumerate(zip(found, regions, strict=True)):
            self.geography[row] = _geography(site, region)
            self.surveyed[row] = site is not None

    def _numbers(self, regions: Sequence[str]) -> Ints:
        self.regions += [region for region in dict.fromkeys(regions) if region not in self.regions]
        number_of = {region: number for number, region in enumerate(self.regions)}
        return np.array([number_of[region] for region in regions], dtype=np.int64)

    def keep(self, kept: Mask) -> None:
        """Forgets the plants outside the mask; the others move up."""
        self.ids = [plant_id for plant_id, stays in zip(self.ids, kept.tolist(), strict=True) if stays]
        self.region, self.geography, self.surveyed = self.region[kept], self.geography[kept], self.surveyed[kept]
        self.left = self.left[kept]
        self.row_of = {name: row for row, name in enumerate(self.ids) if not self.left[row]}
        self.familiar, self.clear_sky = {}, None


def _geography(site: Site | None, region: str) -> tuple[float, ...]:
    if site is None:
        return _middle_of(region)
    ratio = (site.dc_capacity_kw or site.capacity_kw * DC_PER_AC) / site.capacity_kw
    return site.latitude, site.longitude, site.tilt_deg, site.azimuth_deg, ratio


@lru_cache
def _middle_of(region: str) -> tuple[float, ...]:
    province = BY_CODE.get(region)
    latitude, longitude = (province.latitude, province.longitude) if province else (np.nan, np.nan)
    return latitude, longitude, USUAL_TILT_DEG, 180.0, DC_PER_AC
