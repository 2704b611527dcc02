"""The pipelines: valid, pinned, with the least rights, and alike for GitHub and Azure."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.deploy.conftest import AZURE, ROOT, SERVICES

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
AZURE_PIPELINE = ROOT / "azure-pipelines.yml"
SCRIPTS = sorted((ROOT / "deploy").rglob("*.sh"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_to_a_commit(path: Path) -> None:
    """A tag can be moved by whoever owns an action; a commit can't. The version stands beside it."""
    used = re.findall(r"uses: (\S+)(.*)", path.read_text())
    for action, comment in used:
        if not action.startswith("./"):
            assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", action), action
            assert re.match(r" # v\d+\.\d+\.\d+$", comment), action


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_jobs_have_the_least_rights(path: Path) -> None:
    """A workflow starts with none; a job may read the sources, and ask for a token only to sign in to Azure."""
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        rights = dict(job["permissions"])
        assert rights.pop("contents") == "read"
        if rights:
            assert rights == {"id-token": "write"}, name
            assert "azure/login@" in str(job["steps"]), name


def test_nothing_signs_in_with_a_secret() -> None:
    """Sign-in is by OIDC: no pipeline names a secret."""
    for path in (*WORKFLOWS, AZURE_PIPELINE):
        assert "secrets." not in path.read_text()


def test_pipelines_give_every_variable_that_the_deployment_reads() -> None:
    """Each variable of `prod.bicepparam` reaches what-if and deployment on GitHub, and is named for Azure Pipelines."""
    read = set(re.findall(r"readEnvironmentVariable\('(\w+)'", (AZURE / "prod.bicepparam").read_text()))
    wanted = {name for name in read if not name.endswith("_IMAGE")}
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "deploy.yml").read_text())["jobs"]
    for job in ("what-if", "deploy"):
        assert wanted <= set(jobs[job]["env"]), job
    named = set(re.findall(r"\w+", AZURE_PIPELINE.read_text()[:1000]))
    page = (ROOT / "docs" / "deploy.md").read_text()
    assert {name for name in wanted if name not in named or name not in page} == set()


def test_both_pipelines_do_the_same() -> None:
    """Test, build, scan, what-if, deploy, look, roll back: each step is one script that both call."""
    github = "".join(path.read_text() for path in WORKFLOWS)
    azure = AZURE_PIPELINE.read_text()
    for step in (
        "make check", "make test", "deploy/check.sh", "deploy/docker-test.sh", "deploy/pipelines/scan.sh",
        "deploy/pipelines/deploy.sh what-if", "deploy/pipelines/deploy.sh create", "deploy/pipelines/smoke.sh",
        "deploy/pipelines/images.sh record", "deploy/pipelines/images.sh restore", "az bicep lint",
    ):  # fmt: skip
        assert step in github, step
        assert step in azure, step
        for script in re.findall(r"deploy/\S+\.sh", step):
            assert (ROOT / script).exists()
    for service in SERVICES:
        assert f"{service}: {{ service: {service} }}" in azure


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_stop_at_the_first_error(path: Path) -> None:
    """Each script of the deployment is strict, and bash can read it."""
    assert "\nset -euo pipefail\n" in path.read_text()
    subprocess.run(["bash", "-n", path], check=True)
