"""The HTTP face: from an ASGI request to a handler, and from its reply, or its error, to an ASGI response."""

import json
import logging
import sqlite3
from email.utils import format_datetime
from urllib.parse import quote
from uuid import uuid4

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from local_azure.cosmos import jsontext, message, misbehaviour
from local_azure.cosmos.access import authorize
from local_azure.cosmos.account import Account
from local_azure.cosmos.errors import CosmosError
from local_azure.cosmos.message import Reply, Request
from local_azure.cosmos.protocol import CutConnection
from local_azure.cosmos.routes import offers, table
from local_azure.cosmos.store.catalog import ROOT, Resource
from local_azure.cosmos.throughput import Throttle
from local_azure.faults import Faults, Site

_log = logging.getLogger(__name__)
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
_MAX_BODY_BYTES = 4 * 1024 * 1024
_FIXED_HEADERS = {
    "content-type": "application/json",
    "x-ms-version": "2020-07-15",
    "x-ms-gatewayversion": "2.0.0",
    "x-ms-serviceversion": "local_azure",
    "x-ms-schemaversion": "1.19",
}


class Front:
    """Answers requests on an account, metered and with the faults that were asked for."""

    def __init__(self, account: Account, faults: Faults) -> None:
        self._account = account
        self._faults = faults
        self._throttle = Throttle()

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(routes=[Route("/{path:path}", self._answer, methods=_METHODS)])

    async def _answer(self, http: HttpRequest) -> Response:
        activity_id = http.headers.get("x-ms-activity-id") or str(uuid4())
        try:
            reply = await self._serve(await _read(http))
        except CosmosError as error:
            reply = _refusal(error, activity_id)
        except (misbehaviour.ConnectionDropped, ClientDisconnect):
            return CutConnection()
        except sqlite3.Error as error:
            _log.exception("activity_id=%s path=%s", activity_id, http.url.path)
            reply = _refusal(CosmosError(500, f"The store failed: {error}."), activity_id)
        return _response(reply, activity_id)

    async def _serve(self, request: Request) -> Reply:
        authorize(self._account, request)
        operation, handler = table.find(request)
        container = request.names[1] if request.kinds[:2] == ("dbs", "colls") and len(request.names) > 1 else None
        site = Site("cosmos", operation, partition=_partition(request), container=container)
        await misbehaviour.strike_before(self._faults, site)
        budget = self._budget(request)
        if budget is not None:
            self._throttle.admit(*budget)
        try:
            reply = await handler(self._account, request)
        except CosmosError as error:
            if budget is not None:
                self._throttle.charge(budget[0], 1.0)
            raise error from None
        if budget is not None:
            self._throttle.charge(budget[0], reply.charge)
        if container is not None and request.kinds[-1] == "docs":
            reply.headers.update(self._paths(request))
        reply.headers["content-location"] = request.base_url.rstrip("/") + request.path
        misbehaviour.strike_after(self._faults, site)
        return reply

    def _paths(self, request: Request) -> dict[str, str]:
        """The container by name and by rid, from which SDKs learn whose session token they got."""
        node = self._container(request)
        if node is None:
            return {}
        database = self._account.catalog.by_rid(node.parent)
        path = quote(f"dbs/{database.id if database else ''}/colls/{node.id}", safe="/ ")
        return {"x-ms-alt-content-path": path, "x-ms-content-path": node.rid}

    def _budget(self, request: Request) -> tuple[str, float] | None:
        """What meters this request; only work on documents is metered."""
        if request.kinds != ("dbs", "colls", "docs"):
            return None
        container = self._container(request)
        return None if container is None else offers.budget_of(self._account, container)

    def _container(self, request: Request) -> Resource | None:
        try:
            database = self._account.catalog.find("dbs", ROOT, request.names[0])
            return self._account.catalog.find("colls", database.rid, request.names[1])
        except CosmosError:
            return None


def _partition(request: Request) -> str | None:
    """The partition that a request names, as a rule of faults does: a string as it is, any other key as its JSON."""
    header = request.header("x-ms-documentdb-partitionkey")
    try:
        components = jsontext.loads(header) if header else None
    except ValueError:
        return None
    match components:
        case None:
            return None
        case [str(key)]:
            return key
    return jsontext.dumps(components)


async def _read(http: HttpRequest) -> Request:
    body = bytearray()
    async for chunk in http.stream():
        body += chunk
        if len(body) > _MAX_BODY_BYTES:
            raise CosmosError(413, "Request size is too large.", headers={"connection": "close"})
    raw_path = http.scope.get("raw_path") or http.url.path.encode()
    return Request(
        method=http.method,
        path=raw_path.decode("ascii", "replace").partition("?")[0],
        headers=dict(http.headers),
        body=bytes(body),
        base_url=f"{http.url.scheme}://{http.headers.get('host') or http.url.netloc}/",
        now=message.now_utc(),
    )


def _refusal(error: CosmosError, activity_id: str) -> Reply:
    headers = {"x-ms-substatus": str(error.substatus), **error.headers}
    return Reply(error.status, json.dumps(error.body(activity_id)), 1.0, headers)


def _response(reply: Reply, activity_id: str) -> Response:
    headers = {
        **_FIXED_HEADERS,
        "date": format_datetime(message.now_utc(), usegmt=True),
        "x-ms-activity-id": activity_id,
        "x-ms-request-charge": str(reply.charge),
        **reply.headers,
    }
    return Response(reply.body, reply.status, headers)
