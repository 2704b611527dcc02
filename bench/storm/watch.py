"""What an operator would see during the storm: how late documents are, how soon each fault is over, and the memory."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psutil
from azure.core.exceptions import AzureError
from azure.cosmos.aio import ContainerProxy, CosmosClient

from bench.storm.stack import Stack
from bench.storm.strikes import Struck
from heliograph.storage import WINDOWS
from heliograph.topology import DATABASE

LOOK_S = 0.5
LOST_S = 10.0
"""After which a question is taken for lost."""
NORMAL_S = 20.0
"""The newest window of every partition ends at most this long ago: ten seconds of the window itself, two for readings
out of order, and what the way takes."""
PUSHED = "push-"


@dataclass(slots=True)
class Freshness:
    """Follows the change feed of the windows, and notes when each window of a pushing plant is first seen."""

    stack: Stack
    begun_epoch_s: float
    seen: dict[tuple[str, float], float] = field(default_factory=dict)
    """Plant and window start → seconds since the epoch."""
    newest: dict[str, float] = field(default_factory=dict)
    """Cell → end of its newest window."""
    ages: list[tuple[float, float]] = field(default_factory=list)
    """Seconds from the beginning, and the age of the cell that is furthest behind."""

    async def run(self, stopping: asyncio.Event) -> None:
        """Until told to stop, whatever state Cosmos DB is in."""
        endpoint, key = self.stack.cosmos
        token: str | None = None
        async with CosmosClient(endpoint, key, enable_endpoint_discovery=False) as client:
            container = client.get_database_client(DATABASE).get_container_client(WINDOWS.name)
            while not stopping.is_set():
                # a failed look is made up for by the next, which asks from where the last good one got to
                with contextlib.suppress(AzureError, OSError, TimeoutError):
                    token = await asyncio.wait_for(self._read(container, token), LOST_S)
                self._note()
                await asyncio.sleep(LOOK_S)

    async def _read(self, container: ContainerProxy, token: str | None) -> str | None:
        place: dict[str, Any] = {"continuation": token} if token else {"start_time": "Beginning"}
        feed = container.query_items_change_feed(max_item_count=500, **place)
        async for document in feed:
            if document.get("of") == "plants" and "rows" in document:
                self._take(document)
        headers: Mapping[str, str] = container.client_connection.last_response_headers
        return headers.get("etag") or token

    def _take(self, document: Mapping[str, Any]) -> None:
        now = time.time()
        for plant, rows in document["rows"].items():
            if plant.startswith(PUSHED):
                for row in rows:
                    start = document["first"] + row[0]
                    self.seen.setdefault((plant, start), now)
                    self.newest[document["pk"]] = max(self.newest.get(document["pk"], 0.0), start + row[1])

    def _note(self) -> None:
        now = time.time()
        oldest = min(self.newest.values(), default=self.begun_epoch_s)
        self.ages.append((now - self.begun_epoch_s, now - oldest))

    def by_minute(self, seconds: int) -> dict[int, list[float]]:
        """By the minute in which a reading was made: how long each took to be in a document. A window's first
        appearance counts for all of its seconds."""
        latencies: dict[int, list[float]] = defaultdict(list)
        end_s = self.begun_epoch_s + seconds
        for (_plant, start), seen_s in self.seen.items():
            for second in range(10):
                made_s = start + second
                if self.begun_epoch_s <= made_s < end_s:
                    latencies[int(made_s - self.begun_epoch_s) // 60].append(seen_s - made_s)
        return dict(sorted(latencies.items()))

    def recoveries(self, struck: Iterable[Struck]) -> list[dict[str, Any]]:
        """Of each strike: how long until documents were as fresh as usual again; 0 where they never ceased to be."""
        return [
            {
                "at_s": round(one.began_s, 1),
                "strike": one.strike.name,
                "lasted_s": round(one.ended_s - one.began_s, 1),
                "felt": one.felt,
                "recovered_after_s": self._recovery(one),
            }
            for one in sorted(struck, key=lambda one: one.began_s)
        ]

    def _recovery(self, struck: Struck) -> float | None:
        late = [at for at, age in self.ages if struck.began_s <= at <= struck.ended_s + NORMAL_S and age > NORMAL_S]
        if not late:
            return 0.0
        fine = [at for at, age in self.ages if at > late[0] and age <= NORMAL_S]
        return round(fine[0] - struck.began_s, 1) if fine else None


def percentiles(latencies: Sequence[float]) -> dict[str, float]:
    """p50, p95 and p99, in seconds."""
    cuts = statistics.quantiles(latencies, n=100, method="inclusive")
    return {f"p{cut}_s": round(cuts[cut - 1], 2) for cut in (50, 95, 99)}


@dataclass(slots=True)
class MemoryLog:
    """Resident memory of each process over its life, its children's with it."""

    stack: Stack
    lives: dict[tuple[str, int], list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))
    """Name and pid → seconds, MB."""

    async def run(self, stopping: asyncio.Event, every_s: float = 5.0) -> None:
        """Until told to stop."""
        while not stopping.is_set():
            for name, pid in list(self.stack.pids.items()):
                if megabytes := _resident_mb(pid):
                    self.lives[name, pid].append((time.monotonic(), megabytes))
            await asyncio.sleep(every_s)

    def summary(self) -> dict[str, dict[str, float | None]]:
        """By process name: the most that it took, and how it grew over the second half of its longest life. The first
        half is for what fills up by design: the analyzer holds readings for as long as they may be corrected."""
        found: dict[str, dict[str, float | None]] = {}
        for name in sorted({name for name, _ in self.lives}):
            lives = [life for (owner, _), life in self.lives.items() if owner == name]
            longest = max(lives, key=lambda life: life[-1][0] - life[0][0])
            settled = longest[len(longest) // 2 :]
            found[name] = {
                "most_mb": round(max(mb for life in lives for _, mb in life), 1),
                "slope_mb_per_h": _slope(settled),
                "over_s": round(settled[-1][0] - settled[0][0]) if settled else 0,
            }
        return found


def _resident_mb(pid: int) -> float:
    try:
        process = psutil.Process(pid)
        return sum(one.memory_info().rss for one in (process, *process.children(recursive=True))) / 1e6
    except psutil.Error:
        return 0.0


def _slope(points: Sequence[tuple[float, float]]) -> float | None:
    """Least squares, MB an hour; None for too few points to say."""
    if len(points) < 12:
        return None
    slope, _ = statistics.linear_regression([at for at, _ in points], [mb for _, mb in points])
    return round(slope * 3600, 1)
