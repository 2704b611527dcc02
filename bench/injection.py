"""Faults put into measured traces by a seeded process, so that anyone can repeat it.

| fault | what it does | how long |
|---|---|---|
| trip | power is zero | 2 h to 1 day |
| loss | power is multiplied by 1 - size; size is one of 0.4, 0.5, 0.6, 0.8 | 1 to 2 days |
| stuck | power keeps the value it had | 2 to 8 h |
| spike | module temperature rises by 40 to 60 K | 1 to 3 h |
| silence | no readings | 3 to 8 h |

Each begins at a sample drawn uniformly from those after the warm-up at which the sun is up: the measured power is over
10 % of capacity then and at the next sample (20 % for a loss: of less light there is not enough to lose).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bench.traces import Trace

SUN_UP_SHARE = 0.10
LOSS_LIGHT_SHARE = 0.20
LOSS_SIZES = (0.4, 0.5, 0.6, 0.8)
KINDS = ("trip", "loss", "stuck", "spike", "silence")
_HOURS = {"trip": (2, 24), "loss": (24, 48), "stuck": (2, 8), "spike": (1, 3), "silence": (3, 8)}


@dataclass(frozen=True)
class Fault:
    """Samples `[begin, end)` of a trace."""

    kind: str
    begin: int
    end: int
    size: float = 1.0


def draw(trace: Trace, kind: str, count: int, warm_up_days: float, rng: np.random.Generator) -> list[Fault]:
    """Faults of a kind, each for a copy of the trace of its own."""
    lit = np.nan_to_num(trace.power_kw) > (LOSS_LIGHT_SHARE if kind == "loss" else SUN_UP_SHARE) * trace.capacity_kw
    warm = trace.times_us > trace.times_us[0] + int(warm_up_days * 86_400e6)
    begins = np.flatnonzero(lit[:-1] & lit[1:] & warm[:-1])
    if kind == "loss":
        begins = begins[trace.times_us[begins] < trace.times_us[-1] - int(86_400e6)]
    if not begins.size or (kind == "spike" and trace.module_c is None):
        return []
    faults = []
    for begin in rng.choice(begins, count).tolist():
        hours = rng.uniform(*_HOURS[kind])
        end = int(np.searchsorted(trace.times_us, trace.times_us[begin] + int(hours * 3600e6)))
        size = {"loss": float(rng.choice(LOSS_SIZES)), "spike": float(rng.uniform(40, 60))}.get(kind, 1.0)
        faults.append(Fault(kind, begin, max(end, begin + 2), size))
    return faults


def inject(trace: Trace, fault: Fault) -> Trace:
    """The trace with the fault. A silent sample has NaN for power and is not to be sent."""
    power, place = trace.power_kw.copy(), slice(fault.begin, fault.end)
    if fault.kind == "spike" and trace.module_c is not None:
        module = trace.module_c.copy()
        module[place] += fault.size
        return replace(trace, module_c=module)
    power[place] = {
        "trip": 0.0,
        "loss": power[place] * (1.0 - fault.size),
        "stuck": power[max(fault.begin - 1, 0)],
        "silence": np.nan,
    }[fault.kind]
    return replace(trace, power_kw=power)
