"""Writes what the deployment takes from the code: `python -m deploy.render [--check]`.

One source each: the names come from `heliograph.topology`, the Cosmos containers from `heliograph.storage`, and the
container apps from the Bicep files, evaluated by `deploy.bicep`. With `--check` nothing is written and a stale file
ends the command with code 1.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from deploy.bicep import Resource, Runtime, evaluate
from heliograph import storage, topology
from stack.layout import hub_config

HERE: Final = Path(__file__).parent
SERVICES: Final = ("ingest", "analyzer", "sink", "thumbnailer", "dashboard")

_RESOURCE_GROUP: Final = "/subscriptions/${SUBSCRIPTION_ID}/resourceGroups/${RESOURCE_GROUP}"
_PLATFORM: Final[Mapping[str, Any]] = {
    "name": "${NAME}",
    "location": "${LOCATION}",
    "tags": {"application": "heliograph"},
    "environmentId": f"{_RESOURCE_GROUP}/providers/Microsoft.App/managedEnvironments/${{ENVIRONMENT}}",
    "registry": "${REGISTRY}",
    "registryServer": "${REGISTRY}.azurecr.io",
    "eventHubNamespace": "${EVENTHUB_NAMESPACE}",
    "storageAccount": "${STORAGE_ACCOUNT}",
    "cosmosAccount": "${COSMOS_ACCOUNT}",
    "cosmosEndpoint": "https://${COSMOS_ACCOUNT}.documents.azure.com:443/",
    "insights": "${INSIGHTS}",
    "insightsConnectionString": "${INSIGHTS_CONNECTION_STRING}",
    "allowedIpRanges": [],
    "settings": {},
}
_AZ_HEADER: Final = """\
# Made by `python -m deploy.render` from deploy/azure/apps/{service}.bicep: change it there.
# deploy/az/apps.sh fills in what is written ${{LIKE_THIS}} and hands it to `az containerapp create --yaml`.
"""


def azure_topology() -> dict[str, Any]:
    """What `deploy/azure` loads with `loadJsonContent`."""
    return {
        "hubs": [
            {"name": hub, "partitions": topology.HUB_PARTITIONS, "consumerGroups": list(groups)}
            for hub, groups in topology.CONSUMER_GROUPS.items()
        ],
        "partitions": topology.HUB_PARTITIONS,
        "readingsHub": topology.READINGS_HUB,
        "insightsHub": topology.INSIGHTS_HUB,
        "blobContainers": list(topology.BLOB_CONTAINERS),
        "checkpoints": topology.CHECKPOINTS,
        "snapshots": topology.SNAPSHOTS,
        "schedules": topology.SCHEDULES,
        "deadLetters": topology.DEAD_LETTERS,
        "uploads": topology.UPLOADS,
        "thumbnails": topology.THUMBNAILS,
        "receipts": topology.RECEIPTS,
        "sites": topology.SITES,
        "queues": list(topology.QUEUES),
        "uploadsQueue": topology.UPLOADS_QUEUE,
        "poisonQueue": topology.UPLOADS_QUEUE + topology.POISON_SUFFIX,
        "database": topology.DATABASE,
        "cosmosContainers": [
            {
                "name": spec.name,
                "partitionKey": spec.partition_key,
                "defaultTtl": spec.default_ttl_s,
                "indexingPolicy": spec.indexing_policy(),
            }
            for spec in storage.CONTAINERS
        ],
    }


def container_app(service: str) -> dict[str, Any]:
    """The service's container app in the form of `az containerapp create --yaml`, its names left open."""
    params: dict[str, Any] = {
        "platform": _PLATFORM,
        "image": f"${{REGISTRY}}.azurecr.io/heliograph/{service}:${{TAG}}",
        "minReplicas": 0,
    }
    if service == "ingest":
        params["settings"] = {"HELIOGRAPH_SOURCES": "${HELIOGRAPH_SOURCES}"}
        params["secrets"] = {}
    if service == "dashboard":
        params["settings"] = {"HELIOGRAPH_ACCESS": "public"}
    made = evaluate(HERE / "azure" / "apps" / f"{service}.bicep", params, _RESOURCE_GROUP)
    (app,) = made.of_type("Microsoft.App/containerApps")
    return _az_document(app)


def _az_document(app: Resource) -> dict[str, Any]:
    body = {name: _plain(value) for name, value in app.body.items()}
    return {"type": app.type, "resourceGroup": "${RESOURCE_GROUP}", **body}


def _plain(value: Any) -> Any:  # noqa: ANN401 - JSON
    """The value without nulls, which YAML files have no use for, and with a name for what Azure knows alone."""
    if isinstance(value, Runtime):
        return "${CLIENT_ID}"
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def _yaml(service: str) -> str:
    text = yaml.safe_dump(container_app(service), sort_keys=False, width=200)
    return _AZ_HEADER.format(service=service) + text


def _json(document: object) -> str:
    return json.dumps(document, indent=2) + "\n"


def rendered() -> Mapping[Path, str]:
    """Every generated file with its content."""
    return {
        HERE / "azure" / "topology.json": _json(azure_topology()),
        HERE / "compose" / "eventhubs.json": hub_config() + "\n",
        **{HERE / "az" / f"{service}.yaml": _yaml(service) for service in SERVICES},
    }


def stale() -> list[Path]:
    """The generated files that are not what the code says now."""
    return [path for path, text in rendered().items() if not path.exists() or path.read_text() != text]


def main() -> int:
    """Writes the files, or tells which are stale."""
    parser = argparse.ArgumentParser(prog="deploy.render", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail if a file is stale")
    check = parser.parse_args().check
    paths = stale()
    for path in paths:
        sys.stdout.write(f"{'stale' if check else 'written'}: {path.relative_to(HERE.parent)}\n")
        if not check:
            path.write_text(rendered()[path])
    return 1 if check and paths else 0


if __name__ == "__main__":
    sys.exit(main())
