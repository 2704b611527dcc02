"""What wakes an operator and what it may cost: alerts, logs and the budget."""

from __future__ import annotations

import json
import re

from deploy.bicep import Deployment, evaluate, read_params
from tests.deploy.conftest import AZURE, PROD_ENVIRONMENT, ROOT, SERVICES, apps, properties


def test_every_alert_reaches_somebody(prod: Deployment) -> None:
    """Each rule names the action group, and the group has the operators' addresses."""
    (people,) = prod.of_type("Microsoft.Insights/actionGroups")
    assert [each["emailAddress"] for each in people.body["properties"]["emailReceivers"]] == ["operator@example.org"]
    for rule in prod.of_type("Microsoft.Insights/metricAlerts"):
        assert rule.body["properties"]["actions"] == [{"actionGroupId": people.id}]
    for rule in prod.of_type("Microsoft.Insights/scheduledQueryRules"):
        assert rule.body["properties"]["actions"] == {"actionGroups": [people.id]}


def test_a_crash_loop_of_any_service_is_noticed(deployment: Deployment) -> None:
    """One restart alert for each app, and log alerts that look for lines which the code really writes."""
    watched = {rule.body["properties"]["scopes"][0] for rule in deployment.of_type("Microsoft.Insights/metricAlerts")}
    assert {app.id for app in apps(deployment).values()} <= watched
    sources = [*(ROOT / "libs").rglob("*.py"), *(ROOT / "services").glob("*/src/**/*.py")]
    source = "".join(path.read_text() for path in sources)
    for rule in deployment.of_type("Microsoft.Insights/scheduledQueryRules"):
        (criterion,) = rule.body["properties"]["criteria"]["allOf"]
        (line,) = re.findall(r'has "([^"]+)"', criterion["query"])
        assert f'"{line}"' in source, line


def test_the_budget_is_made_when_asked_for(dev: Deployment, prod: Deployment) -> None:
    """No budget without an amount; with one, a template that warns at 80 % spent and at 100 % foreseen. Its first day
    is given, since one that follows the calendar would fail each deployment after its first month."""
    assert dev.of_type("Microsoft.Resources/deployments") == []
    unset = read_params(AZURE / "prod.bicepparam", {**PROD_ENVIRONMENT, "HELIOGRAPH_BUDGET_START": ""})
    assert evaluate(AZURE / "main.bicep", unset).of_type("Microsoft.Resources/deployments") == []
    budget = properties(prod, "Microsoft.Resources/deployments")
    assert budget["parameters"]["startDate"]["value"] == "2026-01-01"
    template = budget["template"]
    assert template == json.loads((AZURE / "modules" / "budget.json").read_text())
    assert set(template["parameters"]) == set(budget["parameters"])
    (resource,) = template["resources"]
    assert resource["type"] == "Microsoft.Consumption/budgets"
    thresholds = {(n["threshold"], n["thresholdType"]) for n in resource["properties"]["notifications"].values()}
    assert thresholds == {(80, "Actual"), (100, "Forecasted")}
    used = re.findall(r"parameters\('(\w+)'\)", json.dumps(template["resources"]))
    assert set(used) == set(template["parameters"])


def test_capture_and_zones_follow_their_settings(dev: Deployment, prod: Deployment) -> None:
    """What is set for a nation is not paid for in a trial."""
    kind = "Microsoft.EventHub/namespaces/eventhubs"
    captured = {hub.name for hub in prod.of_type(kind) if hub.body["properties"]["captureDescription"]}
    assert captured == {"readings"}
    assert all(hub.body["properties"]["captureDescription"] is None for hub in dev.of_type(kind))
    for deployment, zones in ((dev, False), (prod, True)):
        assert properties(deployment, "Microsoft.App/managedEnvironments")["zoneRedundant"] is zones
        assert properties(deployment, "Microsoft.EventHub/namespaces")["isAutoInflateEnabled"] is True
        (location,) = properties(deployment, "Microsoft.DocumentDB/databaseAccounts")["locations"]
        assert location["isZoneRedundant"] is zones


def test_overwritten_blobs_are_kept_for_a_day(deployment: Deployment) -> None:
    """A blob that is deleted by mistake comes back for a day, and no longer: each snapshot that the analyzer
    overwrites, every five seconds, is kept and paid for as long."""
    kept = properties(deployment, "Microsoft.Storage/storageAccounts/blobServices")["deleteRetentionPolicy"]
    assert kept == {"enabled": True, "days": 1}


def test_cosmos_is_serverless_or_scales_by_itself(dev: Deployment, prod: Deployment) -> None:
    """By setting: serverless has no throughput of its own, the other scales between a tenth and its maximum."""
    account, database = "Microsoft.DocumentDB/databaseAccounts", "Microsoft.DocumentDB/databaseAccounts/sqlDatabases"
    assert properties(dev, account)["capabilities"] == [{"name": "EnableServerless"}]
    assert properties(dev, database)["options"] == {}
    assert properties(prod, account)["capabilities"] == []
    assert properties(prod, database)["options"] == {"autoscaleSettings": {"maxThroughput": 10000}}


def test_settings_of_the_installation_reach_every_app() -> None:
    """What sink and dashboard must agree on is said once, and each app is given it beside its own settings."""
    values = {**read_params(AZURE / "prod.bicepparam", PROD_ENVIRONMENT), "sharedSettings": {"HELIOGRAPH_CELLS": "512"}}
    for app in apps(evaluate(AZURE / "main.bicep", values)).values():
        env = app.body["properties"]["template"]["containers"][0]["env"]
        assert {"name": "HELIOGRAPH_CELLS", "value": "512"} in env
        assert len({each["name"] for each in env}) == len(env)


def test_azd_knows_the_services() -> None:
    """`azure.yaml` builds each service from the one Dockerfile and finds its app by the tag that Bicep sets."""
    text = (ROOT / "azure.yaml").read_text()
    for service in SERVICES:
        assert re.search(rf"^  {service}:$", text, re.MULTILINE)
        assert f"SERVICE={service}]" in text
        assert f"SERVICE_{service.upper()}_IMAGE_NAME" in (AZURE / "main.parameters.json").read_text()


def test_apps_carry_the_tag_that_azd_looks_for(deployment: Deployment) -> None:
    """azd finds the app of a service by its tag, and the resource group by another."""
    for service, app in apps(deployment).items():
        assert app.body["tags"]["azd-service-name"] == service
        assert "azd-env-name" in app.body["tags"]


def test_the_page_on_deployment_names_every_setting() -> None:
    """Each parameter of `main.bicep` that decides what is made is explained in docs/deploy.md."""
    page = (ROOT / "docs" / "deploy.md").read_text()
    declared = set(re.findall(r"^param (\w+) ", (AZURE / "main.bicep").read_text(), re.MULTILINE))
    plain = {"environmentName", "location", "images", "logRetentionDays", "alertEmails"}
    assert {name for name in declared - plain if name not in page} <= {"dashboardSettings"}
