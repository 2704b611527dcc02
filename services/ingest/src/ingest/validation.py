"""Judges observations as physics has it: what is suspicious is flagged, what is impossible is refused with a reason.

| check | suspicious (flag) | impossible (reason) |
|---|---|---|
| power | over 1.2 x capacity: `above-capacity` | over 3 x capacity, or under -(10 % + 1 kW): `power-bounds` |
| power in the dark | sun under -3 deg, over 2 % of capacity: `sun-down` | sun under -8 deg, over 20 %: `sun-down` |
| horizontal irradiance | over the rare limit: `irradiance-rare` | over the possible limit: `irradiance-bounds` |
| in-plane irradiance | over 1500 W/m2: `irradiance-rare` | outside [-20, 2000] W/m2: `irradiance-bounds` |
| temperature | module over 95 degC, ambient over 55: `temperature-rare` | outside [-90, 150]: `temperature-bounds` |
| wind | over 50 m/s: `wind-rare` | outside [0, 120] m/s: `wind-bounds` |
| clock | ahead by more than 5 s: `clock-skew` | ahead by more than `max_skew_s`: `future` |
| shape | | NaN or infinite: `not-finite`; no value at all: `empty`; longer than a day: `interval` |

The limits of horizontal irradiance are those of the Baseline Surface Radiation Network (C. N. Long and E. G. Dutton,
"BSRN Global Network recommended QC tests, V2.0", 2010), which hold for any place and any sun.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from heliograph.contracts import EARLIEST, MAX_POWER_KW, MIN_POWER_KW, Reading
from heliograph.sites import Site
from ingest.observations import Observation
from ingest.sun import sun_position

SKEW_FLAG_S = 5.0
DARK_COS, NIGHT_COS = math.cos(math.radians(93)), math.cos(math.radians(98))
CELL_DEG, CELL_S = 0.1, 120.0
MAX_CACHED_SUNS = 50_000


class ImpossibleError(ValueError):
    """An observation that can't be; `reason` is a short word for counting."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _Sky:
    cos_zenith: float
    extra_w_m2: float


class Validator:
    """Turns observations into readings. Keeps the sun of places and times that come up often."""

    def __init__(self, *, max_skew_s: float = 300.0) -> None:
        self._max_skew_s = max_skew_s
        self._skies: dict[tuple[int, int, int], _Sky] = {}
        self._looked_up: tuple[Observation | None, _Sky] = (None, _Sky(0.0, 0.0))

    def reading(self, seen: Observation, site: Site, now: datetime, flags: Sequence[str] = ()) -> Reading:
        """The reading, enriched from the registry. Raises `ImpossibleError`.

        `now` is the time on the clock that the source should be right by.
        """
        capacity_kw = seen.capacity_kw or site.capacity_kw
        found = [*flags, *self._clock(seen, now)]
        _shape(seen)
        if seen.generation_kw is not None:
            found += self._power(seen, seen.generation_kw, capacity_kw, site)
        if seen.ghi_w_m2 is not None:
            found += self._horizontal(seen, seen.ghi_w_m2, site)
        for check in _WEATHER:
            found += check(seen)
        return Reading(
            v=1,
            plant_id=seen.plant_id,
            source=seen.source,
            observed_at=seen.observed_at,
            interval_s=seen.interval_s,
            region=site.region,
            capacity_kw=capacity_kw,
            generation_kw=seen.generation_kw,
            poa_w_m2=seen.poa_w_m2,
            ghi_w_m2=seen.ghi_w_m2,
            module_c=seen.module_c,
            ambient_c=seen.ambient_c,
            wind_m_s=seen.wind_m_s,
            flags=tuple(dict.fromkeys(found)) if found else (),
        )

    def _clock(self, seen: Observation, now: datetime) -> Sequence[str]:
        if seen.observed_at < EARLIEST:
            raise ImpossibleError("past", f"observed_at is {seen.observed_at.isoformat()}, before {EARLIEST:%Y}")
        ahead_s = (seen.observed_at - now).total_seconds()
        if ahead_s <= SKEW_FLAG_S:
            return ()
        if ahead_s > self._max_skew_s:
            raise ImpossibleError("future", f"observed_at is {ahead_s:.0f} s ahead of {now.isoformat()}")
        return ("clock-skew",)

    def _power(self, seen: Observation, power_kw: float, capacity_kw: float, site: Site) -> Sequence[str]:
        ratio = power_kw / capacity_kw
        least_kw = max(MIN_POWER_KW, -(0.1 * capacity_kw + 1))
        if ratio > 3 or power_kw > MAX_POWER_KW or power_kw < least_kw:
            hint = ", as if it were in watts" if ratio > 500 else ""
            bounds = f"[{least_kw:g}, {min(3 * capacity_kw, MAX_POWER_KW):g}]"
            raise ImpossibleError("power-bounds", f"generation_kw is {power_kw:g}, outside {bounds}{hint}")
        flags = ("above-capacity",) if ratio > 1.2 else ()
        if ratio <= 0.02:
            return flags
        cos_zenith = self._sky(seen, site).cos_zenith
        if cos_zenith >= DARK_COS:
            return flags
        if cos_zenith < NIGHT_COS and ratio > 0.2:
            under_deg = math.degrees(math.acos(cos_zenith)) - 90
            raise ImpossibleError(
                "sun-down", f"generation_kw is {power_kw:g} while the sun is {under_deg:.0f} deg under the horizon"
            )
        return (*flags, "sun-down")

    def _horizontal(self, seen: Observation, ghi_w_m2: float, site: Site) -> Sequence[str]:
        if -4 <= ghi_w_m2 <= 50:
            return ()
        sky = self._sky(seen, site)
        cos_zenith = max(0.0, sky.cos_zenith)
        possible = 1.5 * sky.extra_w_m2 * cos_zenith**1.2 + 100
        if not -20 <= ghi_w_m2 <= possible:
            raise ImpossibleError("irradiance-bounds", f"ghi_w_m2 is {ghi_w_m2:g}, outside [-20, {possible:.0f}]")
        rare = 1.2 * sky.extra_w_m2 * cos_zenith + 50
        return ("irradiance-rare",) if ghi_w_m2 > rare or ghi_w_m2 < -4 else ()

    def _sky(self, seen: Observation, site: Site) -> _Sky:
        """The highest sun of the interval, over a cell of 0.1 degrees and two minutes. Two checks ask for the same."""
        if seen is self._looked_up[0]:
            return self._looked_up[1]
        end_s = seen.observed_at.timestamp()
        sky = self._sky_at(end_s, site)
        if seen.interval_s > 2 * CELL_S:
            steps = (end_s - seen.interval_s, end_s - seen.interval_s / 2)
            sky = max(sky, *(self._sky_at(step, site) for step in steps), key=lambda one: one.cos_zenith)
        self._looked_up = (seen, sky)
        return sky

    def _sky_at(self, epoch_s: float, site: Site) -> _Sky:
        cell = (round(epoch_s / CELL_S), round(site.latitude / CELL_DEG), round(site.longitude / CELL_DEG))
        sky = self._skies.get(cell)
        if sky is None:
            if len(self._skies) >= MAX_CACHED_SUNS:
                self._skies.clear()
            sun = sun_position(cell[0] * CELL_S, cell[1] * CELL_DEG, cell[2] * CELL_DEG)
            sky = self._skies[cell] = _Sky(float(sun.cos_zenith), float(sun.extra_w_m2))
        return sky


def _shape(seen: Observation) -> None:
    values = (
        seen.generation_kw, seen.poa_w_m2, seen.ghi_w_m2, seen.module_c, seen.ambient_c, seen.wind_m_s,
    )  # fmt: skip
    empty = True
    for value in values:
        if value is None:
            continue
        empty = False
        if not math.isfinite(value):
            raise ImpossibleError("not-finite", f"a value of {seen.plant_id} is {value}")
    if empty:
        raise ImpossibleError("empty", f"no value of {seen.plant_id} at {seen.observed_at.isoformat()}")
    if not 0 <= seen.interval_s <= 86_400:
        raise ImpossibleError("interval", f"interval_s is {seen.interval_s:g}, outside [0, 86400]")


def _in_plane(seen: Observation) -> Sequence[str]:
    value = seen.poa_w_m2
    if value is None or 0 <= value <= 1500:
        return ()
    if not -20 <= value <= 2000:
        raise ImpossibleError("irradiance-bounds", f"poa_w_m2 is {value:g}, outside [-20, 2000]")
    return ("irradiance-rare",) if value > 1500 else ()


def _temperatures(seen: Observation) -> Sequence[str]:
    flags: tuple[str, ...] = ()
    for name, value, least, most in (
        ("module_c", seen.module_c, -50.0, 95.0),
        ("ambient_c", seen.ambient_c, -45.0, 55.0),
    ):
        if value is None or least <= value <= most:
            continue
        if not -90 <= value <= 150:
            raise ImpossibleError("temperature-bounds", f"{name} is {value:g}, outside [-90, 150]")
        flags = ("temperature-rare",)
    return flags


def _wind(seen: Observation) -> Sequence[str]:
    value = seen.wind_m_s
    if value is None or 0 <= value <= 50:
        return ()
    if not 0 <= value <= 120:
        raise ImpossibleError("wind-bounds", f"wind_m_s is {value:g}, outside [0, 120]")
    return ("wind-rare",)


_WEATHER: tuple[Callable[[Observation], Sequence[str]], ...] = (_in_plane, _temperatures, _wind)
