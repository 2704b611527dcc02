"""Outages that a trace itself holds, told from its powers alone and by no rule of the analyzer.

An outage is an hour and a half or more without power, at times of day at which the plant gave over a fifth of its
capacity on half of the ten days before and the ten after. Thunderstorms have kept plants at nothing for an hour. For
longer, while the sun is that high, only snow does, and that is an outage too.
"""

from __future__ import annotations

import warnings

import numpy as np

from bench.traces import Floats, Trace

NOTHING_SHARE = 0.005
USUAL_SHARE = 0.20
LONG_S = 5400.0
DAYS_AROUND = 10
DAYS_NEEDED = 3
DAY_S = 86_400


def usual_kw(trace: Trace) -> Floats:
    """For each sample, the median of the powers at its time of day on the days around, without its own."""
    step_s = max(round(trace.interval_s), 1)
    seconds = trace.times_us // 1_000_000
    day, slot = seconds // DAY_S - seconds[0] // DAY_S, seconds % DAY_S // step_s
    days = np.full((int(day[-1]) + 1 + 2 * DAYS_AROUND, DAY_S // step_s + 1), np.nan)
    days[day + DAYS_AROUND, slot] = trace.power_kw
    around = [days[day + DAYS_AROUND + away, slot] for away in range(-DAYS_AROUND, DAYS_AROUND + 1) if away]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of nothing but NaN
        median = np.nanmedian(around, axis=0)
    return np.where(np.isfinite(around).sum(axis=0) >= DAYS_NEEDED, median, np.nan)


def outages(trace: Trace) -> list[tuple[int, int]]:
    """`[begin, end)` of each, in microseconds."""
    interval_us = int(trace.interval_s * 1e6)
    out = (trace.power_kw < NOTHING_SHARE * trace.capacity_kw) & (usual_kw(trace) > USUAL_SHARE * trace.capacity_kw)
    places = np.flatnonzero(out)
    if not places.size:
        return []
    apart = (np.diff(places) > 1) | (np.diff(trace.times_us[places]) > 2 * interval_us)
    runs = [trace.times_us[run] for run in np.split(places, np.flatnonzero(apart) + 1)]
    spans = [(int(run[0]), int(run[-1]) + interval_us) for run in runs]
    return [(begin, end) for begin, end in spans if end - begin >= LONG_S * 1e6]
