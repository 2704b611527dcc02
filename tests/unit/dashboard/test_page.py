"""The tests of the page's pure parts, which are written in its own language."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FRONTEND = Path(__file__).parents[3] / "services/dashboard/frontend"


@pytest.mark.timeout(180)
def test_the_pages_own_tests_pass() -> None:
    """What `npm test` runs passes: the map's groups, alerts in any order, curves with gaps, the feed's parser."""
    vitest = FRONTEND / "node_modules/vitest/vitest.mjs"
    if not vitest.is_file():
        pytest.skip("the page's packages are not installed: make page")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = ["node", str(vitest), "run"]
    result = subprocess.run(
        command, cwd=FRONTEND, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False
    )
    print(result.stdout[-4000:], result.stderr[-2000:])
    assert result.returncode == 0
