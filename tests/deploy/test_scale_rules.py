"""Each trap of KEDA and Container Apps that is known, and that the Bicep files keep clear of it."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.bicep import Deployment
from heliograph import topology
from heliograph.settings import ServiceSettings
from tests.deploy.conftest import SERVICES, apps, only, properties

HUB_READERS = {"analyzer": topology.READINGS_HUB, "sink": topology.INSIGHTS_HUB}
READERS_A_GROUP_BEARS = 5


def scale_of(deployment: Deployment, service: str) -> dict[str, Any]:
    return apps(deployment)[service].body["properties"]["template"]["scale"]


def metadata_of(deployment: Deployment, service: str) -> tuple[dict[str, Any], dict[str, str]]:
    (rule,) = scale_of(deployment, service)["rules"]
    return rule["custom"], rule["custom"]["metadata"]


@pytest.mark.parametrize("service", HUB_READERS)
def test_lag_is_read_from_the_checkpoints_of_the_python_sdk(deployment: Deployment, service: str) -> None:
    """`checkpointStrategy: blobMetadata`, exact in case: misspelt, KEDA takes a legacy format and scales for ever."""
    custom, metadata = metadata_of(deployment, service)
    assert custom["type"] == "azure-eventhub"
    assert metadata["checkpointStrategy"] == "blobMetadata"
    assert set(metadata) == {
        "eventHubNamespace", "eventHubName", "consumerGroup", "storageAccountName", "blobContainer",
        "checkpointStrategy", "unprocessedEventThreshold", "activationUnprocessedEventThreshold",
    }  # fmt: skip


@pytest.mark.parametrize("service", HUB_READERS)
def test_the_rule_looks_where_the_service_reads(deployment: Deployment, service: str) -> None:
    """Hub, group, account and container of the rule are those that the service uses, under a bare namespace name."""
    _, metadata = metadata_of(deployment, service)
    hub = HUB_READERS[service]
    assert metadata["eventHubName"] == hub
    assert metadata["consumerGroup"] == service
    assert service in topology.CONSUMER_GROUPS[hub]
    assert metadata["blobContainer"] == topology.CHECKPOINTS
    assert metadata["eventHubNamespace"] == only(deployment, "Microsoft.EventHub/namespaces").name
    assert metadata["storageAccountName"] == only(deployment, "Microsoft.Storage/storageAccounts").name


def test_names_in_a_checkpoint_path_are_lower_case(deployment: Deployment) -> None:
    """The SDK lower-cases the whole path and KEDA only the group, so that every name must be lower case already."""
    names = [only(deployment, "Microsoft.EventHub/namespaces").name, *topology.CONSUMER_GROUPS]
    names += [group for groups in topology.CONSUMER_GROUPS.values() for group in groups]
    assert names == [name.lower() for name in names]


@pytest.mark.parametrize("service", HUB_READERS)
def test_there_are_never_more_readers_than_partitions(deployment: Deployment, service: str) -> None:
    """A replica beyond the partitions would own none."""
    assert scale_of(deployment, service)["maxReplicas"] <= topology.HUB_PARTITIONS


@pytest.mark.parametrize("service", SERVICES)
def test_metadata_is_text(deployment: Deployment, service: str) -> None:
    """KEDA takes texts only: a bare number fails the whole rule, and a failing rule freezes all scaling of the app."""
    for rule in scale_of(deployment, service)["rules"]:
        metadata = (rule.get("custom") or rule.get("http"))["metadata"]
        assert all(isinstance(value, str) for value in metadata.values())


@pytest.mark.parametrize("service", [*HUB_READERS, "thumbnailer"])
def test_rules_sign_in_with_the_identity_of_their_app(deployment: Deployment, service: str) -> None:
    """A rule uses the app's own identity and no secret, which needs an API version of 2025-01-01 or later."""
    app = apps(deployment)[service]
    (rule,) = scale_of(deployment, service)["rules"]
    assert list(app.body["identity"]["userAssignedIdentities"]) == [rule["custom"]["identity"]]
    assert "auth" not in rule["custom"]
    assert app.api_version >= "2025-01-01"


def test_photos_scale_by_queue_length_on_queues_that_exist(deployment: Deployment) -> None:
    """The queue rule names a queue that is made, and so is its poison queue: a missing one stops all scaling."""
    custom, metadata = metadata_of(deployment, "thumbnailer")
    made = {queue.name for queue in deployment.of_type("Microsoft.Storage/storageAccounts/queueServices/queues")}
    assert custom["type"] == "azure-queue"
    assert set(metadata) == {"accountName", "queueName", "queueLength", "activationQueueLength"}
    assert metadata["queueName"] == topology.UPLOADS_QUEUE
    assert {metadata["queueName"], metadata["queueName"] + topology.POISON_SUFFIX} <= made


def test_open_pages_and_pushed_readings_scale_by_http(deployment: Deployment) -> None:
    """The two services with an ingress follow their requests; neither goes to zero: one has schedules, one a page."""
    for service in ("dashboard", "ingest"):
        (rule,) = scale_of(deployment, service)["rules"]
        assert int(rule["http"]["metadata"]["concurrentRequests"]) > 0
        assert scale_of(deployment, service)["minReplicas"] >= 1


def test_dashboards_share_a_group_without_its_limit_even_in_an_upgrade(deployment: Deployment) -> None:
    """Every replica of the dashboard reads all partitions; old and new ones together stay within five readers."""
    assert 2 * scale_of(deployment, "dashboard")["maxReplicas"] <= READERS_A_GROUP_BEARS


@pytest.mark.parametrize("service", SERVICES)
def test_the_platform_waits_for_the_drain(deployment: Deployment, service: str) -> None:
    """The grace period is longer than the drain that the service is told, which is the code's own default."""
    template = apps(deployment)[service].body["properties"]["template"]
    env = {entry["name"]: entry.get("value") for entry in template["containers"][0]["env"]}
    assert float(env["HELIOGRAPH_DRAIN_S"]) == ServiceSettings.model_fields["drain_s"].default
    assert template["terminationGracePeriodSeconds"] > float(env["HELIOGRAPH_DRAIN_S"])


@pytest.mark.parametrize("service", SERVICES)
def test_one_revision_runs_at_a_time(deployment: Deployment, service: str) -> None:
    """Single revision mode: two revisions would compete for partitions and be scaled by the same lag."""
    assert apps(deployment)[service].body["properties"]["configuration"]["activeRevisionsMode"] == "Single"


@pytest.mark.parametrize("service", SERVICES)
def test_probes_ask_the_paths_that_services_have(prod: Deployment, service: str) -> None:
    """Alive and ready are two questions. What is not ready gets no request, so page and push API, which do without
    their neighbours for a while, reach them at the start and stay ready."""
    (container,) = apps(prod)[service].body["properties"]["template"]["containers"]
    paths = {probe["type"]: probe["httpGet"]["path"] for probe in container["probes"]}
    public = apps(prod)[service].body["properties"]["configuration"]["ingress"] is not None
    start, ready = ("/readyz", "/healthz") if public else ("/healthz", "/readyz")
    assert paths == {"Startup": start, "Liveness": "/healthz", "Readiness": ready}
    for probe in container["probes"]:
        assert 1 <= probe["failureThreshold"] <= 10, "the documented bounds of Container Apps"
        assert 1 <= probe["periodSeconds"] <= 240


def test_before_the_first_image_a_placeholder_runs(dev: Deployment, prod: Deployment) -> None:
    """`azd provision` comes before the first push, and `azd deploy` changes the image alone: the placeholder has no
    probe of ours, and all else is as our images need it."""
    for service, app in apps(dev).items():
        (container,) = app.body["properties"]["template"]["containers"]
        assert container["image"].startswith("mcr.microsoft.com/")
        assert container["probes"] == []
        (ours,) = apps(prod)[service].body["properties"]["template"]["containers"]
        for each in (container, ours):
            port = {one["name"]: one.get("value") for one in each["env"]}["HELIOGRAPH_HTTP_PORT"]
            assert port == "8080", "under 1024 only root may listen"
        ingress = app.body["properties"]["configuration"]["ingress"]
        assert ingress is None or ingress["targetPort"] == 8080


def test_the_subnet_is_large_enough_for_an_upgrade(deployment: Deployment) -> None:
    """The apps' subnet is delegated, and at least a /24: a /27 would do until a revision change doubles the need."""
    subnet = properties(deployment, "Microsoft.Network/virtualNetworks")["subnets"][0]
    assert subnet["properties"]["delegations"][0]["properties"]["serviceName"] == "Microsoft.App/environments"
    assert int(subnet["properties"]["addressPrefix"].rsplit("/", 1)[1]) <= 24
