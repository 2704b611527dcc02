"""Pathway: `windowby` tumbling windows of 10 s per plant. Run with a file of JSON lines, one reading each."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pathway as pw
from cpu import tree_cpu_s


class Reading(pw.Schema):
    plant_id: str
    observed_at: str
    generation_kw: float
    capacity_kw: float


readings = pw.io.jsonlines.read(sys.argv[1], schema=Reading, mode="static")
timed = readings.with_columns(at=readings.observed_at.dt.strptime("%Y-%m-%dT%H:%M:%SZ"))
windows = timed.windowby(
    timed.at, window=pw.temporal.tumbling(duration=pw.Duration(seconds=10)), instance=timed.plant_id
).reduce(
    plant_id=pw.this._pw_instance,
    start=pw.this._pw_window_start,
    n=pw.reducers.count(),
    total=pw.reducers.sum(pw.this.generation_kw),
    low=pw.reducers.min(pw.this.generation_kw),
    high=pw.reducers.max(pw.this.generation_kw),
    mean=pw.reducers.avg(pw.this.generation_kw),
)
count = 0


def on_change(key, row, time, is_addition):
    global count  # noqa: PLW0603 - a callback has nowhere else to count
    count += 1


pw.io.subscribe(windows, on_change)
before = tree_cpu_s(os.getpid())
pw.run(monitoring_level=pw.MonitoringLevel.NONE)
Path(sys.argv[2]).write_text(json.dumps({"cpu_s": tree_cpu_s(os.getpid()) - before, "windows": count}))
