"""The faults of the fleet, drawn for each plant and day. They are known to the labels alone, never to a reading."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

import msgspec
import numpy as np

from ingest.fleet.noise import Floats, uniform
from ingest.fleet.plants import Plants
from ingest.fleet.weather import KST_S
from ingest.sun import DAY_S

FaultKind = Literal["trip", "partial-loss", "curtailment", "stuck-sensor", "temperature-spike", "silence"]
KINDS: tuple[FaultKind, ...] = get_args(FaultKind)
SHARES = (0.30, 0.20, 0.15, 0.12, 0.13, 0.10)
ONSET_S = (8 * 3600, 16 * 3600)
"""Faults begin by day, Korean time, when they can be seen."""
LENGTH_S = (10 * 60, 150 * 60)


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """The truth about one fault, to measure detection against."""

    plant_id: str
    kind: FaultKind
    start: datetime
    end: datetime
    severity: float
    """trip, silence, stuck-sensor: 1; partial-loss: share lost; curtailment: ceiling as share of the capacity;
    temperature-spike: degrees added."""


@dataclass(frozen=True, slots=True)
class DayFaults:
    """At most one fault a plant on one Korean day, as columns; `kind` is -1 where there is none."""

    kind: np.ndarray[tuple[int], np.dtype[np.int64]]
    start_s: Floats
    end_s: Floats
    severity: Floats

    def active(self, kind: FaultKind, epoch_s: float) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Which plants have this fault at the time."""
        found: np.ndarray[tuple[int], np.dtype[np.bool_]] = (
            (self.kind == KINDS.index(kind)) & (self.start_s <= epoch_s) & (epoch_s < self.end_s)
        )
        return found


def day_number(epoch_s: float) -> int:
    """Of the Korean day that the time lies in."""
    return int((epoch_s + KST_S) // DAY_S)


def faults_of(seed: int, plants: int, day: int, faults_per_day: float) -> DayFaults:
    """The faults of a Korean day; `faults_per_day` is the chance of one for each plant."""
    index = np.arange(plants)
    draw = [uniform(seed, 200 + stream, index, day) for stream in range(5)]
    kind = np.minimum(np.searchsorted(np.cumsum(SHARES), draw[1], side="right"), len(KINDS) - 1)
    kind = np.where(draw[0] < faults_per_day, kind, -1)
    start = day * DAY_S - KST_S + ONSET_S[0] + np.floor(draw[2] * (ONSET_S[1] - ONSET_S[0]))
    end = start + LENGTH_S[0] + np.floor(draw[3] * (LENGTH_S[1] - LENGTH_S[0]))
    return DayFaults(kind, start, end, _severity(kind, draw[4]))


def _severity(kind: np.ndarray[tuple[int], np.dtype[np.int64]], draw: Floats) -> Floats:
    ranges = {"partial-loss": (0.15, 0.5), "curtailment": (0.2, 0.5), "temperature-spike": (28.0, 45.0)}
    severity = np.ones(len(draw))
    for name, (least, most) in ranges.items():
        chosen = kind == KINDS.index(name)
        severity[chosen] = least + (most - least) * draw[chosen]
    return np.round(severity, 3)


def labels_of(faults: DayFaults, plants: Plants) -> list[Label]:
    """The truth about a day."""
    return [
        Label(
            plant_id=plants.sites[number].plant_id,
            kind=KINDS[int(faults.kind[number])],
            start=datetime.fromtimestamp(float(faults.start_s[number]), UTC),
            end=datetime.fromtimestamp(float(faults.end_s[number]), UTC),
            severity=float(faults.severity[number]),
        )
        for number in np.flatnonzero(faults.kind >= 0).tolist()
    ]
