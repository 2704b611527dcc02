"""Alerts, their runbook and the Grafana dashboard speak of metrics that exist."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from stack.reference import metrics_page

ROOT = Path(__file__).parents[2]
OBSERVABILITY = ROOT / "deploy" / "observability"
RULES = yaml.safe_load((OBSERVABILITY / "alerts.yml").read_text())["groups"][0]["rules"]
BOARD = json.loads((OBSERVABILITY / "grafana" / "dashboards" / "heliograph.json").read_text())
EXPRESSIONS = [rule["expr"] for rule in RULES] + [
    target["expr"] for panel in BOARD["panels"] for target in panel["targets"]
]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions_name_metrics_that_exist(expression: str) -> None:
    """Every metric of ours in an alert or a panel is one that a service exposes."""
    known = set(re.findall(r"^\| `(heliograph_\w+)`", metrics_page(), re.MULTILINE))
    used = {re.sub(r"_bucket$", "", name) for name in re.findall(r"heliograph_\w+", expression)}
    assert used <= known


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_each_alert_has_its_place_in_the_runbook(rule: dict[str, dict[str, str]]) -> None:
    """The link of an alert leads to a section that says what to do."""
    page, anchor = rule["annotations"]["runbook_url"].split("#")
    headings = re.findall(r"^## (\S+)$", (ROOT / page).read_text(), re.MULTILINE)
    assert anchor in {heading.lower() for heading in headings}


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed (Debian: prometheus)")
def test_alerts_fire_on_what_they_are_for() -> None:
    """promtool's cases: each alert fires on its cause and stays quiet on a healthy system."""
    case = Path(__file__).parent / "alerts_test.yml"
    answer = subprocess.run(["promtool", "test", "rules", str(case)], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
