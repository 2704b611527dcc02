"""How old the data is, and which service is to blame. Pure.

Ages count from when a hub or Cosmos took the data, never from the times in it: a replay carries old ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from heliograph.contracts import iso_seconds


@dataclass(frozen=True, slots=True)
class Arrivals:
    """When each step of the pipeline last gave something; None where nothing is known."""

    readings: datetime | None = None
    """The hub took readings from ingest."""
    windows: datetime | None = None
    """The hub took plant windows from the analyzer."""
    stored: datetime | None = None
    """The sink wrote the latest state to Cosmos."""


_STEPS = (
    ("ingest", "readings", "no readings arrive"),
    ("analyzer", "windows", "readings arrive, but no windows come of them"),
    ("sink", "stored", "windows arrive, but they are not stored"),
)


def status(arrivals: Arrivals, now: datetime, stale_after_s: float) -> dict[str, Any]:
    """The state of the data for the page's banner. The first silent step of the pipeline is to blame."""
    ages = {service: _age_s(getattr(arrivals, field), now) for service, field, _ in _STEPS}
    blamed = next((step for step in _STEPS if _is_silent(ages[step[0]], stale_after_s)), None)
    age_s = ages["analyzer"]
    stale = age_s is None or age_s > stale_after_s
    if not stale and blamed is not None and blamed[0] != "sink":
        blamed = None
    return {
        "now": iso_seconds(now),
        "stale": stale or blamed is not None,
        "age_s": age_s,
        "service": blamed[0] if blamed else "analyzer" if stale else None,
        "message": blamed[2] if blamed else _STEPS[1][2] if stale else "",
        "services": _services(ages, stale_after_s),
    }


def _services(ages: Mapping[str, float | None], stale_after_s: float) -> dict[str, dict[str, Any]]:
    return {name: {"age_s": age_s, "ok": not _is_silent(age_s, stale_after_s)} for name, age_s in ages.items()}


def _age_s(arrival: datetime | None, now: datetime) -> float | None:
    return None if arrival is None else round(max((now - arrival).total_seconds(), 0.0), 1)


def _is_silent(age_s: float | None, stale_after_s: float) -> bool:
    return age_s is not None and age_s > stale_after_s
