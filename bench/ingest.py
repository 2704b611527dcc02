"""Readings a CPU second through normalise, encode and send, beside the SDK sending one reading an event.

    uv run python -m bench.ingest [--quick] [--json]

Both ways send to the same local hub, started here on a free port; CPU seconds are those of this process alone, so that
the numbers compare although the machine is shared. A throughput unit takes 1 MB/s or 1,000 events/s.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from azure.eventhub import EventData
from azure.eventhub.aio import EventHubProducerClient

from bench import report
from heliograph import topology
from heliograph.contracts import Reading
from heliograph.hub import HubSender
from heliograph.wire import encode, packed_event
from ingest.deduplication import Deduplicator
from ingest.fleet.model import Fleet
from ingest.intake import sort
from ingest.observations import Observation
from ingest.packer import FULL_MESSAGES
from ingest.packing import Shards, is_gzipped, pack
from ingest.validation import Validator
from stack.layout import hub_config, hub_connection
from stack.ports import free_ports

PLANTS, INTERVAL_S = 5_000, 5.0
START = datetime(2026, 6, 21, 3, 0, tzinfo=UTC)
TU_BYTES, TU_EVENTS = 1_000_000, 1_000
AMQP_BYTES_AN_EVENT = 100
"""About what an event's frame adds to its body."""


@contextmanager
def local_hub(folder: Path) -> Iterator[str]:
    """A broker with the topology's hubs; yields its connection string."""
    ports = free_ports(("eventhubs", "health"))
    port, health = ports.values()
    (folder / "hubs.json").write_text(hub_config())
    arguments = [f"--data={folder / 'hubs'}", f"--port={port}", f"--health-port={health}"]
    command = [sys.executable, "-m", "local_azure.eventhubs", *arguments, f"--config={folder / 'hubs.json'}"]
    with (folder / "hubs.log").open("wb") as output:
        broker = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            _wait_for(f"http://127.0.0.1:{health}/health")
            yield hub_connection(ports)
        finally:
            broker.terminate()
            broker.wait(20)


def _wait_for(url: str, timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            with urlopen(url, timeout=2):
                return
        except (URLError, OSError):
            time.sleep(0.1)
    raise TimeoutError(f"the local hub did not start within {timeout_s:g} s")


def ticks(fleet: Fleet, readings: int) -> list[list[Observation]]:
    """Enough moments of the fleet for so many readings."""
    moments = -(-readings // PLANTS)
    return [fleet.observations(START + timedelta(seconds=INTERVAL_S * step)) for step in range(moments)]


def use(measured: dict[str, float], readings: int) -> dict[str, float]:
    """The same, for a reading, for a million, and for a throughput unit."""
    wire_bytes = measured["bytes"] + AMQP_BYTES_AN_EVENT * measured["events"]
    units = max(wire_bytes / TU_BYTES, measured["events"] / TU_EVENTS)
    return {
        "readings_per_cpu_s": round(readings / measured["cpu_s"]),
        "bytes_per_reading": round(measured["bytes"] / readings, 2),
        "bytes_per_million": round(measured["bytes"] / readings * 1e6),
        "events": measured["events"],
        "throughput_unit_seconds_per_million": round(units / readings * 1e6, 2),
        "readings_per_s_per_tu": round(readings / units),
    }


async def packed(
    client: EventHubProducerClient, batches: list[list[Observation]], fleet: Fleet, *, compress: bool
) -> dict[str, float]:
    """The way of ingest under load, but for the disk: judge, enrich, de-duplicate, pack by shard, send."""
    sender = HubSender(client, topology.READINGS_HUB)
    sites = {site.plant_id: site for site in fleet.plants.sites}
    seen, validator, shards = Deduplicator(500_000), Validator(), Shards()
    events = size = 0
    gathered: list[Reading] = []
    begun_s = time.process_time()
    for number, batch in enumerate(batches, start=1):
        judged = sort(batch, seen, sites.get, validator, batch[0].observed_at)
        for observation in judged.fresh:
            seen.remember(observation)
        gathered += judged.readings
        if len(gathered) < FULL_MESSAGES and number < len(batches):
            continue
        for shard, group in shards.group(gathered).items():
            bodies = [body for body, _ in pack(group, compress=compress)]
            await sender.send(shard, [packed_event(b, encoding="gzip" if is_gzipped(b) else None) for b in bodies])
            events += len(bodies)
            size += sum(map(len, bodies))
        gathered = []
    return {"cpu_s": time.process_time() - begun_s, "events": events, "bytes": size}


async def one_an_event(
    client: EventHubProducerClient, batches: list[list[Observation]], fleet: Fleet
) -> dict[str, float]:
    """The loop of the SDK's samples, in full batches: one reading an event, JSON by the standard library, no checks."""
    sites = {site.plant_id: site for site in fleet.plants.sites}
    events = size = 0
    begun_s = time.process_time()
    for batch in batches:
        box = await client.create_batch()
        for seen in batch:
            site = sites[seen.plant_id]
            body = json.dumps(
                {
                    "v": 1,
                    "plant_id": seen.plant_id,
                    "source": seen.source,
                    "observed_at": seen.observed_at.isoformat(),
                    "interval_s": seen.interval_s,
                    "region": site.region,
                    "capacity_kw": site.capacity_kw,
                    "generation_kw": seen.generation_kw,
                    "poa_w_m2": seen.poa_w_m2,
                    "ghi_w_m2": seen.ghi_w_m2,
                    "module_c": seen.module_c,
                    "ambient_c": seen.ambient_c,
                    "wind_m_s": seen.wind_m_s,
                }
            )
            events, size = events + 1, size + len(body)
            try:
                box.add(EventData(body))
            except ValueError:
                await client.send_batch(box)
                box = await client.create_batch()
                box.add(EventData(body))
        await client.send_batch(box)
    return {"cpu_s": time.process_time() - begun_s, "events": events, "bytes": size}


def sizes(batch: list[Observation], fleet: Fleet) -> dict[str, float]:
    """Bytes a reading in each form, of one tick."""
    sites = {site.plant_id: site for site in fleet.plants.sites}
    readings = sort(batch, Deduplicator(10), sites.get, Validator(), batch[0].observed_at).readings
    rows = sum(len(encode([reading])) for reading in readings)
    groups = Shards().group(readings).values()
    arrays = [encode(group) for group in groups]
    return {
        "row_json": round(rows / len(readings), 2),
        "packed_json": round(sum(map(len, arrays)) / len(readings), 2),
        "packed_gzip": round(sum(len(gzip.compress(one, 1)) for one in arrays) / len(readings), 2),
    }


async def measure(readings: int, peer_readings: int) -> dict[str, Any]:
    """All numbers of the report."""
    fleet = Fleet(17, PLANTS, interval_s=INTERVAL_S)
    batches, peer_batches = ticks(fleet, readings), ticks(fleet, peer_readings)
    count, peer_count = sum(map(len, batches)), sum(map(len, peer_batches))
    with tempfile.TemporaryDirectory() as folder, local_hub(Path(folder)) as connection:
        client = EventHubProducerClient.from_connection_string(connection, eventhub_name=topology.READINGS_HUB)
        async with client:
            ours = use(await packed(client, batches, fleet, compress=True), count)
            plain = use(await packed(client, peer_batches, fleet, compress=False), peer_count)
            peer = use(await one_an_event(client, peer_batches, fleet), peer_count)
    return {
        "bench": "ingest",
        "unit": "readings per CPU second",
        "ours": ours["readings_per_cpu_s"],
        "peers": {"sdk_one_per_event": peer["readings_per_cpu_s"]},
        "detail": {
            "readings": count,
            "ratio": round(ours["readings_per_cpu_s"] / peer["readings_per_cpu_s"], 1),
            "readings_per_s_per_tu": ours["readings_per_s_per_tu"],
            "bytes_per_reading": ours["bytes_per_reading"],
            "bytes_per_reading_by_form": sizes(batches[0], fleet),
            "packed_gzip": ours,
            "packed_json": plain,
            "sdk_one_per_event": peer,
        },
    }


def main() -> None:
    """Prints the report."""
    options = report.parser(__doc__, quick="a tenth of the readings").parse_args()
    readings, peer_readings = (80_000, 10_000) if options.quick else (400_000, 20_000)
    report.tell(asyncio.run(measure(readings, peer_readings)), as_json=options.json)


if __name__ == "__main__":
    main()
