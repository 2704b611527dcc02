"""Code, Bicep, compose and az files speak of the same hubs, groups, containers and queues."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from deploy import render
from deploy.bicep import Deployment
from heliograph import storage, topology
from heliograph.settings import ServiceSettings
from tests.deploy.conftest import SERVICES, apps, only


def test_generated_files_are_what_the_code_says_now() -> None:
    """A name changed in the code reaches the deployment: `python -m deploy.render` has nothing left to write."""
    assert render.stale() == []


def test_hubs_partitions_and_groups_agree(deployment: Deployment) -> None:
    """Azure gets the hubs of the topology with its partitions and one consumer group for each reader."""
    hubs = {hub.name: hub for hub in deployment.of_type("Microsoft.EventHub/namespaces/eventhubs")}
    assert set(hubs) == set(topology.CONSUMER_GROUPS)
    assert {hub.body["properties"]["partitionCount"] for hub in hubs.values()} == {topology.HUB_PARTITIONS}
    groups = {
        tuple(group.id.split("/")[-3::2])
        for group in deployment.of_type("Microsoft.EventHub/namespaces/eventhubs/consumergroups")
    }
    assert groups == {(hub, group) for hub, names in topology.CONSUMER_GROUPS.items() for group in names}


def test_containers_and_queues_agree(deployment: Deployment) -> None:
    """Azure gets every blob container and queue of the topology; the other two are the platform's own."""
    kind = "Microsoft.Storage/storageAccounts"
    containers = {made.name for made in deployment.of_type(f"{kind}/blobServices/containers")}
    assert containers == {*topology.BLOB_CONTAINERS, "capture", "undelivered-events"}
    assert {made.name for made in deployment.of_type(f"{kind}/queueServices/queues")} == set(topology.QUEUES)


def test_cosmos_containers_are_those_that_the_code_declares(deployment: Deployment) -> None:
    """Partition key, indexes and time to live of each container come from `heliograph.storage`."""
    kind = "Microsoft.DocumentDB/databaseAccounts/sqlDatabases"
    assert only(deployment, kind).name == topology.DATABASE
    made = {each.name: each.body["properties"]["resource"] for each in deployment.of_type(f"{kind}/containers")}
    assert set(made) == {spec.name for spec in storage.CONTAINERS}
    for spec in storage.CONTAINERS:
        resource = made[spec.name]
        assert resource["partitionKey"]["paths"] == [spec.partition_key]
        assert resource["indexingPolicy"] == spec.indexing_policy()
        assert resource["defaultTtl"] == spec.default_ttl_s


def test_the_broker_in_compose_has_the_same_hubs(compose: dict[str, Any]) -> None:
    """The broker reads the generated configuration, in the form that Microsoft's emulator takes too."""
    command = compose["services"]["eventhubs"]["command"]
    assert "--config=/config/eventhubs.json" in command
    assert "./deploy/compose:/config:ro" in compose["services"]["eventhubs"]["volumes"]


def test_every_deployment_runs_the_five_services(deployment: Deployment, compose: dict[str, Any]) -> None:
    """Azure and compose run the same five."""
    assert set(apps(deployment)) == set(SERVICES)
    assert set(SERVICES) <= set(compose["services"])


def _fields(service: str) -> set[str]:
    settings = importlib.import_module(f"{service}.settings")
    types = [t for t in vars(settings).values() if isinstance(t, type) and issubclass(t, ServiceSettings)]
    return {f"HELIOGRAPH_{name}".upper() for kind in types for name in kind.model_fields}


@pytest.mark.parametrize("service", SERVICES)
def test_every_setting_given_is_one_that_the_service_reads(
    service: str, prod: Deployment, compose: dict[str, Any]
) -> None:
    """No HELIOGRAPH_ variable in Bicep or compose is a misspelling that the service would ignore in silence."""
    (container,) = apps(prod)[service].body["properties"]["template"]["containers"]
    azure = {entry["name"] for entry in container["env"]}
    given = azure | set(compose["services"][service]["environment"])
    assert {name for name in given if name.startswith("HELIOGRAPH_")} <= _fields(service)
