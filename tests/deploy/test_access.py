"""Who may do what: one identity a service, the least rights, no key and no open door."""

from __future__ import annotations

import json
import re

import pytest

from deploy.bicep import Deployment, evaluate, read_params
from heliograph import topology
from tests.deploy.conftest import AZURE, PROD_ENVIRONMENT, ROOT, SERVICES, apps, only, properties
from thumbnailer.events import CREATED, DELETED

ROLES = {
    "a638d3c7-ab3a-418d-83e6-5f17a39d4fde": "receive",
    "2b629674-e913-4c01-ae53-ef4638d8f975": "send",
    "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1": "read",
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": "write",
    "974c5e8b-45b9-4653-ba55-5f855dd0fb88": "work",
    "c6a89b2d-59bc-44d0-9896-0f6e12d7b80a": "enqueue",
    "7f951dda-4ed3-4680-a7ca-43fe172d538d": "pull",
    "3913510d-42f4-4e42-8a64-420c390055eb": "publish",
}
EVERY_SERVICE = {"pull registry", "publish telemetry"}
RIGHTS = {
    "ingest": {"send readings", "send insights", "write schedules", "write sites", "write dead-letters"},
    "analyzer": {
        "receive readings", "send insights", "write checkpoints", "write snapshots", "write dead-letters", "read sites",
    },
    "sink": {"receive insights", "write checkpoints", "write dead-letters"},
    "thumbnailer": {
        "send insights", "read uploads", "write thumbnails", "write receipts", "write snapshots",
        "work uploads-created", "enqueue uploads-created-poison",
    },
    "dashboard": {
        "receive insights", "send insights", "receive readings", "write uploads", "read thumbnails", "read sites",
    },
}  # fmt: skip
"""What each service does, from the table in the design; a right that is not here is one too many."""


def _rights(deployment: Deployment, service: str) -> set[str]:
    rights = set()
    for grant in deployment.of_type("Microsoft.Authorization/roleAssignments"):
        if f"[id-{service}-" not in grant.body["properties"]["principalId"]:
            continue
        verb = ROLES[grant.body["properties"]["roleDefinitionId"].rsplit("/", 1)[1]]
        scope = grant.scope.rsplit("/", 1)[1]
        rights.add(f"{verb} {'registry' if verb == 'pull' else 'telemetry' if verb == 'publish' else scope}")
    return rights


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_the_rights_that_its_work_needs_and_no_other(deployment: Deployment, service: str) -> None:
    """Rights are granted on one hub, container or queue each, and the list is exactly the design's."""
    assert _rights(deployment, service) == RIGHTS[service] | EVERY_SERVICE


def _named_in_source(service: str) -> set[str]:
    """The hubs, containers and queues that the service's source names, with what the shared reader adds."""
    source = "".join(path.read_text() for path in (ROOT / "services" / service / "src").rglob("*.py"))
    places = {
        name: getattr(topology, name)
        for name in re.findall(r"\b[A-Z_]+\b", source)
        if isinstance(getattr(topology, name, None), str)
    }
    places.pop("DATABASE", None)
    if suffix := places.pop("POISON_SUFFIX", None):
        places["poison"] = places["UPLOADS_QUEUE"] + suffix
    return {*places.values(), *([topology.CHECKPOINTS] if "open_reader(" in source else [])}


@pytest.mark.parametrize("service", SERVICES)
def test_rights_are_on_what_the_source_names(deployment: Deployment, service: str) -> None:
    """A hub, container or queue that a service begins or ceases to use changes its rights, or this fails."""
    granted = {right.split(" ", 1)[1] for right in _rights(deployment, service) - EVERY_SERVICE}
    assert granted == _named_in_source(service)


def test_no_right_covers_a_whole_account(deployment: Deployment) -> None:
    """No role is granted on a namespace, a storage account, the resource group or the subscription."""
    whole = ("Microsoft.ContainerRegistry/registries", "Microsoft.Insights/components")
    deep = ("/eventhubs/", "/containers/", "/queues/")
    for grant in deployment.of_type("Microsoft.Authorization/roleAssignments"):
        assert any(part in grant.scope for part in (*whole, *deep)), grant.scope


def test_the_sink_alone_writes_cosmos(deployment: Deployment) -> None:
    """The sink writes the database, the dashboard reads it, nobody else sees it."""
    rights = {
        (grant.body["properties"]["principalId"].split("-")[1], grant.body["properties"]["roleDefinitionId"][-1])
        for grant in deployment.of_type("Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments")
    }
    assert rights == {("sink", "2"), ("dashboard", "1")}
    for grant in deployment.of_type("Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments"):
        assert "/dbs/" in grant.body["properties"]["scope"]


def test_every_service_has_an_identity_of_its_own(deployment: Deployment) -> None:
    """Five apps, five identities, and each app knows the client id of its own."""
    identities = [tuple(app.body["identity"]["userAssignedIdentities"]) for app in apps(deployment).values()]
    assert len(set(identities)) == len(SERVICES)
    for service, app in apps(deployment).items():
        env = {each["name"]: each.get("value") for each in app.body["properties"]["template"]["containers"][0]["env"]}
        assert env["AZURE_CLIENT_ID"].startswith(f"[id-{service}-")


def test_keys_are_switched_off_everywhere(deployment: Deployment) -> None:
    """Hubs, storage, Cosmos DB, logs, telemetry and registry take Entra tokens and no key."""
    assert properties(deployment, "Microsoft.EventHub/namespaces")["disableLocalAuth"] is True
    assert properties(deployment, "Microsoft.DocumentDB/databaseAccounts")["disableLocalAuth"] is True
    assert properties(deployment, "Microsoft.Storage/storageAccounts")["allowSharedKeyAccess"] is False
    assert properties(deployment, "Microsoft.Insights/components")["DisableLocalAuth"] is True
    assert properties(deployment, "Microsoft.OperationalInsights/workspaces")["features"]["disableLocalAuth"] is True
    assert properties(deployment, "Microsoft.ContainerRegistry/registries")["adminUserEnabled"] is False


def test_no_app_holds_a_secret(deployment: Deployment) -> None:
    """No connection string, key or secret is written into an app; the one of Application Insights is only an address,
    and a source's own key is the address of a Key Vault's secret."""
    for app in apps(deployment).values():
        env = app.body["properties"]["template"]["containers"][0]["env"]
        written = {entry["name"] for entry in env if "value" in entry}
        assert not {name for name in written if name.endswith(("_KEY", "_SECRET"))}
        assert {each for each in written if "CONNECTION_STRING" in each} == {
            "HELIOGRAPH_AZURE_MONITOR_CONNECTION_STRING"
        }
        secrets = {each["name"]: each for each in app.body["properties"]["configuration"]["secrets"] or []}
        assert {entry["secretRef"] for entry in env if "secretRef" in entry} == set(secrets)
        for secret in secrets.values():
            assert set(secret) == {"name", "keyVaultUrl", "identity"}
            assert secret["identity"] in app.body["identity"]["userAssignedIdentities"]
    assert "listKeys" not in json.dumps([dict(resource.body) for resource in deployment.resources])


def test_data_services_are_closed_but_for_the_apps(dev: Deployment, prod: Deployment) -> None:
    """By default everything but the apps' subnet is refused; with private endpoints there is no public door at all."""
    assert properties(dev, "Microsoft.EventHub/namespaces/networkRuleSets")["defaultAction"] == "Deny"
    assert properties(dev, "Microsoft.Storage/storageAccounts")["networkAcls"]["defaultAction"] == "Deny"
    assert properties(dev, "Microsoft.DocumentDB/databaseAccounts")["isVirtualNetworkFilterEnabled"] is True
    data = ("EventHub/namespaces", "Storage/storageAccounts", "DocumentDB/databaseAccounts")
    for kind in data:
        assert properties(prod, f"Microsoft.{kind}")["publicNetworkAccess"] == "Disabled"


def test_the_registry_is_closed_unless_pipelines_push_from_outside(prod: Deployment) -> None:
    """In a private network the registry is closed too, but for the setting that lets hosted pipelines push."""
    kind = "Microsoft.ContainerRegistry/registries"
    closed = {**read_params(AZURE / "prod.bicepparam", PROD_ENVIRONMENT), "openRegistry": False}
    assert properties(evaluate(AZURE / "main.bicep", closed), kind)["publicNetworkAccess"] == "Disabled"
    assert properties(prod, kind)["publicNetworkAccess"] == "Enabled"
    assert properties(prod, kind)["anonymousPullEnabled"] is False


def test_private_endpoints_have_their_zones(dev: Deployment, prod: Deployment) -> None:
    """Each private endpoint comes with the DNS zone that its group needs; without the setting there is none."""
    assert dev.of_type("Microsoft.Network/privateEndpoints") == []
    zones = {zone.name for zone in prod.of_type("Microsoft.Network/privateDnsZones")}
    assert zones == {
        "privatelink.servicebus.windows.net", "privatelink.blob.core.windows.net", "privatelink.queue.core.windows.net",
        "privatelink.documents.azure.com", "privatelink.azurecr.io",
    }  # fmt: skip
    groups = {
        endpoint.body["properties"]["privateLinkServiceConnections"][0]["properties"]["groupIds"][0]
        for endpoint in prod.of_type("Microsoft.Network/privateEndpoints")
    }
    assert groups == {"namespace", "blob", "queue", "Sql", "registry"}
    assert len(prod.of_type("Microsoft.Network/privateEndpoints/privateDnsZoneGroups")) == len(groups)


def test_only_the_page_and_the_push_api_face_the_internet(deployment: Deployment) -> None:
    """Two apps have an ingress, over TLS only, within the allowed addresses."""
    facing = {
        service: app.body["properties"]["configuration"]["ingress"]
        for service, app in apps(deployment).items()
        if app.body["properties"]["configuration"]["ingress"]
    }
    assert set(facing) == {"dashboard", "ingest"}
    assert all(ingress["allowInsecure"] is False for ingress in facing.values())


def test_allowed_addresses_reach_every_door(prod: Deployment) -> None:
    """The same ranges restrict the page, the push API and the data services."""
    ranges = {"203.0.113.0/24", "198.51.100.7/32"}
    for service in ("dashboard", "ingest"):
        rules = apps(prod)[service].body["properties"]["configuration"]["ingress"]["ipSecurityRestrictions"]
        assert {rule["ipAddressRange"] for rule in rules} == ranges
        assert {rule["action"] for rule in rules} == {"Allow"}
    acls = properties(prod, "Microsoft.Storage/storageAccounts")["networkAcls"]
    assert {rule["value"] for rule in acls["ipRules"]} == {"203.0.113.0/24", "198.51.100.7"}


def test_blob_events_reach_the_queue_by_the_topics_own_identity(deployment: Deployment) -> None:
    """Through the firewall of the account goes only a delivery with the topic's identity, with a place for failures."""
    events = properties(deployment, "Microsoft.EventGrid/systemTopics/eventSubscriptions")
    assert "destination" not in events
    assert events["deliveryWithResourceIdentity"]["identity"]["type"] == "SystemAssigned"
    assert events["deadLetterWithResourceIdentity"]["identity"]["type"] == "SystemAssigned"
    assert events["filter"]["includedEventTypes"] == [CREATED, DELETED]
    assert events["filter"]["subjectBeginsWith"] == "/blobServices/default/containers/uploads/"
    topic = only(deployment, "Microsoft.EventGrid/systemTopics")
    grants = [
        grant.scope.rsplit("/", 1)[1]
        for grant in deployment.of_type("Microsoft.Authorization/roleAssignments")
        if grant.body["properties"]["principalId"] == f"[{topic.name}.identity.principalId]"
    ]
    assert sorted(grants) == ["undelivered-events", "uploads-created"]
    assert properties(deployment, "Microsoft.Storage/storageAccounts")["networkAcls"]["bypass"] == "AzureServices"
