"""Which queries a client has to merge itself, and the plans it gets for them."""

from local_azure.cosmos import charge, jsontext
from local_azure.cosmos.account import Account
from local_azure.cosmos.effective_key import effective_key
from local_azure.cosmos.errors import CROSS_PARTITION_NOT_SERVABLE, CosmosError, bad_request
from local_azure.cosmos.jsontext import Json
from local_azure.cosmos.message import Reply, Request
from local_azure.cosmos.query import ast
from local_azure.cosmos.query.computed import Vocabulary
from local_azure.cosmos.query.plan import ALL_FEATURES, FULL_RANGE, fixed_keys, needs_client, plan
from local_azure.cosmos.query.translate import Target, translate
from local_azure.cosmos.store.catalog import Container


def target_of(account: Account, container: Container) -> Target:
    """A container's documents, for the translator."""
    definition = container.definition
    single_path = definition.partition_paths[0] if len(definition.partition_paths) == 1 else None

    def find_function(name: str) -> str | None:
        found = account.catalog.get("udfs", container.resource.rid, name)
        return str(found.body.get("body")) if found else None

    return Target(container.table, definition.indexing, single_path, Vocabulary(definition.computed, find_function))


def check_servable(container: Container, request: Request, query: ast.Query, given: dict[str, Json]) -> None:
    """Hold a query that names no partition to the service's rules.

    Raises CosmosError 400 when it spans partitions and was not allowed to, 400/1004 when the client has to merge.
    What fixes the first part of a hierarchical key needs no permission. Aggregates are always the client's to merge,
    even over one partition.
    """
    if not query.sources:
        return
    paths = container.definition.partition_paths
    is_single = _fixes_one(query, given, paths)
    is_prefixed = is_single or (len(paths) > 1 and _fixes_one(query, given, paths[:1]))
    if not is_prefixed and not request.flag("x-ms-documentdb-query-enablecrosspartition"):
        raise bad_request(
            "Cross partition query is required but disabled. Please set x-ms-documentdb-query-enablecrosspartition to "
            "true, specify x-ms-documentdb-partitionkey, or revise your query to avoid this exception."
        )
    aggregated = bool(query.group_by) or any(ast.aggregates_in(value) for value in ast.selected(query))
    if needs_client(query) and (aggregated or not is_single):
        whole = plan(query, given, ALL_FEATURES, [FULL_RANGE])
        raise CosmosError(
            400,
            "The provided cross partition query can not be directly served by the gateway. This is a first chance "
            "(internal) exception that all newer clients will know how to handle gracefully.",
            substatus=CROSS_PARTITION_NOT_SERVABLE,
            extra={"additionalErrorInfo": jsontext.dumps(whole)},
        )


def _fixes_one(query: ast.Query, given: dict[str, Json], paths: tuple[tuple[str, ...], ...]) -> bool:
    keys = fixed_keys(query, given, paths)
    return keys is not None and len(keys) == 1


def answer_plan(account: Account, request: Request, query: ast.Query, given: dict[str, Json]) -> Reply:
    """The plan of a query, which is translated first so that a wrong one is refused now."""
    container = account.container_of(request)
    translate(query, given, target_of(account, container))
    named = (request.header("x-ms-cosmos-supported-query-features") or "").split(",")
    keys = fixed_keys(query, given, container.definition.partition_paths)
    ranges = [FULL_RANGE] if keys is None else _points(container, keys)
    body = plan(query, given, frozenset(name.strip() for name in named), ranges)
    return Reply(200, jsontext.dumps(body), charge.METADATA)


def _points(container: Container, keys: list[list[Json]]) -> list[dict[str, Json]]:
    definition = container.definition
    spelt = (effective_key(jsontext.dumps(key), definition.hierarchical, definition.hash_version) for key in keys)
    return [{"min": epk, "max": epk, "isMinInclusive": True, "isMaxInclusive": True} for epk in sorted(set(spelt))]
