"""The Dockerfile and the compose files: small, closed, without root, and alike."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests.deploy.conftest import ROOT, SERVICES

DOCKERFILE = (ROOT / "Dockerfile").read_text()
AZURE_SERVERS = ("eventhubs", "cosmos", "azurite")
STANDING = (*SERVICES, *AZURE_SERVERS)


def test_the_dockerfile_needs_no_frontend_from_elsewhere() -> None:
    """No `# syntax=` line, no heredoc, no mount: any engine builds it as it is, the older builder of registries too."""
    assert not re.search(r"^#\s*syntax\s*=", DOCKERFILE, re.MULTILINE | re.IGNORECASE)
    assert "<<" not in DOCKERFILE
    assert "--mount" not in DOCKERFILE


def test_only_two_base_images_are_needed() -> None:
    """Everything is built from Python and Node on Debian, both tagged; the image itself starts from nothing."""
    stages = set(re.findall(r"^FROM \S+ AS (\S+)", DOCKERFILE, re.MULTILINE))
    bases = set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) - stages
    assert {base for base in bases if "$" not in base} == {
        "python:3.12-slim-bookworm", "node:22-bookworm-slim", "scratch",
    }  # fmt: skip


def test_an_image_runs_without_root_and_without_shell() -> None:
    """The last stage has a user of its own and commands in the form that needs no shell."""
    last = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]
    assert "USER 10001:10001" in last
    assert not re.search(r"^RUN ", last, re.MULTILINE)
    assert re.findall(r"^(?:ENTRYPOINT|CMD|    CMD) (.)", last, re.MULTILINE) == ["[", "[", "["]
    assert "org.opencontainers.image.revision" in last


def test_every_service_can_be_built() -> None:
    """Each service has its stage, so that `--build-arg SERVICE=…` knows it."""
    for service in (*SERVICES, "local-azure"):
        assert f"AS sources-{service}\n" in DOCKERFILE


@pytest.mark.parametrize("name", STANDING)
def test_a_container_may_do_little(compose: dict[str, Any], name: str) -> None:
    """No root, no capability, a root file system that can't be written, bounds on memory, CPU and processes."""
    service = compose["services"][name]
    assert service["user"] == "10001:10001"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert {"mem_limit", "cpus", "pids_limit"} <= set(service)


@pytest.mark.parametrize("name", STANDING)
def test_a_container_comes_back_and_is_watched(compose: dict[str, Any], name: str) -> None:
    """It is started again when it dies, its health is asked for without a shell, and a stop leaves time to drain."""
    service = compose["services"][name]
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][:5] == ["CMD", "python", "-I", "-S", "/app/healthy.py"]
    assert int(service["stop_grace_period"].removesuffix("s")) > int(compose["x-environment"]["HELIOGRAPH_DRAIN_S"])


def test_only_the_page_and_the_push_api_are_published(compose: dict[str, Any]) -> None:
    """Two ports, on loopback; everything else lives on a network with no way out."""
    published = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    assert set(published) == {"dashboard", "ingest", "grafana"}
    assert compose["services"]["grafana"]["profiles"] == ["observability"], "published only when asked for"
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    assert compose["networks"]["inside"] == {"internal": True}
    for name, service in compose["services"].items():
        expected = ["inside", "edge"] if name in published else ["inside"]
        assert service["networks"] == expected, name


def test_observability_comes_when_asked_for(compose: dict[str, Any]) -> None:
    """Prometheus and Grafana are a profile; what they mount is there, and Prometheus asks the five services."""
    services = compose["services"]
    asked = {name for name, service in services.items() if service.get("profiles") == ["observability"]}
    assert asked == {"prometheus", "grafana"}
    for name in asked:
        for source in (volume.split(":")[0] for volume in services[name]["volumes"] if volume.startswith("./")):
            assert (ROOT / source).exists(), source
    scraped = yaml.safe_load((ROOT / "deploy/observability/prometheus.yml").read_text())["scrape_configs"]
    targets = {target for job in scraped for group in job["static_configs"] for target in group["targets"]}
    assert {f"{service}:8080" for service in SERVICES} <= targets


def test_services_wait_for_what_they_need(compose: dict[str, Any]) -> None:
    """Healthy in order: hubs and provisioned storage first, and Cosmos DB for the two that use it."""
    for name in SERVICES:
        needs = {other: how["condition"] for other, how in compose["services"][name]["depends_on"].items()}
        assert needs["eventhubs"] == "service_healthy"
        assert needs["provision"] == "service_completed_successfully"
        assert ("cosmos" in needs) == ("HELIOGRAPH_COSMOS_ENDPOINT" in compose["services"][name]["environment"])


def test_microsofts_emulators_take_the_same_places() -> None:
    """The other file runs the same five services, on Microsoft's images under the same three names."""
    other = yaml.safe_load((ROOT / "docker-compose.microsoft.yml").read_text())["services"]
    for name in SERVICES:
        assert other[name]["extends"] == {"file": "docker-compose.yml", "service": name}
    assert all(other[name]["image"].startswith("mcr.microsoft.com/") for name in AZURE_SERVERS)
    assert all("build" not in service for service in other.values())
