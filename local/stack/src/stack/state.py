"""The file in the data folder by which the commands find a running stack."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Literal

import msgspec
import psutil

from stack.layout import WELL_KNOWN_PORTS, Plan, Ports
from stack.ports import free_ports, taken

STATE_FILE = "stack.json"
PORTS_FILE = "ports.json"
CLOCK_FILE = "clock"


class StackState(msgspec.Struct, kw_only=True):
    """What the supervisor says of itself."""

    pid: int
    started: float
    """Start of the supervisor's process, seconds since 1970; tells it from a later process with the same pid."""
    phase: Literal["starting", "ready"]
    plan: Plan
    pids: dict[str, int] = {}
    restarts: dict[str, int] = {}


def write_state(data: Path, state: StackState) -> None:
    """Replaces the state file at once, so that no reader sees half of it."""
    part = data / f"{STATE_FILE}.part"
    part.write_bytes(msgspec.json.encode(state))
    part.replace(data / STATE_FILE)


def remove_state(data: Path) -> None:
    """Says that no stack runs here any more."""
    (data / STATE_FILE).unlink(missing_ok=True)


def running_stack(data: Path) -> StackState | None:
    """The stack that runs in this folder, or None; a file left behind by a killed supervisor counts as None."""
    try:
        state = msgspec.json.decode((data / STATE_FILE).read_bytes(), type=StackState)
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
        return None
    with contextlib.suppress(psutil.Error):
        if abs(psutil.Process(state.pid).create_time() - state.started) < 1:
            return state
    return None


def other_clock(data: Path, clock: str) -> str | None:
    """The clock that the data of this folder goes by, if it is not this one; the first one stays the folder's.

    What is newest is live, so that of two clocks the later would hide the other.
    """
    kept = data / CLOCK_FILE
    if not kept.exists():
        kept.write_text(clock)
    first = kept.read_text()
    return None if first == clock else first


def own_start() -> float:
    """Start of this process, seconds since 1970."""
    return psutil.Process(os.getpid()).create_time()


def own_ports(data: Path) -> Ports:
    """Free ports for the stack of this folder: those that it had before as long as nobody holds them, since
    checkpoints bear the hub's address."""
    kept = data / PORTS_FILE
    try:
        ports = msgspec.json.decode(kept.read_bytes(), type=Ports)
    except (FileNotFoundError, msgspec.DecodeError):
        ports = {}
    if ports.keys() != WELL_KNOWN_PORTS.keys() or any(taken(ports)):
        ports = free_ports(WELL_KNOWN_PORTS)
        kept.write_bytes(msgspec.json.encode(ports))
    return ports
