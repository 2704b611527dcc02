"""What the operators' commands print."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from heliograph.dead_letters import DeadLetter
from stack import letters, operate, status
from stack.cli import app
from stack.layout import WELL_KNOWN_PORTS, Plan
from stack.state import StackState, own_start, write_state

TEXT = "plant roof [/b] of array [north], alert p1:sun:2026"
LETTER = DeadLetter(service="analyzer", reason="late[/x]", detail=TEXT, source="readings[/y]", partition="3",
                    at=datetime(2026, 6, 1, tzinfo=UTC), original=TEXT.encode())  # fmt: skip
BOX = letters.Box("analyzer/[red]/9-late.ndjson", [LETTER], b"")


def printed(*words: str) -> str:
    answer = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert answer.exit_code == 0
    return answer.stdout


def test_letters_are_shown_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Square brackets in a name, a reason, a source or a detail are text: none ends the command, none is hidden. Nor do
    words between colons turn into pictures."""

    async def boxes(*_: object) -> AsyncIterator[letters.Box]:
        yield BOX

    async def box(*_: object) -> letters.Box:
        return BOX

    monkeypatch.setattr(operate, "ways_in", lambda _data: None)
    monkeypatch.setattr(letters, "boxes", boxes)
    monkeypatch.setattr(letters, "box", box)
    listed = printed("dead-letters", "list")
    assert f"{BOX.name}  1 late[/x]  {TEXT}\n" in listed
    shown = printed("dead-letters", "show", BOX.name)
    assert f"late[/x]: {TEXT}\n" in shown
    assert "from readings[/y] partition 3" in shown
    assert shown.endswith(f"\n{TEXT}\n")


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which a stack runs, whose sink is ill and whose stores hold something."""
    plan = Plan(data=str(tmp_path), ports=WELL_KNOWN_PORTS)
    write_state(tmp_path, StackState(pid=os.getpid(), started=own_start(), phase="ready", plan=plan))
    ill = {"healthy": False, "reason": "[/cosmos] refused", "pid": 1, "restarts": 0}

    async def collect(_state: object) -> dict[str, Any]:
        return {"services": {"sink": ill}, "readings": 7, "plant_windows": 5, "region_windows": 3, "alerts": 2}

    monkeypatch.setattr(status, "collect", collect)
    return tmp_path


def test_status_shows_a_reason_as_it_is(running: Path) -> None:
    """What a service says of itself is text, with its square brackets."""
    assert "[/cosmos] refused" in printed("status", "--data", str(running))


def test_status_says_which_figures_count_redelivered_events_again(running: Path) -> None:
    """Readings and windows are sums over the commits of the sink, of which two may hold the same event; alerts are
    exact."""
    lines = [line.split() for line in printed("status", "--data", str(running)).splitlines()]
    assert ["readings", "7", "at", "least", "once", "each"] in lines
    assert ["plant", "windows", "5", "at", "least", "once", "each"] in lines
    assert ["alerts", "2"] in lines
