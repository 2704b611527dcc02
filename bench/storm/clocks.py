"""Clocks that can be set: libfaketime before each replica's C library adds what a file says to the wall clock.

The monotonic clock and the times of files stay right, as when somebody sets a machine's date. Where the library does
not load, no clock is moved.
"""

from __future__ import annotations

import asyncio
import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

LIBRARY = "vendor/libfaketime/src/libfaketime.so.1"


@dataclass(frozen=True, slots=True)
class Clocks:
    """Files that say how far the clocks of processes are ahead, by process."""

    library: str = ""
    files: dict[str, Path] = field(default_factory=dict)

    @property
    def launchers(self) -> dict[str, tuple[str, ...]]:
        """What starts a process with a clock of its own."""
        return {name: ("env", *_environment(self.library, file)) for name, file in self.files.items()}

    async def move(self, name: str, ahead_s: float, seconds: float) -> None:
        """Sets the clock so far ahead (behind, if negative), and right again when the time is over."""
        self.files[name].write_text(f"{ahead_s:+g}")
        try:
            await asyncio.sleep(seconds)
        finally:
            self.files[name].write_text("+0")


def of_their_own(names: Sequence[str], folder: Path) -> Clocks:
    """Clocks for the processes; none where the library does not load."""
    found = importlib.util.find_spec("libfaketime")
    if found is None or found.origin is None:
        return Clocks()
    library, trial = Path(found.origin).parent / LIBRARY, folder / "clock"
    files = {name: folder / f"clock-{name}" for name in names}
    for file in (trial, *files.values()):
        file.write_text("+86400" if file is trial else "+0")
    asked = ["env", *_environment(str(library), trial), sys.executable, "-c", "import time; print(time.time())"]
    told = subprocess.run(asked, capture_output=True, text=True, timeout=20, check=False)
    works = told.returncode == 0 and float(told.stdout) - trial.stat().st_mtime > 80_000
    return Clocks(str(library), files) if works else Clocks()


def _environment(library: str, file: Path) -> tuple[str, ...]:
    return (
        f"LD_PRELOAD={library}",
        f"FAKETIME_TIMESTAMP_FILE={file}",
        "FAKETIME_CACHE_DURATION=1",
        "FAKETIME_DONT_FAKE_MONOTONIC=1",
        "FAKETIME_FORCE_MONOTONIC_FIX=0",  # its "fix" ends Python's waits for the interpreter lock at once: they spin
        "NO_FAKE_STAT=1",
    )
