"""The Bicep files against the types of Azure Resource Manager, where the checker for these is at hand."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.conftest import AZURE, ROOT

CHECKER = ROOT.parent / "shared" / "tools" / "bicepcheck.py"
needs_checker = pytest.mark.skipif(not CHECKER.exists(), reason="the type checker lies beside the project, not in it")


def findings(folder: Path) -> list[str]:
    answer = subprocess.run(
        [sys.executable, CHECKER, *sorted(folder.rglob("*.bicep"))], capture_output=True, text=True, check=False
    )
    *lines, last = answer.stdout.splitlines()
    assert last.endswith("finding(s)"), answer.stderr
    return lines


@needs_checker
def test_nothing_is_found() -> None:
    """Syntax, names, module parameters and resource bodies of every file are as ARM's types want them."""
    assert findings(AZURE) == []


@needs_checker
@pytest.mark.parametrize(
    ("file", "right", "wrong", "code"),
    [
        ("modules/storage.bicep", "allowSharedKeyAccess: false", "allowSharedKeysAccess: false", "BCP037"),
        ("modules/event-hubs.bicep", "disableLocalAuth: true", "disableLocalAuth: 'yes'", "BCP036"),
        ("modules/container-app.bicep", "activeRevisionsMode:", "activeRevisionMode:", "BCP037"),
        ("modules/cosmos.bicep", "databaseAccountOfferType: 'Standard'", "", "BCP035"),
        ("modules/environment.bicep", "managedEnvironments@2026-01-01", "managedEnvironments@2024-03-01", "BCP081"),
        ("apps/sink.bicep", "minReplicas: minReplicas", "minReplicas: leastReplicas", "BCP057"),
        ("apps/sink.bicep", "    platform: platform\n    hubs", "    hubs", "BCP035"),
        ("modules/network.bicep", "subnets: [", "subnets: ", "syntax"),
    ],
)
def test_seeded_mistakes_are_found(tmp_path: Path, file: str, right: str, wrong: str, code: str) -> None:
    """A misspelt property, a wrong type, a missing one, an old API version, an unknown name: each is found."""
    folder = tmp_path / "azure"
    shutil.copytree(AZURE, folder)
    source = (folder / file).read_text()
    assert right in source
    (folder / file).write_text(source.replace(right, wrong, 1))
    assert any(f": {code}: " in line for line in findings(folder))
