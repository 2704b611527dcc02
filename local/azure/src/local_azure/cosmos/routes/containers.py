"""Containers and their partition key ranges."""

import math

from local_azure.cosmos import charge, definition, jsontext, rids
from local_azure.cosmos.account import Account
from local_azure.cosmos.jsontext import Json
from local_azure.cosmos.message import Reply, Request
from local_azure.cosmos.routes import feeds, offers
from local_azure.cosmos.store import items
from local_azure.cosmos.store.catalog import Container, Range, Resource

_RU_S_OF_A_NEW_RANGE = 6000


async def list_containers(account: Account, request: Request) -> Reply:
    """GET, or a query by POST."""
    database = account.database_of(request)
    bodies = [node.body for node in account.catalog.children("colls", database.rid)]
    return await feeds.list_or_query(account, request, "colls", database.rid, bodies)


async def create_or_query(account: Account, request: Request) -> Reply:
    """POST to the feed."""
    if feeds.is_query(request):
        return await list_containers(account, request)
    database = account.database_of(request)
    completed = definition.complete(request.object())
    parsed = definition.parse(completed)
    throughput = offers.asked(request, account.settings)
    async with account.writing:
        node = account.catalog.create("colls", database.rid, completed, request.now_s)
        items.create_table(account.database.writer, Container(node, parsed), _range_count(throughput))
        _give_offer(account, database, node, throughput, request.now_s)
    return _reply(201, node)


def _range_count(throughput: dict[str, Json] | None) -> int:
    """As many physical partitions as the service would start with."""
    return max(1, math.ceil(offers.most_ru_s(throughput) / _RU_S_OF_A_NEW_RANGE)) if throughput else 1


def _give_offer(
    account: Account, database: Resource, node: Resource, throughput: dict[str, Json] | None, now_s: int
) -> None:
    if throughput is not None:
        offers.create(account, node, throughput, now_s)
    elif not account.settings.serverless and offers.of(account, database.rid) is None:
        content = {"offerThroughput": offers.DEFAULT_RU_S, "offerIsRUPerMinuteThroughputEnabled": False}
        offers.create(account, node, content, now_s, implied=True)


def _node(account: Account, request: Request) -> Resource:
    return account.catalog.find("colls", account.database_of(request).rid, request.names[1])


async def read(account: Account, request: Request) -> Reply:
    """GET one."""
    node = _node(account, request)
    reply = _reply(200, node)
    if request.flag("x-ms-documentdb-populatepartitionstatistics"):
        parts = [_statistics(account, account.container(node), part) for part in account.container(node).ranges]
        reply.body = jsontext.dumps({**node.body, "statistics": parts})
    if request.flag("x-ms-documentdb-populatequotainfo"):
        reply.headers.update(_quota(account, account.container(node)))
        reply.headers["x-ms-documentdb-collection-index-transformation-progress"] = "100"
    return reply


def _statistics(account: Account, container: Container, part: Range) -> dict[str, Json]:
    sizes = f"SELECT count(*), COALESCE(SUM(length(body)), 0) FROM {container.table} WHERE epk >= ? AND epk < ?"
    count, size_bytes = account.database.writer.execute(sizes, (part.start, part.end)).fetchone()
    return {"id": part.id, "sizeInKB": size_bytes // 1024, "documentCount": count, "partitionKeys": []}


async def replace(account: Account, request: Request) -> Reply:
    """PUT one: TTL, indexing and the like may change, its keys may not."""
    node = _node(account, request)
    completed = definition.complete(request.object())
    definition.check_replacement(node.body, completed)
    definition.parse(completed)
    async with account.writing:
        changed = account.catalog.replace(node, completed, request.now_s)
        if node.body.get("defaultTtl") != completed.get("defaultTtl"):
            with account.database.transaction():
                account.items(account.container(changed)).restamp_expiry()
    return _reply(200, changed)


async def delete(account: Account, request: Request) -> Reply:
    """DELETE one, with its documents."""
    node = _node(account, request)
    async with account.writing:
        with account.database.transaction():
            offers.remove(account, node)
            account.catalog.remove(node)
    account.forget(node)
    return Reply(204, "", charge.METADATA)


async def ranges(account: Account, request: Request) -> Reply:
    """GET the partition key ranges; 304 once the client has them."""
    container = account.container_of(request)
    etag = f'"{container.resource.rid}"'
    if request.header("if-none-match") == etag:
        return Reply(304, "", charge.METADATA, {"etag": etag})
    rid = container.resource.rid
    bodies = [
        jsontext.dumps(
            {
                "_rid": rids.child_rid(rid, number + 1, "pkranges"),
                "id": part.id,
                "_etag": etag,
                "minInclusive": part.start,
                "maxExclusive": part.end,
                "ridPrefix": number,
                "_self": f"{account.catalog.link(container.resource)}pkranges/{part.id}/",
                "throughputFraction": 1 / len(container.ranges),
                "status": "online",
                "parents": [],
                "_ts": container.resource.body["_ts"],
            }
        )
        for number, part in enumerate(container.ranges)
    ]
    reply = feeds.envelope("pkranges", rid, bodies, charge_ru=charge.METADATA)
    reply.headers["etag"] = etag
    return reply


def _quota(account: Account, container: Container) -> dict[str, str]:
    sizes = f"SELECT count(*), COALESCE(SUM(length(body)), 0) FROM {container.table}"
    count, size_bytes = account.database.writer.execute(sizes).fetchone()
    size_kb = size_bytes // 1024
    usage = f"documentSize={size_kb // 1024};documentsSize={size_kb};documentsCount={count};collectionSize={size_kb};"
    return {
        "x-ms-resource-usage": f"functions=0;storedProcedures=0;triggers=0;{usage}",
        "x-ms-resource-quota": "functions=50;storedProcedures=100;triggers=25;documentSize=10240;"
        "documentsSize=10485760;documentsCount=-1;collectionSize=10485760;",
    }


def _reply(status: int, node: Resource) -> Reply:
    return Reply(status, jsontext.dumps(node.body), charge.METADATA, {"etag": node.etag})
