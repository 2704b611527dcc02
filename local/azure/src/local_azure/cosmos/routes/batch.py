"""Transactional batches: up to 100 operations in one partition, all or none."""

from dataclasses import dataclass

from local_azure.cosmos import charge, jsontext, partition
from local_azure.cosmos.account import Account
from local_azure.cosmos.errors import CosmosError, bad_request, too_large
from local_azure.cosmos.jsontext import Json
from local_azure.cosmos.message import Reply, Request
from local_azure.cosmos.routes import documents
from local_azure.cosmos.routes.keys import full_key, key_of_document
from local_azure.cosmos.store.catalog import Container
from local_azure.cosmos.store.items import Condition, Item, Items, require_document

MAX_OPERATIONS = 100
MAX_BYTES = 2 * 1024 * 1024
_FAILED_DEPENDENCY = 424


@dataclass(frozen=True)
class _Batch:
    container: Container
    items: Items
    key: str
    now_s: int


class _Failed(Exception):  # noqa: N818 - carries an outcome, tells the transaction to roll back
    def __init__(self, position: int, error: CosmosError) -> None:
        super().__init__(error.message)
        self.position = position
        self.error = error


async def execute(account: Account, request: Request) -> Reply:
    """POST of a batch: 200 with each result, or 207 with the failure and 424 for all others."""
    if len(request.body) > MAX_BYTES:
        raise too_large(f"Request size is too large: a batch is limited to {MAX_BYTES} bytes.")
    operations = request.json()
    if not isinstance(operations, list):
        raise bad_request("A batch is an array of operations.")
    if not operations:
        raise bad_request("Batch request has no operations.")
    if len(operations) > MAX_OPERATIONS:
        raise bad_request(
            f"Batch request has more operations than what is supported. It has {len(operations)}, the limit is "
            f"{MAX_OPERATIONS}."
        )
    container = account.container_of(request)
    if request.headers.get("x-ms-cosmos-batch-atomic", "true").lower() != "true":
        return await _bulk(account, request, container, operations)
    key = full_key(request, container.definition)
    batch = _Batch(container, account.items(container), key, request.now_s)
    try:
        results = await documents.write(account, lambda: [_step(batch, *entry) for entry in enumerate(operations)])
        status = 200
    except _Failed as failed:
        results = [_other_failed() for _ in operations]
        results[failed.position] = _failure(failed.error)
        status = 207
    charge_ru = round(sum(result["requestCharge"] for result in results), 2)
    return Reply(status, jsontext.dumps(results), charge_ru, documents.session(container, key))


async def _bulk(account: Account, request: Request, container: Container, operations: list[Json]) -> Reply:
    """Operations that stand each for itself, in partitions of their own: 207 when one of them failed."""
    keep_going = request.headers.get("x-ms-cosmos-batch-continue-on-error", "true").lower() == "true"
    results: list[dict[str, Json]] = []
    for operation in operations:
        if results and not keep_going and results[-1]["statusCode"] >= 400:
            results.append(_other_failed())
            continue
        try:
            results.append(await _alone(account, request, container, operation))
        except CosmosError as error:
            results.append(_failure(error))
    status = 207 if any(result["statusCode"] >= 400 for result in results) else 200
    charge_ru = round(sum(result["requestCharge"] for result in results), 2)
    return Reply(status, jsontext.dumps(results), charge_ru, documents.session(container))


async def _alone(account: Account, request: Request, container: Container, operation: Json) -> dict[str, Json]:
    if not isinstance(operation, dict):
        raise bad_request("A bulk operation is an object.")
    declared = operation.get("partitionKey")
    spelt = declared if isinstance(declared, str) else jsontext.dumps(declared if declared is not None else [])
    components = partition.parse_header(spelt, len(container.definition.partition_paths))
    batch = _Batch(container, account.items(container), partition.spell(components), request.now_s)
    return await documents.write(account, lambda: _run(batch, operation))


def _step(batch: _Batch, position: int, operation: Json) -> dict[str, Json]:
    try:
        if not isinstance(operation, dict):
            raise bad_request(f"Batch operation {position} is not an object.")
        return _run(batch, operation)
    except CosmosError as error:
        if error.status >= 500:
            raise
        raise _Failed(position, error) from error


def _run(batch: _Batch, operation: dict[str, Json]) -> dict[str, Json]:
    kind, identifier, body = operation.get("operationType"), operation.get("id"), operation.get("resourceBody")
    condition = Condition(_text(operation, "ifMatch"), _text(operation, "ifNoneMatch"))
    items, key, now_s = batch.items, batch.key, batch.now_s
    if kind in ("Read", "Delete", "Replace", "Patch") and not isinstance(identifier, str):
        raise bad_request(f"The batch operation {kind} has no id.")
    match kind:
        case "Read":
            item = items.read(key, str(identifier), now_s)
            return _success(200, item, charge.point_read(len(item.body)))
        case "Delete":
            gone = items.delete(key, str(identifier), condition, now_s)
            result = _success(204, gone, documents.write_charge(batch.container, gone))
            return {name: value for name, value in result.items() if name not in ("resourceBody", "eTag")}
        case "Patch":
            patch = require_document(body)
            old, new = items.patch(key, str(identifier), patch, condition, now_s)
            return _success(200, new, documents.write_charge(batch.container, new, old))
    document = require_document(body)
    key_of_document(items.definition, document, key)
    match kind:
        case "Create":
            item = items.create(key, document, now_s)
            return _success(201, item, documents.write_charge(batch.container, item))
        case "Upsert":
            item, is_new = items.upsert(key, document, condition, now_s)
            return _success(201 if is_new else 200, item, documents.write_charge(batch.container, item))
        case "Replace":
            old, new = items.replace(key, str(identifier), document, condition, now_s)
            return _success(200, new, documents.write_charge(batch.container, new, old))
    raise bad_request(f"The batch operation type {str(kind)[:40]!r} is not known.")


def _text(operation: dict[str, Json], name: str) -> str | None:
    value = operation.get(name)
    return value if isinstance(value, str) else None


def _success(status: int, item: Item, charge_ru: float) -> dict[str, Json]:
    document = item.document
    return {"statusCode": status, "requestCharge": charge_ru, "eTag": document["_etag"], "resourceBody": document}


def _failure(error: CosmosError) -> dict[str, Json]:
    return {
        "statusCode": error.status,
        "subStatusCode": error.substatus,
        "requestCharge": charge.NOT_FOUND,
        "message": error.message,
    }


def _other_failed() -> dict[str, Json]:
    return {"statusCode": _FAILED_DEPENDENCY, "requestCharge": 0}
