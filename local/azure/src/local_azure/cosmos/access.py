"""Whether a request may do what it asks.

The account's key may do all, a user's permission token one resource, a Microsoft Entra token what concerns data.
"""

import base64
import binascii
import hashlib
import hmac
import json

from local_azure.cosmos import auth, partition
from local_azure.cosmos.account import Account
from local_azure.cosmos.errors import CosmosError
from local_azure.cosmos.jsontext import Json
from local_azure.cosmos.message import Request
from local_azure.cosmos.routes import feeds
from local_azure.cosmos.routes.keys import full_key
from local_azure.cosmos.store.catalog import Resource

_RESOURCE_TOKEN_S = 3600
_MAX_TOKEN_S = 18_000
_READ_FROM_WITHIN = {("dbs", "colls"), ("dbs", "colls", "pkranges")}
_DATA_KINDS = {"docs", "conflicts"}
_METADATA_KINDS = {"", "dbs", "colls", "pkranges"}
_NOT_BY_ENTRA = 5300


def authorize(account: Account, request: Request) -> None:
    """Raises CosmosError 401 or 403 when the request may not go ahead."""
    fields = auth.fields(request.headers.get("authorization", ""))
    match fields.get("type"):
        case "resource":
            return _check_token(account, request, fields)
        case "aad":
            return _check_entra_token(account, request, fields.get("sig", ""))
    signed = auth.Signed(request.method, request.resource_type, request.link, request.headers.get("x-ms-date", ""))
    return auth.verify(account.key, fields, signed, request.now)


def issue_token(account: Account, permission: Resource, request: Request) -> str:
    """The token of a permission, good for an hour or for the seconds that the request asks."""
    lifetime_s = min(request.number("x-ms-documentdb-expiry-seconds", _RESOURCE_TOKEN_S), _MAX_TOKEN_S)
    ends = request.now_s + lifetime_s
    return f"type=resource&ver=1&sig={permission.rid}:{ends}:{_seal(account, permission, ends)};"


def _seal(account: Account, permission: Resource, ends: int) -> str:
    text = f"{permission.rid}\n{permission.etag}\n{ends}"
    return base64.urlsafe_b64encode(hmac.digest(base64.b64decode(account.key), text.encode(), hashlib.sha256)).decode()


def _check_entra_token(account: Account, request: Request, token: str) -> None:
    """A JSON web token is good when its signature is the account's key, as clients of Microsoft's emulator make it.

    Others are taken on trust, if the operator said so, since nothing here can ask Microsoft Entra.
    """
    try:
        _, encoded_claims, seal = token.strip().split(".")
        claims = json.loads(_unpadded(encoded_claims))
        by_key = hmac.compare_digest(_unpadded(seal), account.key.encode())
        ends = float(claims["exp"])
    except (ValueError, TypeError, LookupError, binascii.Error) as error:
        raise CosmosError(401, "The authorization token is not a JSON web token with a time of expiry.") from error
    if not (by_key or account.settings.trust_bearer_tokens):
        raise CosmosError(401, "The token is not signed with the account's key, and this server trusts no others.")
    if ends < request.now_s:
        raise CosmosError(401, "The authorization token has expired.")
    kind = request.resource_type
    if not (kind in _DATA_KINDS or (kind in _METADATA_KINDS and _only_reads(request))):
        asked = f"{request.method} {request.path}"
        raise CosmosError(
            403,
            f"The given request [{asked[:200]}] cannot be authorized by AAD token in data plane.",
            substatus=_NOT_BY_ENTRA,
        )


def _unpadded(encoded: str) -> bytes:
    return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))


def _check_token(account: Account, request: Request, fields: dict[str, str]) -> None:
    rid, _, rest = fields.get("sig", "").rstrip(";").partition(":")
    ends, _, seal = rest.partition(":")
    permission = account.catalog.by_rid(rid)
    if (
        permission is None
        or not ends.isdecimal()
        or not hmac.compare_digest(_seal(account, permission, int(ends)), seal)
    ):
        raise CosmosError(401, "The resource token is not one of this account's.")
    if int(ends) < request.now_s:
        raise CosmosError(403, "The authorization token is not valid at the current time: it has expired.")
    if request.kinds == ():
        return
    if not _covers(account, request, permission.body["resource"]):
        raise CosmosError(403, "The resource token does not cover this resource.")
    own_key = permission.body.get("resourcePartitionKey")
    if own_key is not None and request.resource_type == "docs" and not _in_partition(account, request, own_key):
        raise CosmosError(403, "The resource token covers one partition key, and this request is not within it.")
    if permission.body["permissionMode"].lower() == "read" and not _only_reads(request):
        raise CosmosError(403, "Insufficient permissions provided in the authorization token: it only reads.")


def _covers(account: Account, request: Request, granted: str) -> bool:
    """Whether the request stays in what was granted, or reads the container around it, as clients do first."""
    wanted = f"{request.path.strip('/')}/"
    by_name = "/".join(part for pair in zip(request.kinds, request.names, strict=False) for part in pair)
    spellings = (wanted, f"{by_name}/", _rid_link(account, request))
    stem = granted.strip("/") + "/"
    if any(spelling.startswith(stem) for spelling in spellings):
        return True
    if request.method != "GET" or request.kinds not in _READ_FROM_WITHIN:
        return False
    return any(stem.startswith(spelling.removesuffix("pkranges/")) for spelling in spellings)


def _in_partition(account: Account, request: Request, granted: Json) -> bool:
    header = request.header("x-ms-documentdb-partitionkey")
    if header is None:
        return False
    paths = len(account.container_of(request).definition.partition_paths)
    wanted = partition.parse_header(header, paths)
    return wanted[: len(granted)] == granted if isinstance(granted, list) else wanted == [granted]


def _rid_link(account: Account, request: Request) -> str:
    link, parent = "", ""
    for kind, name in zip(request.kinds, request.names, strict=False):
        node = account.catalog.get(kind, parent, name)
        if node is None:
            return link + _rid_of_document(account, request, name) if kind == "docs" else link
        link, parent = f"{link}{kind}/{node.rid}/", node.rid
    return link


def _rid_of_document(account: Account, request: Request, identifier: str) -> str:
    """`docs/` and the rid of a document that the request names by its id; nothing if it is not there."""
    try:
        container = account.container_of(request)
        item = account.items(container).read(full_key(request, container.definition), identifier, request.now_s)
    except CosmosError:
        return ""
    return f"docs/{item.document['_rid']}/"


def _only_reads(request: Request) -> bool:
    return request.method in ("GET", "HEAD") or (request.method == "POST" and feeds.is_query(request))
