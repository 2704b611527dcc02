"""Weather that comes apart from a plant's power: more rarely, and late.

A weather service tells what it was like each quarter hour, by then up to half an hour ago, while inverters tell their
power every few seconds. So what is known of a plant's weather holds until something newer comes, two hours at most: air
and wind as they were, irradiance as a share of what a clear sky gives, so that it goes with the sun.

    hub time           12:00                 12:15                 12:30
    weather              ▪ of 11:45            ▪ of 12:00            ▪ of 12:15
    power             ·  ·  ·  ·  ·  ·  ·  ·  ·  ·  ·  ·  ·  ·  ·  ·  ·  ·  ·
    its sky              └─ as at 11:45 ─────▶ └─ as at 12:00 ─────▶ └─ …
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from analyzer.columns import SECOND, Floats, Ints, Mask, Micros, Values, put
from analyzer.folds import Table
from analyzer.memory import Columns
from analyzer.plants import Plants
from analyzer.sun import Sky, sky_at

HOLDS_US = 2 * 3600 * SECOND
LEAST_CLEAR_W_M2 = 50.0
"""In less light a share of clear-sky irradiance says nothing."""


@dataclass(frozen=True, slots=True)
class Bulletin:
    """Weather of k plants that came when the windows of its time had settled; it is known from `at_us` on."""

    at_us: int
    rows: Ints
    times: Micros
    index: Floats
    """Of global irradiance over that of a clear sky; NaN for none."""
    ambient_c: Floats
    wind_m_s: Floats

    def moved(self, new_row: Ints) -> Bulletin:
        """With plants renumbered; those that become -1 are forgotten."""
        kept = new_row[self.rows] >= 0
        columns = (self.times[kept], self.index[kept], self.ambient_c[kept], self.wind_m_s[kept])
        return Bulletin(self.at_us, new_row[self.rows[kept]], *columns)


@dataclass(frozen=True, slots=True)
class Weather(Columns):
    """What is known last of each plant's weather; never changed in place."""

    index: Floats
    """As in `Bulletin`."""
    index_us: Micros
    """What time that is of; 0 for none."""
    ambient_c: Floats
    wind_m_s: Floats
    air_us: Micros

    def told(self, bulletins: Iterable[Bulletin], start_us: int) -> Weather:
        """With what is known from bulletins when a window begins. To be told again changes nothing."""
        weather = self
        for one in bulletins:
            if one.at_us <= start_us:
                weather = weather._with(one.rows, one.times, one.index, one.ambient_c, one.wind_m_s)
        return weather

    def after(self, table: Table, sky: Sky, end_us: int) -> Weather:
        """After a window that has weather of its own; the sky over all plants in its middle."""
        known = ~(np.isnan(table.ghi_w_m2) & np.isnan(table.ambient_c) & np.isnan(table.wind_m_s))
        if not known.any():
            return self
        rows = table.rows[known]
        index = clear_index(table.ghi_w_m2[known], sky.of(rows))
        times = np.full(rows.size, end_us, dtype=np.int64)
        return self._with(rows, times, index, table.ambient_c[known], table.wind_m_s[known])

    def _with(self, rows: Ints, times: Micros, index: Floats, ambient_c: Floats, wind_m_s: Floats) -> Weather:
        shines = ~np.isnan(index) & (times > self.index_us[rows])
        blows = ~(np.isnan(ambient_c) & np.isnan(wind_m_s)) & (times > self.air_us[rows])
        if not shines.any() and not blows.any():
            return self
        sunny, windy = rows[shines], rows[blows]
        return Weather(
            index=put(self.index, sunny, index[shines]),
            index_us=put(self.index_us, sunny, times[shines]),
            ambient_c=put(self.ambient_c, windy, ambient_c[blows]),
            wind_m_s=put(self.wind_m_s, windy, wind_m_s[blows]),
            air_us=put(self.air_us, windy, times[blows]),
        )

    def filled(self, table: Table, sky: Sky, start_us: int) -> Table:
        """The table of a window with what is known of the weather where it has none; the sky over all plants."""
        dark = np.isnan(table.poa_w_m2) & np.isnan(table.ghi_w_m2) & self._is_fresh(self.index_us, table.rows, start_us)
        still = self._is_fresh(self.air_us, table.rows, start_us)
        if dark.any():
            rows = table.rows[dark]
            ghi_w_m2 = put(table.ghi_w_m2, np.flatnonzero(dark), self.index[rows] * sky.of(rows).clear_ghi_w_m2())
            table = replace(table, ghi_w_m2=ghi_w_m2)
        if still.any():
            rows = table.rows
            ambient_c = np.where(still & np.isnan(table.ambient_c), self.ambient_c[rows], table.ambient_c)
            wind_m_s = np.where(still & np.isnan(table.wind_m_s), self.wind_m_s[rows], table.wind_m_s)
            table = replace(table, ambient_c=ambient_c, wind_m_s=wind_m_s)
        return table

    def _is_fresh(self, since_us: Micros, rows: Ints, start_us: int) -> Mask:
        result: Mask = since_us[rows] > max(start_us - HOLDS_US, 0)
        return result


def clear_index(ghi_w_m2: Floats, sky: Sky) -> Floats:
    """Share of clear-sky irradiance, (k,); NaN in little light."""
    clear = sky.clear_ghi_w_m2()
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(clear > LEAST_CLEAR_W_M2, np.maximum(ghi_w_m2, 0.0) / clear, np.nan)


def bulletin(at_us: int, rows: Ints, times: Micros, values: Values, plants: Plants) -> Bulletin:
    """Of n readings of weather: the newest of each plant. Means stand for the middle of their interval."""
    order = np.lexsort((times, rows))
    newest = order[np.append(rows[order][1:] != rows[order][:-1], True)]
    rows, times = rows[newest], times[newest]

    def column(name: str) -> Floats:
        return values[name][newest] if name in values else np.full(rows.size, np.nan)

    middles = times - (np.nan_to_num(column("interval_s")) * SECOND / 2).astype(np.int64)
    ghi_w_m2, index = column("ghi_w_m2"), np.full(rows.size, np.nan)
    latitude, longitude, *_ = plants.geography[rows].T
    for middle in np.unique(middles).tolist():
        then = middles == middle
        index[then] = clear_index(ghi_w_m2[then], sky_at(middle, latitude[then], longitude[then]))
    return Bulletin(at_us, rows, times, index, column("ambient_c"), column("wind_m_s"))
