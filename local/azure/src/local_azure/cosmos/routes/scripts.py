"""Users, permissions, and scripts: kept, given back, and in the case of stored procedures run."""

from urllib.parse import quote

from local_azure.cosmos import charge, jsontext
from local_azure.cosmos.access import issue_token
from local_azure.cosmos.account import Account
from local_azure.cosmos.definition import MAX_NAME_LENGTH, check_id
from local_azure.cosmos.errors import CosmosError, bad_request
from local_azure.cosmos.jsontext import Json
from local_azure.cosmos.message import Reply, Request
from local_azure.cosmos.routes import documents, feeds
from local_azure.cosmos.routes.collection import Collection
from local_azure.cosmos.routes.keys import full_key
from local_azure.cosmos.routes.scope import is_scoped
from local_azure.cosmos.store.catalog import ROOT, Resource

_MAX_LOG_CHARACTERS = 64 * 1024
KINDS = frozenset({"users", "permissions", "sprocs", "triggers", "udfs", "conflicts", "clientencryptionkeys"})


async def handle(account: Account, request: Request) -> Reply:
    """Any request on one of these kinds."""
    kind = request.kinds[-1]
    parent = _parent(account, request)
    if request.is_feed:
        if request.method == "POST" and not feeds.is_query(request):
            return await _create(account, request, kind, parent)
        if kind == "conflicts" and request.method == "POST" and not _may_span(request):
            raise bad_request("Cross partition query is required but disabled.")
        nodes = account.catalog.children(kind, parent)
        tokens = kind == "permissions"
        bodies = [
            {**node.body, "_token": issue_token(account, node, request)} if tokens else node.body for node in nodes
        ]
        return await feeds.list_or_query(account, request, kind, parent, bodies)
    node = account.catalog.find(kind, parent, request.names[-1])
    match request.method:
        case "GET":
            return _reply(account, request, 200, node)
        case "PUT":
            body = _checked(request)
            async with account.writing:
                return _reply(account, request, 200, account.catalog.replace(node, body, request.now_s))
        case "DELETE":
            async with account.writing:
                with account.database.transaction():
                    account.catalog.remove(node)
            return Reply(204, "", charge.METADATA)
        case "POST" if kind == "sprocs":
            return await _execute(account, request, node)
    raise CosmosError(405, f"The method {request.method} is not served at {request.path[:200]}.")


async def _execute(account: Account, request: Request, procedure: Resource) -> Reply:
    """POST to a stored procedure: one transaction in one partition."""
    parameters = request.json() if request.body else []
    if not isinstance(parameters, list):
        parameters = [parameters]
    container = account.container_of(request)
    collection = Collection(account, request, container)
    source = str(procedure.body.get("body"))
    done = await documents.write(account, lambda: collection.run(source, *parameters))
    headers = documents.session(container, full_key(request, container.definition))
    if request.flag("x-ms-documentdb-script-enable-logging"):
        headers["x-ms-documentdb-script-log-results"] = quote(done.log[:_MAX_LOG_CHARACTERS])
    body = jsontext.dumps("" if done.body is None else done.body)
    return Reply(200, body, round(charge.METADATA + collection.charge_ru, 2), headers)


def _may_span(request: Request) -> bool:
    return is_scoped(request) or request.flag("x-ms-documentdb-query-enablecrosspartition")


async def _create(account: Account, request: Request, kind: str, parent: str) -> Reply:
    body = _checked(request)
    existing = account.catalog.get(kind, parent, body["id"])
    async with account.writing:
        if existing is not None and request.flag("x-ms-documentdb-is-upsert"):
            return _reply(account, request, 200, account.catalog.replace(existing, body, request.now_s))
        return _reply(account, request, 201, account.catalog.create(kind, parent, body, request.now_s))


def _checked(request: Request) -> dict[str, Json]:
    body = request.object()
    check_id(body.get("id"), MAX_NAME_LENGTH)
    if request.kinds[-1] == "permissions" and not (
        isinstance(body.get("resource"), str) and str(body.get("permissionMode")).lower() in ("all", "read")
    ):
        raise bad_request("A permission has a resource, and a permissionMode of All or Read.")
    return body


def _parent(account: Account, request: Request) -> str:
    parent = ROOT
    for kind, name in zip(request.kinds[:-1], request.names, strict=False):
        parent = account.catalog.owner(kind, parent, name).rid
    return parent


def _reply(account: Account, request: Request, status: int, node: Resource) -> Reply:
    body = node.body
    if node.kind == "permissions":
        body = {**body, "_token": issue_token(account, node, request)}
    return Reply(status, jsontext.dumps(body), charge.METADATA, {"etag": node.etag})
