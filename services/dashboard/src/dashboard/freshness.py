"""How old the data is, and which service is to blame. Pure.

Ages count from when a hub or Cosmos took the data, never from the times in it: a replay carries old ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from heliograph.contracts import iso_seconds


@dataclass(frozen=True, slots=True)
class Arrivals:
    """When each step of the pipeline last gave something; None where nothing was seen of it."""

    watched_since: datetime
    """When this dashboard began to look. What it has not seen yet is silent since then, and not before."""
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
    """The state of the data for the page's banner. The first silent step of the pipeline is to blame.

    While windows come, only the sink can be; while none come, it has nothing to store.
    """
    ages = {service: _age_s(getattr(arrivals, field) or arrivals.watched_since, now) for service, field, _ in _STEPS}
    window_age_s = None if arrivals.windows is None else ages["analyzer"]
    come = window_age_s is not None and window_age_s <= stale_after_s
    suspects = [step for step in _STEPS if (step[0] == "sink") == come]
    blamed = next((step for step in suspects if ages[step[0]] > stale_after_s), None)
    return {
        "now": iso_seconds(now),
        "stale": blamed is not None,
        "age_s": window_age_s,
        "service": blamed[0] if blamed else None,
        "message": blamed[2] if blamed else "",
        "services": {name: {"age_s": age_s, "ok": age_s <= stale_after_s} for name, age_s in ages.items()},
    }


def _age_s(arrival: datetime, now: datetime) -> float:
    return round(max((now - arrival).total_seconds(), 0.0), 1)
