"""What all feeds share: the envelope, page sizes, and queries over lists that are held in memory."""

from collections.abc import Sequence

from local_azure.cosmos import charge, jsontext
from local_azure.cosmos.account import Account
from local_azure.cosmos.errors import bad_request
from local_azure.cosmos.jsontext import Json
from local_azure.cosmos.message import Reply, Request
from local_azure.cosmos.query import run
from local_azure.cosmos.query.parser import parse
from local_azure.cosmos.query.translate import Target, translate

DEFAULT_PAGE = 100
_MAX_PAGE = 10_000
_ENVELOPES = {
    "dbs": "Databases",
    "colls": "DocumentCollections",
    "docs": "Documents",
    "offers": "Offers",
    "pkranges": "PartitionKeyRanges",
    "users": "Users",
    "permissions": "Permissions",
    "sprocs": "StoredProcedures",
    "triggers": "Triggers",
    "udfs": "UserDefinedFunctions",
    "conflicts": "Conflicts",
    "clientencryptionkeys": "ClientEncryptionKeys",
}
_LIST = "(SELECT key AS seq, value AS body, json_extract(value, '$.id') AS id, NULL AS pk FROM json_each(:list))"


def page_size(request: Request) -> int:
    """How many items the client wants at once; -1 leaves it to the server."""
    asked = request.number("x-ms-max-item-count", DEFAULT_PAGE)
    if asked == 0 or asked < -1:
        raise bad_request(f"The page size {asked} is neither -1 nor a positive number.")
    return 1000 if asked == -1 else min(asked, _MAX_PAGE)


def envelope(kind: str, parent_rid: str, bodies: Sequence[str], *, charge_ru: float, token: str | None = None) -> Reply:
    """A feed's answer from its items' JSON texts."""
    rid = jsontext.dumps(parent_rid)
    body = f'{{"_rid":{rid},"{_ENVELOPES[kind]}":[{",".join(bodies)}],"_count":{len(bodies)}}}'
    headers = {"x-ms-item-count": str(len(bodies))}
    if token:
        headers["x-ms-continuation"] = token
    return Reply(200, body, charge_ru, headers)


def is_query(request: Request) -> bool:
    """Whether a POST asks and does not create."""
    content_type = request.headers.get("content-type", "")
    return request.flag("x-ms-documentdb-isquery") or content_type.startswith("application/query+json")


def query_of(request: Request) -> tuple[str, dict[str, Json]]:
    """The query's text and its parameters. Raises CosmosError 400."""
    body = request.object()
    text, parameters = body.get("query"), body.get("parameters") or []
    if not isinstance(text, str):
        raise bad_request("The request has no query text.")
    if not isinstance(parameters, list):
        raise bad_request("The query's parameters are not a list.")
    given: dict[str, Json] = {}
    for parameter in parameters:
        name = parameter.get("name") if isinstance(parameter, dict) else None
        if not isinstance(name, str) or "value" not in parameter:
            raise bad_request("A query parameter has a name and a value.")
        given[name] = parameter["value"]
    return text, given


async def list_or_query(
    account: Account, request: Request, kind: str, parent_rid: str, bodies: Sequence[dict[str, Json]]
) -> Reply:
    """A feed of resources that are in memory: all of them, or those that a query wants."""
    if request.method == "POST":
        text, given = query_of(request)
    else:
        text, given = "SELECT * FROM c", {}
    statement = translate(parse(text), given, Target(_LIST))
    statement.parameters.bound["list"] = jsontext.dumps(list(bodies))
    page = await account.aside(
        lambda connection: run.fetch_page(
            connection,
            statement,
            fingerprint=f"{kind} {text}",
            token=request.header("x-ms-continuation"),
            page_size=page_size(request),
            timeout_s=account.settings.query_timeout_s,
        )
    )
    return envelope(kind, parent_rid, page.values, charge_ru=charge.METADATA, token=page.continuation)
