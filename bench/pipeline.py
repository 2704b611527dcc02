"""The real analyzer process between real hubs: readings per second, who pays, growth, and how soon alerts come.

    python -m bench.pipeline [--quick] [--json]

1. *Backlog*: readings wait in the local broker; the analyzer starts, works them off and writes windows back. Readings
   per second are of the wall clock, from the first to the last that its metrics count; CPU is that of its process.
   What decode, fold and write cost of it is measured on the same bodies in this process; the rest is the SDK's (AMQP,
   checkpoints, snapshots and the event loop included).
2. *Alerts*: readings arrive once a second; each second two modules are too hot. From the sender's clock, before the
   second's first reading is sent, to the hub time of the alert in the insights: up to a window (10 s) and
   `out_of_order_s` (2 s) of it are by design. The worst second is the one whose alerts took longest on average.
3. *Growth*: the core with 1,000 to 200,000 plants: CPU a reading, memory a plant, the snapshot's size, and how long
   it takes to restore.
"""

from __future__ import annotations

import gc
import random
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import psutil
from azure.eventhub import EventData, EventHubConsumerClient, EventHubProducerClient

from analyzer.columns import SECOND, ColumnDecoder, to_micros
from analyzer.lane import Definitions
from analyzer.partition import Partition, Timing
from analyzer.plants import nowhere
from analyzer.rules import Thresholds
from analyzer.snapshot import dump, load
from analyzer.windows import Tumbling
from bench import report
from bench.pipeline_stack import Stack, analyzer, hubs_and_blobs, metric
from heliograph.contracts import iso_seconds
from heliograph.topology import INSIGHTS_HUB, READINGS_HUB, shard_of
from heliograph.wire import body_of, encode, to_event

PER_EVENT = 1000
DEFINITIONS = Definitions(Tumbling(10 * SECOND, "tumbling-10s"), (), 10 * SECOND, Thresholds())
TIMING = Timing(2 * SECOND, 60 * SECOND, 10 * SECOND, 300 * SECOND, 7 * 86_400 * SECOND)
READINGS_TOTAL = "heliograph_analyzer_readings_total"
WAIT_S = 240.0


@dataclass(frozen=True)
class Fleet:
    """Plants by shard, as ingest packs them."""

    shards: dict[str, list[str]]

    @classmethod
    def of(cls, plants: int) -> Fleet:
        """So many plants."""
        shards: dict[str, list[str]] = {}
        for number in range(plants):
            name = f"plant-{number:06d}"
            shards.setdefault(shard_of(name), []).append(name)
        return cls(shards)

    def bodies(self, at: datetime, rng: random.Random, hot: Sequence[str] = ()) -> list[tuple[str, bytes]]:
        """One reading a plant, by shard in events of at most a thousand."""
        stamp = iso_seconds(at)
        return [
            (shard, _body(names[first : first + PER_EVENT], stamp, rng, hot))
            for shard, names in self.shards.items()
            for first in range(0, len(names), PER_EVENT)
        ]


def _body(names: Sequence[str], stamp: str, rng: random.Random, hot: Sequence[str]) -> bytes:
    return msgspec.json.encode([
        {"v": 1, "plant_id": name, "source": "fleet", "observed_at": stamp, "region": "KR-46", "capacity_kw": 500.0,
         "generation_kw": round(rng.uniform(350, 400), 2), "poa_w_m2": round(rng.uniform(850, 900), 1),
         "module_c": 120.0 if name in hot else round(rng.uniform(40, 45), 1)}
        for name in names
    ])  # fmt: skip


def _send(producer: EventHubProducerClient, bodies: Sequence[tuple[str, bytes]]) -> None:
    for shard, body in bodies:
        batch = producer.create_batch(partition_key=shard)
        batch.add(to_event(body))
        producer.send_batch(batch)


def backlog(stack: Stack, plants: int, seconds: int) -> dict[str, Any]:
    """Works off `plants * seconds` readings that are there already."""
    fleet, rng, start = Fleet.of(plants), random.Random(1), datetime.now(UTC).replace(microsecond=0)
    ticks = [fleet.bodies(start - timedelta(seconds=seconds - at), rng) for at in range(seconds)]
    with EventHubProducerClient.from_connection_string(stack.hubs, eventhub_name=READINGS_HUB) as producer:
        for tick in ticks:
            _send(producer, tick)
    total = plants * seconds
    with analyzer(stack) as (process, url):
        begun_s, idle = time.perf_counter(), process.cpu_times()
        deadline = begun_s + WAIT_S
        seen: list[tuple[float, float]] = []
        while not seen or seen[-1][1] < total:
            seen.append((time.perf_counter(), metric(url, READINGS_TOTAL)))
            if seen[-1][0] > deadline:
                raise TimeoutError(f"the analyzer took {seen[-1][1]:.0f} of {total} readings in {WAIT_S:g} s")
            time.sleep(0.05)
        spent = process.cpu_times()
        memory = process.memory_info().rss
    first_s = next(at for at, count in seen if count > 0)
    cpu_s = spent.user + spent.system - idle.user - idle.system
    parts = _parts([body for tick in ticks for _, body in tick], start)
    return {
        "plants": plants,
        "readings": total,
        "readings_per_s": round(total / max(seen[-1][0] - first_s, 1e-3)),
        "readings_per_cpu_s": round(total / cpu_s),
        "us_per_reading": {name: round(value / total * 1e6, 3) for name, value in parts.items()}
        | {"sdk_and_rest": round((cpu_s - sum(parts.values())) / total * 1e6, 3), "all": round(cpu_s / total * 1e6, 3)},
        "rss_mb": round(memory / 1e6),
    }


def _parts(bodies: Sequence[bytes], hub: datetime) -> dict[str, float]:
    """CPU seconds that decoding, folding and writing (messages and their encoding) take for these bodies."""
    decoder, begun = ColumnDecoder(), time.process_time()
    for body in bodies:
        decoder.decode(body)
    decode_s = time.process_time() - begun
    partition, begun = Partition("0", DEFINITIONS, TIMING), time.process_time()
    outputs = [partition.take(number, to_micros(hub), body) for number, body in enumerate(bodies)]
    core_s, begun = time.process_time() - begun, time.process_time()
    for output in outputs:
        documents = output.documents
        for first in range(0, len(documents), 400):
            encode(documents[first : first + 400])
    return {"decode": decode_s, "fold": max(core_s - decode_s, 0.0), "write": time.process_time() - begun}


class Listener:
    """Hub times of the alerts in the insights, by plant."""

    def __init__(self, stack: Stack) -> None:
        self.alerts: dict[str, datetime] = {}
        self._client = EventHubConsumerClient.from_connection_string(
            stack.hubs, "dashboard", eventhub_name=INSIGHTS_HUB
        )
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        self._client.receive(on_event=self._take, starting_position="-1")

    def _take(self, _context: object, event: EventData | None) -> None:
        body = body_of(event) if event is not None else b""
        if b'"temperature-spike"' in body and event is not None and event.enqueued_time is not None:
            for message in msgspec.json.decode(body):
                if message.get("kind") == "alert" and message.get("state") == "open" and message.get("plant_id"):
                    self.alerts.setdefault(message["plant_id"], event.enqueued_time)

    def close(self) -> None:
        """Ends it."""
        self._client.close()
        self._thread.join(10)


def alerts(stack: Stack, plants: int, seconds: int) -> dict[str, Any]:
    """Seconds from a hot reading to its alert, while `plants` readings arrive each second."""
    fleet, rng = Fleet.of(plants), random.Random(2)
    names = [name for group in fleet.shards.values() for name in group]
    hot_from: dict[str, datetime] = {}
    listener = Listener(stack)
    with analyzer(stack), EventHubProducerClient.from_connection_string(stack.hubs, eventhub_name=READINGS_HUB) as out:
        for second in range(seconds):
            due_s = time.perf_counter() + 1.0
            now = datetime.now(UTC)
            hot = rng.sample(names, 2) if 15 <= second < seconds - 15 else []
            for name in hot:
                hot_from.setdefault(name, now)
            _send(out, fleet.bodies(now, rng, hot))
            time.sleep(max(0.0, due_s - time.perf_counter()))
        deadline = time.perf_counter() + 30
        while len(listener.alerts.keys() & hot_from.keys()) < len(hot_from) and time.perf_counter() < deadline:
            _send(out, fleet.bodies(datetime.now(UTC), rng))
            time.sleep(1)
    listener.close()
    told = listener.alerts
    found = [(name, (told[name] - at).total_seconds()) for name, at in hot_from.items() if name in told]
    by_second: dict[int, list[float]] = {}
    for name, delay in found:
        by_second.setdefault(int(hot_from[name].timestamp()), []).append(delay)
    p50, p95, p99 = (round(float(q), 2) for q in np.quantile([delay for _, delay in found], (0.5, 0.95, 0.99)))
    return {
        "readings_per_s": plants,
        "hot_modules": len(hot_from),
        "alerts": len(found),
        "p50_s": p50,
        "p95_s": p95,
        "p99_s": p99,
        "worst_second_s": round(max(float(np.mean(delays)) for delays in by_second.values()), 2),
    }


def growth(plants: int, windows: int) -> dict[str, Any]:
    """The core with so many plants, each with a reading a window."""
    fleet, rng, process = Fleet.of(plants), random.Random(3), psutil.Process()
    start = datetime(2026, 6, 1, 3, tzinfo=UTC)
    gc.collect()
    before = process.memory_info().rss
    partition, number, spent = Partition("0", DEFINITIONS, TIMING), 0, 0.0
    for window in range(windows):
        at = start + timedelta(seconds=10 * window)
        bodies = fleet.bodies(at, rng)
        begun = time.process_time()
        for _, body in bodies:
            partition.take(number, to_micros(at) + SECOND, body)
            number += 1
        spent += (time.process_time() - begun) if window >= windows // 2 else 0.0
    gc.collect()
    held = process.memory_info().rss - before
    begun_s, data = time.perf_counter(), dump(partition)
    saved_s, begun_s = time.perf_counter() - begun_s, time.perf_counter()
    restored = load(data, "0", DEFINITIONS, TIMING, nowhere)
    restored.survey(nowhere)
    return {
        "plants": plants,
        "us_per_reading": round(spent / (plants * (windows - windows // 2)) * 1e6, 3),
        "memory_bytes_per_plant": round(held / plants),
        "snapshot_bytes_per_plant": round(len(data) / plants),
        "snapshot_s": round(saved_s, 3),
        "restore_s": round(time.perf_counter() - begun_s, 3),
    }


def slopes(steps: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Least-squares lines over the number of plants: CPU of a window and memory, for each further plant."""
    plants = np.array([step["plants"] for step in steps], float)
    cpu_us = plants * [step["us_per_reading"] for step in steps]
    memory = plants * [step["memory_bytes_per_plant"] for step in steps]
    return {
        "cpu_us_per_further_plant_and_window": round(float(np.polyfit(plants, cpu_us, 1)[0]), 3),
        "bytes_per_further_plant": round(float(np.polyfit(plants, memory, 1)[0])),
        "largest_over_smallest_cpu_per_reading": round(steps[-1]["us_per_reading"] / steps[0]["us_per_reading"], 2),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs and prints."""
    options = report.parser(__doc__, quick="a fifth of the readings, up to 10,000 plants").parse_args(arguments)
    quick = options.quick
    steps = [growth(plants, 10) for plants in ((1000, 10_000) if quick else (1000, 10_000, 100_000, 200_000))]
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / part for part in ("backlog", "alerts")]
        for folder in folders:
            folder.mkdir()
        with hubs_and_blobs(folders[0]) as stack:
            worked = backlog(stack, *((5000, 30) if quick else (20_000, 60)))
        with hubs_and_blobs(folders[1]) as stack:
            told = alerts(stack, *((1000, 35) if quick else (5000, 180)))
    result = {
        "bench": "pipeline",
        "unit": "readings per second through the analyzer process",
        "ours": worked["readings_per_s"],
        "peers": {},
        "detail": {"backlog": worked, "alerts": told, "growth": steps, "slopes": slopes(steps)},
    }
    report.tell(result, as_json=options.json)


if __name__ == "__main__":
    main()
