"""One folder holds data of one clock."""

import subprocess
import sys
from pathlib import Path

import pytest

from stack.layout import WELL_KNOWN_PORTS, Plan
from stack.state import other_clock


@pytest.mark.parametrize(
    ("start", "sources", "clock"),
    [
        ("", "fleet", "now"),
        ("", "open-meteo,fleet", "now"),
        ("", "replay", "replay"),
        ("2026-06-21T02:00:00Z", "fleet", "2026-06-21T02:00:00Z"),
    ],
)
def test_a_plan_names_its_clock(start: str, sources: str, clock: str) -> None:
    """Live sources go by the present, a replay by its recorded days, a simulation by where it started."""
    assert Plan(data="d", ports=WELL_KNOWN_PORTS, start=start, sources=sources).clock == clock


def test_a_folder_keeps_its_first_clock(tmp_path: Path) -> None:
    """The same clock goes on; another is told, and told again at the next try."""
    assert other_clock(tmp_path, "now") is None
    assert other_clock(tmp_path, "now") is None
    assert [other_clock(tmp_path, "replay") for _ in range(2)] == ["now", "now"]


def test_up_refuses_another_clock(tmp_path: Path) -> None:
    """The message names the folder, both clocks and what to do; a start is the same in any zone."""
    assert other_clock(tmp_path, "2026-06-21T02:00:00Z") is None

    def up(*words: str) -> str:
        command = [sys.executable, "-m", "stack.cli", "up", "--free-ports", "--data", str(tmp_path), *words]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert answer.returncode != 0
        return " ".join(answer.stderr.split())

    told = up("--start", "2026-06-21T12:00:00+09:00")
    for part in (str(tmp_path), "2026-06-21T02:00:00Z", "2026-06-21T03:00:00Z", f"--data {tmp_path}-2"):
        assert part in told
    assert "asked for (now)" in up()
