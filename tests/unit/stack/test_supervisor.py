"""A stack that is stopped, killed, or started twice leaves nothing behind and nothing waiting."""

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from local_azure.directory import DataDirectoryInUseError, owned
from stack.layout import WELL_KNOWN_PORTS, Plan
from stack.state import StackState, own_start, running_stack, write_state
from stack.supervisor import Supervisor

_UP = (sys.executable, "-m", "stack.cli", "up", "--free-ports", "--plants=1", "--sources=none")
_ORPHAN = """
import asyncio, os, signal, sys
from stack.layout import Plan, ProcessSpec
from stack.supervisor import Supervisor

async def start():
    supervisor = Supervisor(Plan(data=sys.argv[1], ports={}), print)
    child = await supervisor._start(ProcessSpec(name="child", command=("sleep", "60")), sys.stderr.buffer)
    print(child.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(start())
"""


def test_ctrl_c_while_it_starts_is_obeyed(tmp_path: Path) -> None:
    """Stopped before its local Azure is ready, the stack ends soon and well: it does not try to fill what it ends."""
    folder = tmp_path / "data[red]"
    with subprocess.Popen([*_UP, f"--data={folder}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as stack:
        assert stack.stdout is not None
        while b"Starting" not in (line := stack.stdout.readline()):
            assert line, "it ended"
        begun = time.monotonic()
        stack.send_signal(signal.SIGINT)
        said = line + stack.stdout.read()
        assert stack.wait() == 0, said
    assert time.monotonic() - begun < 40
    assert b"Heliograph has stopped." in said
    assert b"data[red]" in said.replace(b"\n", b"")
    assert running_stack(folder) is None


async def test_a_folder_takes_one_stack(tmp_path: Path) -> None:
    """A second start beside one that is under way is refused, and leaves the file by which the first is found."""
    plan = Plan(data=str(tmp_path), ports=WELL_KNOWN_PORTS)
    with owned(tmp_path, "stack.lock", "stack"):
        write_state(tmp_path, StackState(pid=psutil.Process().pid, started=own_start(), phase="starting", plan=plan))
        with pytest.raises(DataDirectoryInUseError, match=str(tmp_path)):
            await Supervisor(plan, print).run(asyncio.Event(), print)
        assert running_stack(tmp_path) is not None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_children_do_not_outlive_a_killed_supervisor(tmp_path: Path) -> None:
    """After `kill -9` of the supervisor its processes end: else they keep ports and data from the next stack."""
    killed = subprocess.run(
        [sys.executable, "-c", _ORPHAN, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    deadline = time.monotonic() + 10
    while _lives(int(killed.stdout)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_state_that_can_not_be_written_stops_nothing(tmp_path: Path) -> None:
    """The file that tells of the processes may fail, on a full disk for one; that is reported, and they run on."""
    lines: list[str] = []
    supervisor = Supervisor(Plan(data=str(tmp_path / "gone"), ports={}), lines.append)
    supervisor._save()
    assert lines == ["stack.json can not be written: No such file or directory"]


@pytest.mark.parametrize("name", ["ports.json", "clock", "eventhubs.json"])
def test_a_folder_that_takes_no_files_is_named(tmp_path: Path, name: str) -> None:
    """What can't be read or written in the folder is one red line with its path, and no traceback."""
    (tmp_path / name).mkdir()
    answer = subprocess.run([*_UP, f"--data={tmp_path}"], capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode == 1
    assert answer.stderr.splitlines() == [f"--data: can't keep files in {tmp_path}: Is a directory ({tmp_path / name})"]
