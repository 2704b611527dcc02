"""The local Cosmos DB server on a large container: point reads and last-N queries in one partition, and its memory.

Times are taken at the server: the request goes through its ASGI application in this process, with signature, parsing
and JSON, without a socket and without an SDK. The peer is a query that no index serves and that has to look at each
document of the partition, which is what the last-N query would be without the index made from the indexing policy.
"""

import asyncio
import json
import os
import random
import resource
import statistics
import tempfile
import time
from email.utils import formatdate
from pathlib import Path
from urllib.parse import quote

from starlette.types import ASGIApp, Message

from bench import report
from local_azure.cosmos import EMULATOR_KEY, auth
from local_azure.cosmos.account import Account, Settings
from local_azure.cosmos.app import Front
from local_azure.faults import Faults

_CONTAINER = "dbs/d/colls/c"
_LAST_N = "SELECT TOP 10 * FROM c ORDER BY c.window_start DESC"
_SCAN = "SELECT VALUE MAX(c.note) FROM c"


async def call(app: ASGIApp, method: str, kind: str, link: str, path: str, body: object, **headers: str) -> bytes:
    """One signed request; the answer's body. Raises RuntimeError for a refusal."""
    date = formatdate(usegmt=True)
    signature = auth.sign(EMULATOR_KEY, method, kind, link, date)
    sent = {"authorization": quote(f"type=master&ver=1.0&sig={signature}"), "x-ms-date": date, "host": "bench"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    scope = {
        "type": "http",
        "method": method,
        "path": f"/{path}",
        "raw_path": f"/{path}".encode(),
        "query_string": b"",
        "scheme": "http",
        "server": ("bench", 80),
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
    }
    answer: dict[str, object] = {"body": b""}

    async def receive() -> Message:
        return {"type": "http.request", "body": json.dumps(body).encode() if body is not None else b""}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer["status"] = message["status"]
        else:
            answer["body"] = message.get("body", b"")

    await app(scope, receive, send)
    if int(str(answer["status"])) >= 400:
        raise RuntimeError(f"{method} {path}: {answer}")
    assert isinstance(answer["body"], bytes)
    return answer["body"]


def document(number: int, partitions: int) -> dict[str, object]:
    """A plant window of some 400 bytes."""
    plant = f"plant-{number % partitions:05}"
    return {
        "id": f"{plant}:{number // partitions}",
        "plant_id": plant,
        "window_start": f"2026-01-01T{number // partitions:08}Z",
        "generation_kw": number % 1000 / 7,
        "utilisation": number % 100 / 100,
        "readings": 10,
        "note": f"{number * 7919 % 100003:06}",
    }


async def fill(app: ASGIApp, documents: int, partitions: int) -> None:
    """Make the container and fill it in batches of 100, each in one partition."""
    await call(app, "POST", "dbs", "", "dbs", {"id": "d"})
    policy = {
        "includedPaths": [{"path": "/window_start/?"}],
        "excludedPaths": [{"path": "/*"}],
    }
    definition = {"id": "c", "partitionKey": {"paths": ["/plant_id"], "kind": "Hash", "version": 2}}
    await call(app, "POST", "colls", "dbs/d", "dbs/d/colls", {**definition, "indexingPolicy": policy})
    for plant in range(partitions):
        numbers = range(plant, documents, partitions)
        for start in range(0, len(numbers), 100):
            operations = [
                {"operationType": "Create", "resourceBody": document(number, partitions)}
                for number in numbers[start : start + 100]
            ]
            key = json.dumps([f"plant-{plant:05}"])
            batch = {"x-ms-cosmos-is-batch-request": "True", "x-ms-documentdb-partitionkey": key}
            await call(app, "POST", "docs", _CONTAINER, f"{_CONTAINER}/docs", operations, **batch)


async def time_ms(app: ASGIApp, repeats: int, partitions: int, documents: int, text: str | None) -> list[float]:
    """Milliseconds of each of `repeats` random point reads, or of queries with `text`."""
    choice = random.Random(7)
    times = []
    for _ in range(repeats):
        shown = document(choice.randrange(documents // partitions * partitions), partitions)
        key = {"x-ms-documentdb-partitionkey": json.dumps([shown["plant_id"]])}
        started = time.perf_counter()
        if text is None:
            link = f"{_CONTAINER}/docs/{shown['id']}"
            await call(app, "GET", "docs", link, link, None, **key)
        else:
            asked = {"x-ms-documentdb-isquery": "true", "content-type": "application/query+json"}
            await call(app, "POST", "docs", _CONTAINER, f"{_CONTAINER}/docs", {"query": text}, **key, **asked)
        times.append((time.perf_counter() - started) * 1000)
    return times


def summary(times_ms: list[float]) -> dict[str, float]:
    """Median and 99th percentile, in milliseconds."""
    ordered = sorted(times_ms)
    return {"p50_ms": round(statistics.median(ordered), 3), "p99_ms": round(ordered[int(len(ordered) * 0.99) - 1], 3)}


async def run(documents: int, partitions: int, repeats: int) -> dict[str, object]:
    """Fill, measure, and report."""
    with tempfile.TemporaryDirectory() as folder:
        account = Account(Path(folder), EMULATOR_KEY, Settings(limits="off"))
        app = Front(account, Faults()).app()
        started, cpu = time.perf_counter(), time.process_time()
        await fill(app, documents, partitions)
        filled_s, filled_cpu_s = time.perf_counter() - started, time.process_time() - cpu
        reads = await time_ms(app, repeats, partitions, documents, None)
        last = await time_ms(app, repeats, partitions, documents, _LAST_N)
        scans = await time_ms(app, max(20, repeats // 20), partitions, documents, _SCAN)
        account.close()
        memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        disk_mb = sum(entry.stat().st_size for entry in os.scandir(folder)) / 1e6
    return {
        "bench": "cosmos",
        "unit": "ms for the last 10 of a partition, median",
        "ours": summary(last)["p50_ms"],
        "peers": {"a scan of the partition": summary(scans)["p50_ms"]},
        "detail": {
            "documents": documents,
            "partitions": partitions,
            "point_read": summary(reads),
            "last_10": summary(last),
            "scan": summary(scans),
            "peak_memory_mb": round(memory_mb, 1),
            "disk_mb": round(disk_mb, 1),
            "filled_documents_per_s": round(documents / filled_s),
            "filled_documents_per_cpu_s": round(documents / filled_cpu_s),
        },
    }


def main() -> None:
    """Entry point."""
    options = report.parser(__doc__, quick="50,000 documents and not a million").parse_args()
    documents, partitions = (50_000, 10) if options.quick else (1_000_000, 20)
    result = asyncio.run(run(documents, partitions, 400))
    report.tell(result, as_json=options.json)


if __name__ == "__main__":
    main()
