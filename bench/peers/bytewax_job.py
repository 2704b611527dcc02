"""Bytewax: tumbling windows of 10 s per plant by `fold_window`.

Run with a file of JSON arrays, one a line, the file for the answer, and how many arrays the source hands over at once.

`fold_window` pays for each key of a batch: the more readings of a plant a batch holds, the cheaper is each of them, and
the later its window.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from pathlib import Path

import bytewax.operators as op
import bytewax.operators.windowing as win
import msgspec
from bytewax.connectors.files import FileSource
from bytewax.dataflow import Dataflow
from bytewax.operators.windowing import EventClock, TumblingWindower
from bytewax.testing import TestingSink, run_main
from cpu import tree_cpu_s

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Reading(msgspec.Struct, gc=False):
    plant_id: str
    observed_at: datetime
    generation_kw: float
    capacity_kw: float


decode = msgspec.json.Decoder(list[Reading]).decode


def keyed(line):
    return [(reading.plant_id, reading) for reading in decode(line)]


def fold(state, reading):
    """Count, sum, min, max, first, last."""
    value = reading.generation_kw
    if state is None:
        return [1, value, value, value, value, value]
    state[0] += 1
    state[1] += value
    state[2] = min(state[2], value)
    state[3] = max(state[3], value)
    state[5] = value
    return state


def merge(one, other):
    return [one[0] + other[0], one[1] + other[1], min(one[2], other[2]), max(one[3], other[3]), one[4], other[5]]


out = []
flow = Dataflow("bench")
lines = op.input("lines", flow, FileSource(sys.argv[1], batch_size=int(sys.argv[3])))
readings = op.flat_map("decode", lines, keyed)
clock = EventClock(attrgetter("observed_at"), wait_for_system_duration=timedelta(seconds=2))
windows = TumblingWindower(align_to=EPOCH, length=timedelta(seconds=10))
folded = win.fold_window("fold", readings, clock, windows, lambda: None, fold, merge)
op.output("out", folded.down, TestingSink(out))
before = tree_cpu_s(os.getpid())
run_main(flow)
Path(sys.argv[2]).write_text(json.dumps({"cpu_s": tree_cpu_s(os.getpid()) - before, "windows": len(out)}))
