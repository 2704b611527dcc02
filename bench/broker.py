"""Who pays for an event on its way through the local Event Hubs broker: the broker, or the official SDK.

    uv run python -m bench.broker [--quick] [--json]

The broker runs in a process of its own; this process is the client, the synchronous Python SDK. Each case is the CPU
seconds of each over the events that passed, so that noise of other programs counts little; rates are wall clock.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from time import perf_counter
from typing import Any

import psutil
from azure.eventhub import EventData, EventHubConsumerClient, EventHubProducerClient

from bench import report

HUB = "bench"
SMALL = ("send 200 B in batches", "receive 200 B")
"""The cases of which the sum is told first."""
_LISTENING = re.compile(r"connection string: (\S+)")
_WAIT_S = 240

SMALL_BYTES = 200
FAT_BYTES = 64_000


@contextmanager
def _broker(folder: str) -> Iterator[tuple[psutil.Process, str]]:
    flags = [f"--data={folder}", "--port=0", f"--create={HUB}*", "--create-partitions=4"]
    command = [sys.executable, "-m", "local_azure.eventhubs", *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = next(match for line in process.stdout if (match := _LISTENING.search(line)))
        try:
            yield psutil.Process(process.pid), found[1]
        finally:
            process.terminate()
            process.stdout.read()


def _send_batches(connection: str, hub: str, size_bytes: int, count: int) -> None:
    """Fill batches until `count` events are sent to one partition."""
    body = b"x" * size_bytes
    with EventHubProducerClient.from_connection_string(connection, eventhub_name=hub) as producer:
        batch = producer.create_batch(partition_id="0")
        for _ in range(count):
            try:
                batch.add(EventData(body))
            except ValueError:
                producer.send_batch(batch)
                batch = producer.create_batch(partition_id="0")
                batch.add(EventData(body))
        producer.send_batch(batch)


def _send_one_by_one(connection: str, hub: str, count: int) -> None:
    with EventHubProducerClient.from_connection_string(connection, eventhub_name=hub) as producer:
        for _ in range(count):
            producer.send_event(EventData(b"x" * SMALL_BYTES), partition_id="1")


def _receive(connection: str, hub: str, count: int) -> None:
    """Receive the first `count` events of partition 0."""
    received = 0
    complete = threading.Event()

    def on_batch(_: object, events: list[Any]) -> None:
        nonlocal received
        received += len(events)
        if received >= count:
            complete.set()

    client = EventHubConsumerClient.from_connection_string(connection, "$Default", eventhub_name=hub)
    options = {"partition_id": "0", "starting_position": "-1", "prefetch": 3000, "max_batch_size": 1000}
    thread = threading.Thread(target=client.receive_batch, args=(on_batch,), kwargs=options)
    thread.start()
    finished = complete.wait(_WAIT_S)
    client.close()
    thread.join()
    if not finished:
        raise TimeoutError(f"{received} of {count} events came in {_WAIT_S} s")


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _measure(broker: psutil.Process, count: int, work: Callable[[], None]) -> dict[str, float]:
    """Run `work` on `count` events; return microseconds of CPU an event at both ends, and the rate."""
    client = psutil.Process()
    before = _cpu_s(broker), _cpu_s(client), perf_counter()
    work()
    spent = _cpu_s(broker) - before[0], _cpu_s(client) - before[1], perf_counter() - before[2]
    return {
        "broker_us": round(spent[0] / count * 1e6, 2),
        "sdk_us": round(spent[1] / count * 1e6, 2),
        "events_a_second": round(count / spent[2]),
    }


def run(*, quick: bool) -> dict[str, Any]:
    """Measure all cases."""
    scale = 1 if quick else 5
    small, fat, single = 30_000 * scale, 1_000 * scale, 1_500 * scale
    with tempfile.TemporaryDirectory() as folder, _broker(folder) as (broker, connection):
        cases = {
            "send 200 B in batches": (small, lambda: _send_batches(connection, "bench-small", SMALL_BYTES, small)),
            "receive 200 B": (small, lambda: _receive(connection, "bench-small", small)),
            "send 200 B one by one": (single, lambda: _send_one_by_one(connection, "bench-small", single)),
            "send 64 kB in batches": (fat, lambda: _send_batches(connection, "bench-fat", FAT_BYTES, fat)),
            "receive 64 kB": (fat, lambda: _receive(connection, "bench-fat", fat)),
        }
        results = {name: _measure(broker, count, work) for name, (count, work) in cases.items()}
        memory_mb = round(broker.memory_info().rss / 1e6, 1)
    return {
        "bench": "broker",
        "unit": "microseconds of CPU an event of 200 B, sent in batches and received",
        "ours": round(sum(results[name]["broker_us"] for name in SMALL), 2),
        "peers": {"azure-eventhub": round(sum(results[name]["sdk_us"] for name in SMALL), 2)},
        "detail": {
            "sdk": version("azure-eventhub"),
            "cases": results,
            "sdk_to_broker": {
                name: round(result["sdk_us"] / max(result["broker_us"], 0.01), 1) for name, result in results.items()
            },
            "broker_memory_mb": memory_mb,
        },
    }


def main() -> None:
    """Measure and print."""
    options = report.parser(__doc__, quick="fewer events").parse_args()
    result = run(quick=options.quick)
    report.tell(result, as_json=options.json)


if __name__ == "__main__":
    main()
