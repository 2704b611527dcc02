"""The OpenAPI document against the running service, by Schemathesis."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.ingest.ingest_process import API_KEY, MASTER_KEY, Ingest

SEED = 20260621


@pytest.mark.timeout(240)
def test_schemathesis_finds_nothing(pushed: Ingest, tmp_path: Path):
    """Whatever the document allows is answered as the document says, and whatever it forbids is refused."""
    result = subprocess.run(
        [
            sys.executable,
            "-m",
            "schemathesis.cli",
            "run",
            f"{pushed.url}/openapi.json",
            "--max-examples=10",
            f"--seed={SEED}",
            "--generation-database=none",
            "--exclude-path-regex=drain|resume",
            f"--header=X-Api-Key: {API_KEY}",
            f"--header=x-functions-key: {MASTER_KEY}",
            "--no-color",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    print(f"seed {SEED}\n{result.stdout[-6000:]}{result.stderr[-2000:]}")
    assert result.returncode == 0
