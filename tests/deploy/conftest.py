"""What the Bicep files of `deploy/azure` would make, evaluated once: a small installation and one for a nation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.bicep import Deployment, Resource, evaluate, read_params

ROOT = Path(__file__).parents[2]
AZURE = ROOT / "deploy" / "azure"
SERVICES = ("ingest", "analyzer", "sink", "thumbnailer", "dashboard")
PROD_ENVIRONMENT = {
    **{f"{service.upper()}_IMAGE": f"registry.example/heliograph/{service}:1.2.3" for service in SERVICES},
    "HELIOGRAPH_SOURCES": "kpx-region,open-meteo",
    "HELIOGRAPH_INGEST_SETTINGS": '{"HELIOGRAPH_SITES_URL": "blob://sites/plants.csv"}',
    "HELIOGRAPH_DASHBOARD_SETTINGS": '{"HELIOGRAPH_ENTRA_OPERATOR_ROLE": "operator"}',
    "HELIOGRAPH_INGEST_SECRETS": '{"HELIOGRAPH_DATA_GO_KR_KEY": "https://kv-x.vault.azure.net/secrets/data-go-kr"}',
    "HELIOGRAPH_BUDGET_START": "2026-01-01",
    "HELIOGRAPH_ENTRA_TENANT_ID": "00000000-1111-2222-3333-444444444444",
    "HELIOGRAPH_ALLOWED_IP_RANGES": "203.0.113.0/24,198.51.100.7/32",
    "HELIOGRAPH_ALERT_EMAILS": "operator@example.org",
}


@pytest.fixture(scope="session")
def dev() -> Deployment:
    return evaluate(AZURE / "main.bicep", read_params(AZURE / "dev.bicepparam", {}))


@pytest.fixture(scope="session")
def prod() -> Deployment:
    return evaluate(AZURE / "main.bicep", read_params(AZURE / "prod.bicepparam", PROD_ENVIRONMENT))


@pytest.fixture(params=["dev", "prod"])
def deployment(request: pytest.FixtureRequest) -> Deployment:
    """Each of the two in turn."""
    return request.getfixturevalue(request.param)


def apps(deployment: Deployment) -> dict[str, Resource]:
    """The container apps by service."""
    return {app.name.removeprefix("ca-"): app for app in deployment.of_type("Microsoft.App/containerApps")}


def only(deployment: Deployment, kind: str) -> Resource:
    """The one resource of a type."""
    (resource,) = deployment.of_type(kind)
    return resource


def properties(deployment: Deployment, kind: str) -> dict[str, Any]:
    """The properties of the one resource of a type."""
    return only(deployment, kind).body["properties"]


@pytest.fixture(scope="session")
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())
