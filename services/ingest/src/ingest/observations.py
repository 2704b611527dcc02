"""What a source tells of a plant, before ingest knows more about it than its id."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from heliograph.contracts import Capacity, Name, Utc


class Observation(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One plant over one interval, in the units of `heliograph.contracts.Reading` and in UTC.

    The values are as the source gave them: `ingest.validation` judges whether they can be.
    """

    plant_id: Name
    observed_at: Utc
    """End of the interval that the values stand for."""
    source: Name
    interval_s: float = 0.0
    """Length of that interval; 0 when the values are instantaneous."""
    generation_kw: float | None = None
    poa_w_m2: float | None = None
    ghi_w_m2: float | None = None
    module_c: float | None = None
    ambient_c: float | None = None
    wind_m_s: float | None = None
    capacity_kw: Capacity | None = None
    """Only where the source knows the capacity of the moment; else that of the site registry counts."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Something of a source's answer that is no observation: kept as a dead letter."""

    reason: str
    """A short word for counting, e.g. `malformed`, `future`."""
    detail: str
    original: bytes
    index: int = 0
    """Its place in what was submitted."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """What an answer held."""

    observations: Sequence[Observation]
    refused: Sequence[Refused] = field(default=())


def parsed(found: Iterable[Observation | Refused]) -> Parsed:
    """Observations and refusals, each in their order."""
    observations: list[Observation] = []
    refused: list[Refused] = []
    for one in found:
        if isinstance(one, Observation):
            observations.append(one)
        else:
            refused.append(one)
    return Parsed(observations, refused)
