"""JavaScript for the contract suites: Node from PyPI, the official SDKs from npm, pinned by the lock file."""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

_FOLDER = Path(__file__).parent / "js"
_INSTALL_TIMEOUT_S = 240
_RUN_TIMEOUT_S = 50


def _install() -> None:
    """Install what the lock file names, once, however many test runs ask at the same time."""
    with (_FOLDER / "package.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        installed = _FOLDER / "node_modules" / ".package-lock.json"
        wanted = _FOLDER / "package-lock.json"
        if not installed.exists() or installed.stat().st_mtime < wanted.stat().st_mtime:
            subprocess.run(
                [_executable("npm"), "ci", "--no-audit", "--no-fund"],
                cwd=_FOLDER,
                env=_environment(),
                check=True,
                timeout=_INSTALL_TIMEOUT_S,
                stdout=subprocess.DEVNULL,
            )
            installed.touch()


def _executable(name: str) -> str:
    return str(Path(sys.executable).parent / name)


def _environment() -> dict[str, str]:
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


@pytest.fixture(scope="session")
def run_js() -> Callable[..., Any]:
    """Runs a script of `js/` with arguments and returns the JSON that it prints last."""
    _install()

    def run(script: str, *arguments: str) -> Any:
        done = subprocess.run(
            [_executable("node"), str(_FOLDER / script), *arguments],
            env=_environment(),
            capture_output=True,
            text=True,
            timeout=_RUN_TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout.strip().splitlines()[-1])

    return run
