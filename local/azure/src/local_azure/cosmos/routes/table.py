"""Which handler answers which request."""

from collections.abc import Awaitable, Callable

from local_azure.cosmos.account import Account
from local_azure.cosmos.errors import CosmosError
from local_azure.cosmos.message import Reply, Request
from local_azure.cosmos.routes import batch, containers, databases, documents, feeds, offers, reading, scripts

Handler = Callable[[Account, Request], Awaitable[Reply]]
Route = tuple[str, Handler]
"""The operation's name, by which faults find it, and its handler."""

_DOCS = ("dbs", "colls", "docs")
_FEEDS: dict[tuple[str, tuple[str, ...]], Route] = {
    ("GET", ()): ("read_account", databases.read_account),
    ("GET", ("dbs",)): ("list_databases", databases.list_databases),
    ("POST", ("dbs",)): ("create_database", databases.create_or_query),
    ("GET", ("dbs", "colls")): ("list_containers", containers.list_containers),
    ("POST", ("dbs", "colls")): ("create_container", containers.create_or_query),
    ("GET", ("dbs", "colls", "pkranges")): ("read_ranges", containers.ranges),
    ("GET", ("offers",)): ("read_offer", offers.list_or_query),
    ("POST", ("offers",)): ("read_offer", offers.list_or_query),
    ("POST", ("dbs", "colls", "operations")): ("delete_partition", documents.delete_partition),
}
_ITEMS: dict[tuple[str, tuple[str, ...]], Route] = {
    ("GET", ("dbs",)): ("read_database", databases.read),
    ("DELETE", ("dbs",)): ("delete_database", databases.delete),
    ("GET", ("dbs", "colls")): ("read_container", containers.read),
    ("PUT", ("dbs", "colls")): ("replace_container", containers.replace),
    ("DELETE", ("dbs", "colls")): ("delete_container", containers.delete),
    ("GET", ("offers",)): ("read_offer", offers.read),
    ("PUT", ("offers",)): ("replace_offer", offers.replace),
    ("GET", _DOCS): ("read", documents.read),
    ("PUT", _DOCS): ("replace", documents.replace),
    ("PATCH", _DOCS): ("patch", documents.patch),
    ("DELETE", _DOCS): ("delete", documents.delete),
    ("POST", ("dbs", "colls", "operations")): ("delete_partition", documents.delete_partition),
}


def find(request: Request) -> Route:
    """The operation and its handler. Raises CosmosError 404 for a path, 405 for a method that are not ours."""
    if request.kinds == _DOCS and request.is_feed:
        return _document_feed(request)
    if request.kinds and request.kinds[-1] in scripts.KINDS:
        return "script", scripts.handle
    routes = _FEEDS if request.is_feed or not request.kinds else _ITEMS
    route = routes.get((request.method, request.kinds))
    if route is None:
        raise CosmosError(405, f"The method {request.method} is not served at {request.path[:200]}.")
    return route


def _document_feed(request: Request) -> Route:
    if request.method == "GET":
        return ("change_feed" if request.header("a-im") else "read_feed"), reading.read_feed
    if request.method != "POST":
        raise CosmosError(405, f"The method {request.method} is not served at {request.path[:200]}.")
    if request.flag("x-ms-cosmos-is-batch-request"):
        return "batch", batch.execute
    if feeds.is_query(request) or request.flag("x-ms-cosmos-is-query-plan-request"):
        return "query", reading.query
    operation = "upsert" if request.flag("x-ms-documentdb-is-upsert") else "create"
    return operation, documents.create_or_upsert
