"""Partial updates: add, set, replace, remove, incr and move on paths, behind an optional condition."""

import sqlite3

from local_azure.cosmos import jsontext
from local_azure.cosmos.errors import bad_request, precondition_failed
from local_azure.cosmos.jsontext import Json
from local_azure.cosmos.query.parser import parse
from local_azure.cosmos.query.translate import Target, translate

MAX_OPERATIONS = 10
_ONE = "(SELECT 1 AS seq, json_extract(:item, '$.id') AS id, NULL AS pk, :item AS body)"
_PROTECTED = frozenset({"_rid", "_self", "_etag", "_ts", "_attachments", "id"})


def apply_patch(connection: sqlite3.Connection, item: str, patch: dict[str, Json]) -> dict[str, Json]:
    """The document after the patch. Raises CosmosError 400 for a wrong operation, 412 for a condition not met."""
    operations = patch.get("operations")
    if not isinstance(operations, list) or not operations:
        raise bad_request("The patch has no operations.")
    if len(operations) > MAX_OPERATIONS:
        raise bad_request(f"The number of patch operations can't exceed '{MAX_OPERATIONS}'.")
    condition = patch.get("condition")
    if condition is not None and not _holds(connection, item, condition):
        raise precondition_failed()
    document: dict[str, Json] = jsontext.loads(item)
    for number, operation in enumerate(operations, start=1):
        if not isinstance(operation, dict):
            raise bad_request(f"Patch operation {number} is not an object.")
        _apply(document, operation, number)
    return document


def _holds(connection: sqlite3.Connection, item: str, condition: Json) -> bool:
    if not isinstance(condition, str):
        raise bad_request("The patch condition is not a string.")
    statement = translate(parse(f"SELECT VALUE 1 {condition}"), {}, Target(_ONE))
    where = " AND ".join(("1", *statement.conditions))
    statement.parameters.bound["item"] = item
    found = connection.execute(f"SELECT 1 FROM {statement.source} WHERE {where}", statement.parameters.bound)
    return found.fetchone() is not None


def _apply(document: dict[str, Json], operation: dict[str, Json], number: int) -> None:
    kind, path = operation.get("op"), operation.get("path")
    tokens = _tokens(path, number)
    if kind == "move":
        source = _tokens(operation.get("from"), number)
        if tokens[: len(source)] == source:
            raise bad_request(f"Patch operation {number}: the path '{path}' can not be a child of where it moves from.")
        value = _remove(document, source, number)
        return _put(document, tokens, value, number, must_exist=False, insert=True)
    if kind == "remove":
        _remove(document, tokens, number)
        return None
    if "value" not in operation:
        raise bad_request(f"Patch operation {number} has no value.")
    value = operation["value"]
    if kind == "incr":
        return _increment(document, tokens, value, number)
    if kind not in ("add", "set", "replace"):
        raise bad_request(f"Patch operation {number}: unknown operation {str(kind)[:40]!r}.")
    return _put(document, tokens, value, number, must_exist=kind == "replace", insert=kind == "add")


def _tokens(path: Json, number: int) -> list[str]:
    if not isinstance(path, str) or not path.startswith("/") or len(path) < 2:
        raise bad_request(f"Patch operation {number}: the path {str(path)[:100]!r} is invalid.")
    tokens = [token.replace("~1", "/").replace("~0", "~") for token in path[1:].split("/")]
    if tokens[0] in _PROTECTED:
        raise bad_request(f"Patch operation {number}: the path '{path}' is of a system property and can't be changed.")
    return tokens


def _parent(document: Json, tokens: list[str], number: int) -> Json:
    node = document
    for token in tokens[:-1]:
        if isinstance(node, dict) and token in node:
            node = node[token]
        elif isinstance(node, list) and token.isdecimal() and int(token) < len(node):
            node = node[int(token)]
        else:
            raise bad_request(f"Patch operation {number}: the parent of '/{'/'.join(tokens)}' does not exist.")
    if not isinstance(node, dict | list):
        raise bad_request(f"Patch operation {number}: the parent of '/{'/'.join(tokens)}' has no members.")
    return node


def _position(parent: list[Json], step: str, number: int, *, end: int) -> int:
    if step == "-" and end > len(parent) - 1:
        return len(parent)
    if not step.isdecimal() or len(step) > 9 or int(step) > end:
        raise bad_request(f"Patch operation {number}: '{step[:40]}' is no position in an array of {len(parent)}.")
    return int(step)


def _put(document: Json, tokens: list[str], value: Json, number: int, *, must_exist: bool, insert: bool) -> None:
    parent, token = _parent(document, tokens, number), tokens[-1]
    if isinstance(parent, dict):
        if must_exist and token not in parent:
            raise bad_request(f"Patch operation {number}: '/{'/'.join(tokens)}' does not exist.")
        parent[token] = value
        return
    position = _position(parent, token, number, end=len(parent) - (1 if must_exist else 0))
    if insert or position == len(parent):
        parent.insert(position, value)
    else:
        parent[position] = value


def _remove(document: Json, tokens: list[str], number: int) -> Json:
    parent, token = _parent(document, tokens, number), tokens[-1]
    if isinstance(parent, list):
        return parent.pop(_position(parent, token, number, end=len(parent) - 1))
    if token not in parent:
        raise bad_request(f"Patch operation {number}: '/{'/'.join(tokens)}' does not exist.")
    return parent.pop(token)


def _increment(document: Json, tokens: list[str], value: Json, number: int) -> None:
    parent, token = _parent(document, tokens, number), tokens[-1]
    if isinstance(parent, list):
        key: str | int = _position(parent, token, number, end=len(parent) - 1)
        current = parent[int(key)]
    else:
        key, current = token, parent.get(token, 0)
    for operand in (value, current):
        if isinstance(operand, bool) or not isinstance(operand, int | float):
            raise bad_request(f"Patch operation {number}: incr works on numbers only.")
    parent[key] = current + value
