"""The analyzer's core against stream engines, in readings per CPU second, all in one run.

    python -m bench.analyzer [--quick] [--json]

500,000 JSON readings (5,000 plants, 100 s, arrays of 1,000) go through our core (aggregates, utilisation and all rules
included, up to the columns that are sent), Bytewax, Flink SQL, Pathway, and bare decoding by the contract as the floor.
CPU is that of all processes involved. The peers live in environments of their own, made on first use; `--quick` leaves
the two large ones out. Runs of ours and of the decoder alternate, and the median counts, since the machine is noisy.

Ours takes each array as it comes. Bytewax is handed 2 s of the stream at once, the time for which its windows wait for
readings out of order anyway, and decodes as we do; `bytewax_readings_per_cpu_s` shows what other batches do to it: 20 s
of the stream at once are several times cheaper, and make each window up to 20 s late.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from analyzer.columns import SECOND, to_micros
from analyzer.lane import Definitions
from analyzer.partition import Partition, Timing
from analyzer.rules import Thresholds
from analyzer.windows import Tumbling
from bench import report
from heliograph.contracts import Reading, iso_seconds

PLANTS, SECONDS, PER_EVENT = 5000, 100, 1000
NOON = datetime(2026, 6, 1, 3, 0, tzinfo=UTC)
ENVIRONMENTS = Path(sys.prefix) / "peers"
SCRIPTS = Path(__file__).parent
PEERS = {"bytewax": "arrays.jsonl", "flink": "lines.jsonl", "pathway": "lines.jsonl"}
"""What each reads. Their packages are pinned in `peers/NAME.txt`."""
BYTEWAX_BATCH = 10
"""Arrays, so 2 s of the stream."""
OTHER_BYTEWAX_BATCHES = (1, 100)
REPEATS = 5


def readings() -> list[tuple[int, bytes]]:
    """The events, each with its hub time in microseconds; the same in every run."""
    rng = random.Random(1)
    regions = ["KR-46", "KR-47", "KR-41", "KR-45"]
    events = []
    for second in range(SECONDS):
        at = NOON + timedelta(seconds=second)
        stamp = iso_seconds(at)
        for first in range(0, PLANTS, PER_EVENT):
            arrays = [
                {"v": 1, "plant_id": f"plant-{plant:05d}", "source": "fleet", "observed_at": stamp,
                 "region": regions[plant % 4], "capacity_kw": 500.0,
                 "generation_kw": 0.0 if plant == 7 and second > 50 else round(rng.uniform(350, 400), 2),
                 "poa_w_m2": round(rng.uniform(850, 900), 1), "module_c": round(rng.uniform(40, 45), 1)}
                for plant in range(first, first + PER_EVENT)
            ]  # fmt: skip
            events.append((to_micros(at) + SECOND, msgspec.json.encode(arrays)))
    return events


def ours(events: Sequence[tuple[int, bytes]]) -> tuple[float, int]:
    """CPU seconds and plant windows of our core."""
    main = Tumbling(10 * SECOND, "tumbling-10s")
    definitions = Definitions(main, (), 10 * SECOND, Thresholds())
    timing = Timing(2 * SECOND, 60 * SECOND, 10 * SECOND, 300 * SECOND, 86_400 * SECOND)
    partition = Partition("0", definitions, timing)
    before = time.process_time()
    parts = [
        part for number, (hub_us, body) in enumerate(events) for part in partition.take(number, hub_us, body).parts
    ]
    parts += partition.pass_time(events[-1][0] + 60 * SECOND).parts
    return time.process_time() - before, sum(len(part) for part in parts if hasattr(part, "__len__"))


def decode(events: Sequence[tuple[int, bytes]]) -> float:
    """CPU seconds of decoding alone, by the contract."""
    decoder = msgspec.json.Decoder(list[Reading])
    before = time.process_time()
    for _, body in events:
        decoder.decode(body)
    return time.process_time() - before


def peer(name: str, folder: Path, *options: str) -> float:
    """CPU seconds of a peer; raises `CalledProcessError` when it fails."""
    python = _environment(name)
    answer = folder / f"{name}.json"
    subprocess.run(
        [python, SCRIPTS / "peers" / f"{name}_job.py", folder / PEERS[name], answer, *options],
        env=os.environ | {"PYTHONPATH": str(SCRIPTS)}, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return float(json.loads(answer.read_text())["cpu_s"])


def _environment(name: str) -> Path:
    """The Python of an environment with just the pinned packages; made on first use and when the pins change."""
    pins = SCRIPTS / "peers" / f"{name}.txt"
    home = ENVIRONMENTS / name
    python, ready = home / "bin" / "python", home / "pins.txt"
    if not (ready.exists() and ready.read_text() == pins.read_text()):
        uv = shutil.which("uv") or SCRIPTS.parent / ".uv" / "bin" / "uv"
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, home], check=True)
        subprocess.run([uv, "pip", "sync", "--quiet", "--python", python, pins], check=True)
        ready.write_text(pins.read_text())
    return python


def write_inputs(events: Sequence[tuple[int, bytes]], folder: Path) -> None:
    """The same readings as arrays and as lines, for engines that read files."""
    with (folder / "arrays.jsonl").open("wb") as arrays, (folder / "lines.jsonl").open("wb") as lines:
        for _, body in events:
            arrays.write(body + b"\n")
            lines.writelines(bytes(raw) + b"\n" for raw in msgspec.json.decode(body, type=list[msgspec.Raw]))


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs and prints."""
    options = report.parser(__doc__, quick="without Flink and Pathway").parse_args(arguments)
    events = readings()
    count = PLANTS * SECONDS
    ours(events[:50])  # imports and first-use caches are no part of a stream's cost
    pairs = [(ours(events), decode(events)) for _ in range(REPEATS)]
    ours_s = statistics.median(spent for (spent, _), _ in pairs)
    spent = {"decode": statistics.median(floor for _, floor in pairs)}
    failures: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_inputs(events, folder)
        for engine in ("bytewax",) if options.quick else PEERS:
            try:
                spent[engine] = peer(engine, folder, *([str(BYTEWAX_BATCH)] if engine == "bytewax" else []))
            except (subprocess.CalledProcessError, OSError) as error:
                failures[engine] = str(error)
        batches = (
            {}
            if options.quick or "bytewax" in failures
            else {
                f"{batch / 5:g} s of the stream": round(count / peer("bytewax", folder, str(batch)))
                for batch in OTHER_BYTEWAX_BATCHES
            }
        )
    peers = {engine: round(count / seconds) for engine, seconds in spent.items()}
    best = max((speed for engine, speed in peers.items() if engine != "decode"), default=0)
    result = {
        "bench": "analyzer",
        "unit": "readings per CPU second",
        "ours": round(count / ours_s),
        "peers": peers,
        "detail": {
            "us_per_reading": round(ours_s / count * 1e6, 3),
            "share_of_decode": round(statistics.median(floor / mine for (mine, _), floor in pairs), 3),
            "times_the_best_engine": round(count / ours_s / best, 1) if best else None,
            "plant_windows": pairs[0][0][1],
            "bytes_per_reading": round(sum(len(body) for _, body in events) / count, 1),
            "bytewax_readings_per_cpu_s": batches,
            "failed": failures,
        },
    }
    report.tell(result, as_json=options.json)


if __name__ == "__main__":
    main()
