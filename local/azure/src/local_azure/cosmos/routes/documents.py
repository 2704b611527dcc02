"""Single documents: create, upsert, read, replace, patch, delete."""

from collections.abc import Callable
from typing import TypeVar

from local_azure.cosmos import charge, partition
from local_azure.cosmos.account import Account
from local_azure.cosmos.effective_key import effective_key
from local_azure.cosmos.errors import too_large
from local_azure.cosmos.jsontext import Json
from local_azure.cosmos.message import Reply, Request
from local_azure.cosmos.routes import triggers
from local_azure.cosmos.routes.keys import full_key, key_of_document
from local_azure.cosmos.store.catalog import Container, Range
from local_azure.cosmos.store.items import MAX_ITEM_BYTES, Condition, Item

T = TypeVar("T")


def condition_of(request: Request) -> Condition:
    """The etags of a conditional request."""
    return Condition(request.header("if-match"), request.header("if-none-match"))


async def write(account: Account, work: Callable[[], T]) -> T:
    """Run `work` in one transaction, after whoever is writing."""
    async with account.writing:
        with account.database.transaction():
            return work()


async def create_or_upsert(account: Account, request: Request) -> Reply:
    """POST of a document."""
    _check_size(request)
    container = account.container_of(request)
    items, declared = account.items(container), full_key(request, container.definition)
    is_upsert = request.flag("x-ms-documentdb-is-upsert")

    def work(document: dict[str, Json]) -> tuple[Item, bool]:
        key = key_of_document(container.definition, document, declared)
        if is_upsert:
            return items.upsert(key, document, condition_of(request), request.now_s)
        return items.create(key, document, request.now_s), True

    scripted = triggers.around(account, request, container, "Create", work, shown=lambda done: done[0])
    item, is_new = await write(account, lambda: scripted(request.object()))
    return written(request, container, item, 201 if is_new else 200)


def _patch_of(request: Request) -> dict[str, Json]:
    """Operations with their condition; some SDKs send the bare list."""
    body = request.json()
    return {"operations": body} if isinstance(body, list) else request.object()


def _check_size(request: Request) -> None:
    if len(request.body) > MAX_ITEM_BYTES:
        raise too_large(f"Request size is too large: {len(request.body)} bytes, over the limit of {MAX_ITEM_BYTES}.")


async def read(account: Account, request: Request) -> Reply:
    """GET one; 304 when the client has this version."""
    container = account.container_of(request)
    key = full_key(request, container.definition)
    item = account.items(container).read(key, request.names[2], request.now_s)
    charge_ru = charge.point_read(len(item.body))
    if request.header("if-none-match") == item.etag:
        return Reply(304, "", charge_ru, {"etag": item.etag})
    return Reply(200, item.body, charge_ru, stamps(container, item, key))


async def replace(account: Account, request: Request) -> Reply:
    """PUT one."""
    _check_size(request)
    container = account.container_of(request)
    items, identifier, declared = account.items(container), request.names[2], full_key(request, container.definition)
    condition = condition_of(request)

    def work(document: dict[str, Json]) -> tuple[Item, Item]:
        key = key_of_document(container.definition, document, declared)
        return items.replace(key, identifier, document, condition, request.now_s)

    scripted = triggers.around(account, request, container, "Replace", work, shown=lambda done: done[1])
    old, new = await write(account, lambda: scripted(request.object()))
    return written(request, container, new, 200, old)


async def delete(account: Account, request: Request) -> Reply:
    """DELETE one."""
    container = account.container_of(request)
    items, key = account.items(container), full_key(request, container.definition)
    condition = condition_of(request)

    def work(_: dict[str, Json]) -> Item:
        return items.delete(key, request.names[2], condition, request.now_s)

    scripted = triggers.around(account, request, container, "Delete", work, shown=lambda gone: gone)
    gone = await write(account, lambda: scripted({}))
    charge_ru = charge.write(len(gone.body), gone.document, container.definition.indexing)
    return Reply(204, "", charge_ru, session(container, key))


async def patch(account: Account, request: Request) -> Reply:
    """PATCH one: operations on paths, if the condition holds."""
    container = account.container_of(request)
    items, key, body = account.items(container), full_key(request, container.definition), _patch_of(request)
    condition = condition_of(request)
    old, new = await write(account, lambda: items.patch(key, request.names[2], body, condition, request.now_s))
    return written(request, container, new, 200, old)


def written(request: Request, container: Container, item: Item, status: int, old: Item | None = None) -> Reply:
    """The answer to a write; without the document if the client said so."""
    charge_ru = write_charge(container, item, old)
    minimal = "return=minimal" in (request.header("prefer") or "")
    key = partition.spell(container.definition.key_of(item.document))
    return Reply(status, "" if minimal else item.body, charge_ru, stamps(container, item, key))


def write_charge(container: Container, item: Item, old: Item | None = None) -> float:
    """Request units of a write."""
    replaced = old.document if old else None
    return charge.write(len(item.body), item.document, container.definition.indexing, replaced=replaced)


def stamps(container: Container, item: Item, key: str) -> dict[str, str]:
    """Headers that tell a document's version and place in the container's history."""
    return {"etag": item.etag, "x-ms-item-lsn": str(item.lsn), **session(container, key)}


def session(container: Container, key: str | None = None, part: Range | None = None) -> dict[str, str]:
    """Headers that tell how far the container's history goes, for the range of a key, for one range, or for all."""
    lsn = container.last_lsn
    ranges = container.ranges if part is None else (part,)
    if key is not None and len(ranges) > 1:
        definition = container.definition
        epk = effective_key(key, definition.hierarchical, definition.hash_version)
        ranges = tuple(candidate for candidate in ranges if candidate.start <= epk < candidate.end)
    token = ",".join(f"{candidate.id}:-1#{lsn}" for candidate in ranges)
    headers = {"x-ms-session-token": token, "lsn": str(lsn), "x-ms-cosmos-llsn": str(lsn)}
    return headers if len(ranges) > 1 else {**headers, "x-ms-documentdb-partitionkeyrangeid": ranges[0].id}


async def delete_partition(account: Account, request: Request) -> Reply:
    """POST that deletes everything under one partition key."""
    container = account.container_of(request)
    key = full_key(request, container.definition)
    await write(account, lambda: account.items(container).delete_partition(key))
    return Reply(200, "", charge.METADATA, session(container, key))
