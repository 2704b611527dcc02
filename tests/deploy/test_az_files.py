"""The files for `az containerapp create --yaml`, which drops what it does not know without a word."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from deploy.bicep import Deployment
from tests.deploy.conftest import ROOT, SERVICES, apps

AZ = ROOT / "deploy" / "az"
CHOICES_OF_PROD = (
    "HELIOGRAPH_ENTRA_TENANT_ID", "HELIOGRAPH_ENTRA_OPERATOR_ROLE", "HELIOGRAPH_SITES_URL", "HELIOGRAPH_DATA_GO_KR_KEY",
)  # fmt: skip
SCHEMA = Draft202012Validator(json.loads((AZ / "containerapp.schema.json").read_text()))


def document(service: str) -> dict[str, Any]:
    return yaml.safe_load((AZ / f"{service}.yaml").read_text())


@pytest.mark.parametrize("service", SERVICES)
def test_every_key_is_one_that_the_cli_knows(service: str) -> None:
    """Each file holds nothing but keys of the type `Microsoft.App/containerApps`, each of its type."""
    assert [error.message for error in SCHEMA.iter_errors(document(service))] == []


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (("properties", "template", "scale", "maxReplica"), 8),
        (("properties", "template", "terminationGracePeriod"), 35),
        (("properties", "configuration", "activeRevisionMode"), "Single"),
        (("properties", "configuration", "activeRevisionsMode"), "single"),
        (("properties", "template", "scale", "rules", 0, "custom", "metadata", "unprocessedEventThreshold"), 64),
        (("properties", "template", "scale", "rules", 0, "custom", "identityId"), "x"),
        (("environmentId",), "x"),
    ],
)
def test_seeded_mistakes_are_caught(path: tuple[str | int, ...], wrong: object) -> None:
    """A misspelt key, a wrong case, a number for a text: the CLI would swallow each of these; the schema does not."""
    broken = copy.deepcopy(document("analyzer"))
    place: Any = broken
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = wrong
    assert list(SCHEMA.iter_errors(broken))


@pytest.mark.parametrize("service", SERVICES)
def test_the_same_app_as_bicep_makes(service: str, prod: Deployment) -> None:
    """File and Bicep come from one source: the same rules, probes, settings, bounds and grace period."""
    ours = document(service)["properties"]["template"]
    bicep = apps(prod)[service].body["properties"]["template"]
    assert ours["terminationGracePeriodSeconds"] == bicep["terminationGracePeriodSeconds"]
    assert ours["containers"][0]["probes"] == bicep["containers"][0]["probes"]
    assert ours["containers"][0]["resources"] == bicep["containers"][0]["resources"]
    given, wanted = ([entry["name"] for entry in each["containers"][0]["env"]] for each in (ours, bicep))
    assert [name for name in wanted if name not in CHOICES_OF_PROD] == given
    assert ours["scale"]["maxReplicas"] == bicep["scale"]["maxReplicas"]
    for rule, other in zip(ours["scale"]["rules"], bicep["scale"]["rules"], strict=True):
        kind = "custom" if "custom" in rule else "http"
        assert rule["name"] == other["name"]
        assert set(rule[kind]["metadata"]) == set(other[kind]["metadata"])


def test_every_open_name_is_filled_in() -> None:
    """`apps.sh` gives a value to each name that a file leaves open, and to no other."""
    texts = [json.dumps(document(service)) for service in SERVICES]
    named = {name for text in texts for name in re.findall(r"\$\{(\w+)\}", text)}
    (listed,) = re.findall(r"names=\(([^)]*)\)", (AZ / "apps.sh").read_text())
    assert set(listed.split()) == named
