"""How hard this process and its children work: CPU, memory and the event loop's lag."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

TICK_S: Final = 0.1
MAX_CPU: Final = 0.8
MAX_MEMORY: Final = 0.8
MAX_MISSED: Final = 0.5

_CGROUP: Final = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Load:
    """Shares, 0 to 1: of the cores and the memory that the process may use, and of the event loop's missed ticks."""

    cpu: float
    memory: float
    missed_ticks: float

    @property
    def healthy(self) -> bool:
        """Whether more could be done."""
        return self.cpu < MAX_CPU and self.memory < MAX_MEMORY and self.missed_ticks <= MAX_MISSED


def cores() -> float:
    """Cores that the process may use: those of the machine, or the container's part of them."""
    count = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    with contextlib.suppress(OSError, ValueError):
        quota, period = (_CGROUP / "cpu.max").read_text().split()
        return min(count, float(quota) / float(period))
    return count


def memory_bytes() -> int:
    """Memory that the process may use: the machine's, or the container's part of it."""
    total = int(psutil.virtual_memory().total)
    with contextlib.suppress(OSError, ValueError):
        return min(total, int((_CGROUP / "memory.max").read_text()))
    return total


class LoadMeter:
    """Measures from one reading to the next."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._cores = cores()
        self._memory_bytes = memory_bytes()
        self._ticks = 0
        self._at = time.monotonic()
        self._cpu_s = self._tree()[0]

    async def tick(self) -> None:
        """Counts ticks of the event loop until cancelled."""
        while True:
            await asyncio.sleep(TICK_S)
            self._ticks += 1

    def read(self) -> Load:
        """The load since the last reading."""
        now = time.monotonic()
        elapsed = max(now - self._at, 1e-6)
        cpu_s, resident_bytes = self._tree()
        load = Load(
            cpu=max(0.0, cpu_s - self._cpu_s) / elapsed / self._cores,
            memory=resident_bytes / self._memory_bytes,
            missed_ticks=max(0.0, 1 - self._ticks * TICK_S / elapsed),
        )
        self._at, self._cpu_s, self._ticks = now, cpu_s, 0
        return load

    def _tree(self) -> tuple[float, int]:
        """CPU seconds used and bytes resident, of the process and all below it, ended children included."""
        own = self._process.cpu_times()
        cpu_s = own.user + own.system + getattr(own, "children_user", 0.0) + getattr(own, "children_system", 0.0)
        resident = self._process.memory_info().rss
        for child in self._process.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                times = child.cpu_times()
                cpu_s += times.user + times.system
                resident += child.memory_info().rss
        return cpu_s, resident
