"""Offers: how much throughput a database or container has been given, by hand or by autoscale."""

from local_azure.cosmos import charge, jsontext
from local_azure.cosmos.account import Account, Settings
from local_azure.cosmos.errors import CosmosError, bad_request
from local_azure.cosmos.jsontext import Json
from local_azure.cosmos.message import Reply, Request
from local_azure.cosmos.routes import feeds
from local_azure.cosmos.store.catalog import ROOT, Resource

DEFAULT_RU_S = 400
SERVERLESS_RU_S = 5000.0
_MINIMUM_RU_S = 400
_STEP_RU_S = 100
_MINIMUM_AUTOSCALE_RU_S = 1000
_IMPLIED = "_implied"
"""Marks an offer that nobody asked for; never sent to clients."""


def asked(request: Request, settings: Settings) -> dict[str, Json] | None:
    """The offer content that a create request asks for. Raises CosmosError 400 for one the service refuses."""
    manual, autoscale = request.header("x-ms-offer-throughput"), request.header("x-ms-cosmos-offer-autopilot-settings")
    if manual is None and autoscale is None:
        return None
    if settings.serverless:
        raise bad_request(
            "Setting offer throughput or autopilot on container is not supported for serverless accounts."
        )
    if manual is not None and autoscale is not None:
        raise bad_request("Both x-ms-offer-throughput and x-ms-cosmos-offer-autopilot-settings are given.")
    if autoscale is not None:
        return _content_of_autoscale(jsontext.parse(autoscale.encode()))
    return _content_of_manual(request.number("x-ms-offer-throughput", DEFAULT_RU_S))


def _content_of_manual(throughput: Json) -> dict[str, Json]:
    valid = isinstance(throughput, int) and not isinstance(throughput, bool)
    if valid and throughput < _MINIMUM_RU_S:
        raise _under_minimum(throughput, _MINIMUM_RU_S)
    if not valid or throughput % _STEP_RU_S:
        raise bad_request(
            f"The offer should have valid throughput values between {_MINIMUM_RU_S} and 1000000 inclusive in "
            f"increments of {_STEP_RU_S}, not {throughput}."
        )
    return {"offerThroughput": throughput, "offerIsRUPerMinuteThroughputEnabled": False}


def _content_of_autoscale(settings: Json) -> dict[str, Json]:
    most = settings.get("maxThroughput") if isinstance(settings, dict) else None
    if isinstance(most, int) and most < _MINIMUM_AUTOSCALE_RU_S:
        raise _under_minimum(most, _MINIMUM_AUTOSCALE_RU_S)
    if not isinstance(most, int) or most % _MINIMUM_AUTOSCALE_RU_S:
        raise bad_request(f"The autoscale maxThroughput is a multiple of {_MINIMUM_AUTOSCALE_RU_S} RU/s, not {most}.")
    return {"offerThroughput": most // 10, "offerAutopilotSettings": settings}


def _under_minimum(throughput: int, minimum: int) -> CosmosError:
    return bad_request(f"Requested throughput {throughput} is less than required minimum throughput {minimum}.")


def create(
    account: Account, resource: Resource, content: dict[str, Json], now_s: int, *, implied: bool = False
) -> None:
    """Give a database or container its offer."""
    body: dict[str, Json] = {
        "id": "",
        "offerVersion": "V2",
        "offerType": "Invalid",
        "content": {**content, **_limits(content)},
        "resource": account.catalog.link(resource),
        "offerResourceId": resource.rid,
    }
    if implied:
        body[_IMPLIED] = True
    body["id"] = resource.rid
    account.catalog.create("offers", ROOT, body, now_s)


def _limits(content: dict[str, Json]) -> dict[str, Json]:
    return {
        "offerMinimumThroughputParameters": {"maxThroughputEverProvisioned": content["offerThroughput"]},
        "offerLastReplaceTimestamp": 0,
    }


def of(account: Account, rid: str) -> Resource | None:
    """The offer of the resource with this rid."""
    return account.catalog.get("offers", ROOT, rid)


def remove(account: Account, resource: Resource) -> None:
    """Drop a resource's offer, in the transaction that is open."""
    offer = of(account, resource.rid)
    if offer is not None:
        account.catalog.remove(offer)


def most_ru_s(content: dict[str, Json]) -> float:
    """The rate that an offer allows at most."""
    autoscale = content.get("offerAutopilotSettings")
    return float(autoscale["maxThroughput"] if autoscale else content["offerThroughput"])


def budget_of(account: Account, container: Resource) -> tuple[str, float] | None:
    """What meters a container, by key and RU/s: its own offer, else its database's; None when nothing is enforced."""
    limits = account.settings.limits
    if limits == "off":
        return None
    if account.settings.serverless:
        return container.rid, SERVERLESS_RU_S
    offer = of(account, container.rid) or of(account, container.parent)
    if offer is None or (offer.body.get(_IMPLIED) and limits != "all"):
        return None
    return offer.rid, most_ru_s(offer.body["content"])


def _shown(offer: Resource) -> dict[str, Json]:
    shown = {name: value for name, value in offer.body.items() if name != _IMPLIED}
    return {**shown, "id": offer.rid}


async def list_or_query(account: Account, request: Request) -> Reply:
    """GET or POST on the feed."""
    if account.settings.serverless:
        raise bad_request("Reading or replacing offers is not supported for serverless accounts.")
    bodies = [_shown(offer) for offer in account.catalog.children("offers", ROOT)]
    return await feeds.list_or_query(account, request, "offers", "", bodies)


def _find(account: Account, name: str) -> Resource:
    exact = account.catalog.by_rid(name)
    by_case = (o for o in account.catalog.children("offers", ROOT) if o.rid.lower() == name.lower())
    return exact or next(by_case, None) or account.catalog.find("offers", ROOT, name)


async def read(account: Account, request: Request) -> Reply:
    """GET one."""
    return _reply(_find(account, request.names[0]))


async def replace(account: Account, request: Request) -> Reply:
    """PUT one: another rate, or another way to set it."""
    offer = _find(account, request.names[0])
    wanted = request.object().get("content")
    if not isinstance(wanted, dict):
        raise bad_request("The offer has no content.")
    migrating_to_autoscale = request.header("x-ms-cosmos-migrate-offer-to-autopilot") is not None
    migrating_to_manual = request.header("x-ms-cosmos-migrate-offer-to-manual-throughput") is not None
    autoscale = wanted.get("offerAutopilotSettings")
    if (autoscale or migrating_to_autoscale) and not migrating_to_manual:
        content = _content_of_autoscale(autoscale or {"maxThroughput": _MINIMUM_AUTOSCALE_RU_S})
    else:
        content = _content_of_manual(wanted.get("offerThroughput"))
    body = {name: value for name, value in offer.body.items() if name != _IMPLIED}
    async with account.writing:
        changed = account.catalog.replace(offer, {**body, "content": {**content, **_limits(content)}}, request.now_s)
    return _reply(changed)


def _reply(offer: Resource) -> Reply:
    return Reply(200, jsontext.dumps(_shown(offer)), charge.METADATA, {"etag": offer.etag})
