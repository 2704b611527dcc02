"""Triggers: scripts that a client names to run before and after a write, in its transaction."""

from collections.abc import Callable
from typing import TypeVar

from local_azure.cosmos.account import Account
from local_azure.cosmos.errors import bad_request
from local_azure.cosmos.jsontext import Json
from local_azure.cosmos.message import Request
from local_azure.cosmos.routes.collection import Collection
from local_azure.cosmos.store.catalog import Container
from local_azure.cosmos.store.items import Item

T = TypeVar("T")
_HEADERS = {"Pre": "x-ms-documentdb-pre-trigger-include", "Post": "x-ms-documentdb-post-trigger-include"}


def around(
    account: Account,
    request: Request,
    container: Container,
    operation: str,
    work: Callable[[dict[str, Json]], T],
    *,
    shown: Callable[[T], Item],
) -> Callable[[dict[str, Json]], T]:
    """`work` on a document, with the triggers that the request names around it.

    What a trigger before it makes of the document is what is written; `shown` picks from the result what a trigger
    after it sees. Raises CosmosError 400 for a trigger of another kind and for whatever one throws.
    """
    before = _sources(account, request, container, "Pre", operation)
    after = _sources(account, request, container, "Post", operation)
    if not before and not after:
        return work

    def scripted(document: dict[str, Json]) -> T:
        collection = Collection(account, request, container)
        for source in before:
            changed = collection.run(source, operation=operation, request=document).request
            document = changed if isinstance(changed, dict) else document
        done = work(document)
        for source in after:
            collection.run(source, operation=operation, request=document, response=shown(done).document)
        return done

    return scripted


def _sources(account: Account, request: Request, container: Container, kind: str, operation: str) -> list[str]:
    named = request.header(_HEADERS[kind])
    return [_source(account, container, name.strip(), kind, operation) for name in named.split(",")] if named else []


def _source(account: Account, container: Container, name: str, kind: str, operation: str) -> str:
    trigger = account.catalog.find("triggers", container.resource.rid, name).body
    if str(trigger.get("triggerType")).lower() != kind.lower():
        raise bad_request(f"The trigger '{name}' is of the type {trigger.get('triggerType')}, not {kind}.")
    if str(trigger.get("triggerOperation")).lower() not in ("all", operation.lower()):
        raise bad_request(f"The trigger '{name}' runs on {trigger.get('triggerOperation')}, not on {operation}.")
    return str(trigger.get("body"))
