"""What the sources produce: two fleets by day, both functions of their seed and of time.

One is simulated by ingest itself, on a schedule that one replica owns. The other's plants push their readings over
HTTP as they are made. Its plants stand where it is day now, by turning the globe under the simulated fleet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import msgspec

from heliograph.contracts import Reading
from heliograph.sites import Site
from ingest.fleet.model import SOURCE, Fleet
from ingest.observations import Observation

PUSHED = 0.1
"""Share of the plants that push."""
PUSH_SOURCE = "push"
FAULTS_PER_DAY = 0.5
"""Chance of a fault for each plant and day, so that a run of minutes has alerts."""
TEN_IN_KOREA_S = 1 * 3600
"""Of the UTC day."""


@dataclass(frozen=True)
class World:
    """Of a seed and a number of plants, one reading each a second, for so many seconds."""

    seed: int
    plants: int
    seconds: int
    opened: datetime
    """When it was made; where it is day follows from it."""
    begun: datetime
    """When the plants begin to push. Whole seconds, UTC."""

    @property
    def fleet_start(self) -> datetime:
        """Ten in the morning in Korea, today or yesterday."""
        day = self.opened.replace(hour=0, minute=0, second=0, microsecond=0)
        start = day + timedelta(seconds=TEN_IN_KOREA_S)
        return start if start <= self.opened else start - timedelta(days=1)

    @property
    def fleet_end(self) -> datetime:
        """The last moment that the fleet tells of."""
        return self.fleet_start + timedelta(seconds=self.seconds)

    @cached_property
    def fleet(self) -> Fleet:
        """The one that ingest simulates."""
        return Fleet(self.seed, self.plants - self.pushing, interval_s=1.0, faults_per_day=FAULTS_PER_DAY)

    @cached_property
    def _pushers(self) -> Fleet:
        return Fleet(self.seed + 1, self.pushing, interval_s=1.0, faults_per_day=FAULTS_PER_DAY)

    @property
    def pushing(self) -> int:
        """Plants that push."""
        return max(1, round(self.plants * PUSHED))

    @cached_property
    def sites(self) -> dict[str, Site]:
        """All plants."""
        return {site.plant_id: site for site in (*self.fleet.plants.sites, *self.push_sites)}

    @cached_property
    def push_sites(self) -> Sequence[Site]:
        """Where the pushing plants stand: as far west or east as the time of day asks for."""
        hours = (self.fleet_start - self.opened).total_seconds() / 3600
        return [
            msgspec.structs.replace(
                site,
                plant_id=f"push-{site.plant_id}",
                region=f"P{site.region[2:]}",
                longitude=round((site.longitude + 15 * hours + 180) % 360 - 180, 5),
                timezone="UTC",
            )
            for site in self._pushers.plants.sites
        ]

    def ingest_settings(self) -> dict[str, str]:
        """What makes ingest simulate the fleet."""
        return {
            "HELIOGRAPH_FLEET_SEED": str(self.seed),
            "HELIOGRAPH_FLEET_INTERVAL_S": "1",
            "HELIOGRAPH_FLEET_FAULTS_PER_DAY": str(FAULTS_PER_DAY),
            "HELIOGRAPH_FLEET_START": self.fleet_start.isoformat(),
            "HELIOGRAPH_FLEET_END": self.fleet_end.isoformat(),
        }

    def pushed(self, second: int) -> list[dict[str, Any]]:
        """What the pushing plants say at that second, as the body of a request."""
        at = self.begun + timedelta(seconds=second)
        return [
            {"plant_id": f"push-{one.plant_id}", "observed_at": at.isoformat(), **_values(one)}
            for one in self._pushers.observations(self.fleet_start + timedelta(seconds=second))
        ]

    def readings(self) -> Iterator[tuple[int, list[Reading]]]:
        """Everything, second by second, as readings. Those that push come one second before those of the fleet,
        which tells of a second when it is over."""
        for second in range(self.seconds + 1):
            found = [] if second == self.seconds else self._push_readings(second)
            if second > 0:
                at = self.fleet_start + timedelta(seconds=second)
                found += [_reading(one, self.sites[one.plant_id], SOURCE) for one in self.fleet.observations(at)]
            yield second, found

    def _push_readings(self, second: int) -> list[Reading]:
        at = self.begun + timedelta(seconds=second)
        return [
            _reading(
                msgspec.structs.replace(one, plant_id=f"push-{one.plant_id}", observed_at=at, interval_s=0.0),
                self.sites[f"push-{one.plant_id}"],
                PUSH_SOURCE,
            )
            for one in self._pushers.observations(self.fleet_start + timedelta(seconds=second))
        ]


_FIELDS = ("generation_kw", "poa_w_m2", "ghi_w_m2", "module_c", "ambient_c", "wind_m_s")


def _values(one: Observation) -> dict[str, float | None]:
    return {name: getattr(one, name) for name in _FIELDS}


def _reading(one: Observation, site: Site, source: str) -> Reading:
    return Reading(
        v=1,
        plant_id=one.plant_id,
        source=source,
        observed_at=one.observed_at,
        interval_s=one.interval_s,
        region=site.region,
        capacity_kw=site.capacity_kw,
        generation_kw=one.generation_kw,
        poa_w_m2=one.poa_w_m2,
        ghi_w_m2=one.ghi_w_m2,
        module_c=one.module_c,
        ambient_c=one.ambient_c,
        wind_m_s=one.wind_m_s,
    )


def now() -> datetime:
    """The wall clock in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)
