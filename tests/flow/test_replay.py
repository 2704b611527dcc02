"""A recorded day replayed at three speeds gives the same windows."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from heliograph.contracts import PlantWindow
from stack.layout import WELL_KNOWN_PORTS, Plan
from stack.ports import free_ports
from stack.state import running_stack
from tests.flow.conftest import Stack, eventually

SPEEDS = (1440.0, 14400.0, 0.0)
"""0 is as fast as it goes."""
WINDOWS = 3 * 96
"""Three systems, a reading each quarter of an hour."""


@contextmanager
def replaying(folder: Path, speed: float) -> Iterator[Stack]:
    """A stack without the services that have no part in it, fed by the recorded day alone."""
    folder.mkdir()
    plan = Plan(
        data=str(folder),
        ports=free_ports(WELL_KNOWN_PORTS),
        sources="replay",
        speed=speed,
        replicas={"thumbnailer": 0, "dashboard": 0},
    )
    command = [sys.executable, "-m", "stack.cli", "supervise", msgspec.json.encode(plan).decode()]
    with (folder / "stack.log").open("wb") as log:
        supervisor = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield Stack(folder)
        finally:
            supervisor.terminate()
            supervisor.wait(60)


def windows_of(stack: Stack) -> list[PlantWindow]:
    if running_stack(stack.data) is None or stack.state.phase != "ready":
        return []
    return stack.plant_windows("")


@pytest.mark.timeout(400)
def test_speed_changes_nothing(tmp_path: Path) -> None:
    """A minute for the day, six seconds, no time at all: the windows are the same to the last bit."""
    with (
        replaying(tmp_path / "a", SPEEDS[0]) as a,
        replaying(tmp_path / "b", SPEEDS[1]) as b,
        replaying(tmp_path / "c", SPEEDS[2]) as c,
    ):
        fastest = eventually(lambda: windows_of(c), lambda seen: len(seen) >= WINDOWS, 240, every_s=3)
        assert len(fastest) == WINDOWS
        for stack in (b, a):
            seen = eventually(lambda stack=stack: windows_of(stack), lambda seen: len(seen) >= len(fastest), 200, 3)
            seen = eventually(lambda stack=stack: windows_of(stack), lambda seen: seen == fastest, 30, 3)
            assert seen == fastest
