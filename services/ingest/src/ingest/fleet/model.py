"""What the fleet's plants report at a moment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from ingest.fleet.clear_sky import dc_power, module_temperature
from ingest.fleet.faults import DayFaults, Label, day_number, faults_of, labels_of
from ingest.fleet.noise import Floats, uniform
from ingest.fleet.plants import Plants, build_plants
from ingest.fleet.weather import weather_at
from ingest.observations import Observation

SOURCE = "fleet"
TEMPERATURE_COEFFICIENT = -0.004
DERATE = 0.86 * 0.96
"""Losses of 14 % and the inverter's efficiency, as PVWatts has them (version 5, NREL/TP-6A20-62641)."""
DERATE_SPREAD = 0.05
"""How far a plant's own derate lies from it, either way: age, soiling, shading."""
METER_NOISE = 0.004
SPIKE_RISE_S = 300.0
"""A temperature spike reaches its height in this time."""


@dataclass(frozen=True, slots=True)
class State:
    """The plants at a moment, as columns: kW, W/m2, degC, m/s."""

    generation_kw: Floats
    poa_w_m2: Floats
    ghi_w_m2: Floats
    module_c: Floats
    ambient_c: Floats
    wind_m_s: Floats


class Fleet:
    """The fleet of a seed. Holds nothing but what it has computed before."""

    def __init__(self, seed: int, plants: int, *, interval_s: float = 5.0, faults_per_day: float = 0.05) -> None:
        self.seed = seed
        self.interval_s = interval_s
        self.plants: Plants = build_plants(seed, plants)
        self._faults_per_day = faults_per_day
        self._index = np.arange(plants, dtype=np.float64)
        self._derate = DERATE * (1 + DERATE_SPREAD * (2 * uniform(seed, 51, self._index) - 1))
        self._ids = [site.plant_id for site in self.plants.sites]
        self._day = -1
        self._faults: DayFaults
        self._stuck_kw: Floats

    def labels(self, at: datetime) -> list[Label]:
        """The faults of the Korean day that the time lies in."""
        return labels_of(self._faults_at(at.timestamp()), self.plants)

    def observations(self, at: datetime) -> list[Observation]:
        """What the plants report for the interval that ends at the time. A silent plant reports nothing."""
        epoch_s = at.timestamp()
        faults = self._faults_at(epoch_s)
        state = self._with_faults(self.healthy(epoch_s), faults, epoch_s)
        silent = faults.active("silence", epoch_s)
        columns = [
            np.round(column, digits).tolist()
            for column, digits in (
                (state.generation_kw, 3),
                (state.poa_w_m2, 1),
                (state.ghi_w_m2, 1),
                (state.module_c, 2),
                (state.ambient_c, 2),
                (state.wind_m_s, 2),
            )
        ]
        return [
            Observation(
                plant_id=plant_id,
                observed_at=at,
                source=SOURCE,
                interval_s=self.interval_s,
                generation_kw=generation,
                poa_w_m2=poa,
                ghi_w_m2=ghi,
                module_c=module,
                ambient_c=ambient,
                wind_m_s=wind,
            )
            for plant_id, quiet, generation, poa, ghi, module, ambient, wind in zip(
                self._ids, silent.tolist(), *columns, strict=True
            )
            if not quiet
        ]

    def healthy(self, epoch_s: float | Floats) -> State:
        """The plants without their faults; one time, or one for each plant (seconds since the epoch)."""
        time = np.asarray(epoch_s, dtype=np.float64)
        plants = self.plants
        sky = weather_at(self.seed, plants, self._index, time)
        module = module_temperature(sky.poa_w_m2, sky.ambient_c, sky.wind_m_s)
        dc = dc_power(sky.poa_w_m2, module, plants.dc_capacity_kw, TEMPERATURE_COEFFICIENT)
        noise = 1 + METER_NOISE * (2 * uniform(self.seed, 50, self._index, np.floor(time)) - 1)
        generation = np.clip(dc * self._derate * noise, 0, plants.capacity_kw)
        return State(generation, sky.poa_w_m2, sky.ghi_w_m2, module, sky.ambient_c, sky.wind_m_s)

    def _with_faults(self, state: State, faults: DayFaults, epoch_s: float) -> State:
        power = state.generation_kw.copy()
        power[faults.active("trip", epoch_s)] = 0.0
        partial = faults.active("partial-loss", epoch_s)
        power[partial] *= 1 - faults.severity[partial]
        limited = faults.active("curtailment", epoch_s)
        power[limited] = np.minimum(power[limited], (faults.severity * self.plants.capacity_kw)[limited])
        stuck = faults.active("stuck-sensor", epoch_s)
        power[stuck] = self._stuck_kw[stuck]
        hot = faults.active("temperature-spike", epoch_s)
        risen = np.clip((epoch_s - faults.start_s[hot]) / SPIKE_RISE_S, 0, 1)
        module = state.module_c.copy()
        module[hot] += faults.severity[hot] * risen
        return replace(state, generation_kw=power, module_c=module)

    def _faults_at(self, epoch_s: float) -> DayFaults:
        day = day_number(epoch_s)
        if day != self._day:
            self._faults = faults_of(self.seed, len(self.plants), day, self._faults_per_day)
            self._stuck_kw = self.healthy(self._faults.start_s).generation_kw
            self._day = day
        return self._faults
