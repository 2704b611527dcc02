"""Which documents a request's headers leave in view: a partition, a prefix of one, a range, the living."""

from dataclasses import replace

from local_azure.cosmos import jsontext, partition
from local_azure.cosmos.effective_key import effective_key
from local_azure.cosmos.errors import PARTITION_RANGE_GONE, CosmosError
from local_azure.cosmos.message import Request
from local_azure.cosmos.query.translate import Statement
from local_azure.cosmos.routes.keys import key_for
from local_azure.cosmos.store.catalog import Container, Range


def is_scoped(request: Request) -> bool:
    """Whether a header says which part of the container is meant."""
    names = ("x-ms-documentdb-partitionkey", "x-ms-documentdb-partitionkeyrangeid", "x-ms-start-epk")
    return any(request.header(name) for name in names)


def conditions(container: Container, request: Request, part: Range | None) -> tuple[list[str], dict[str, str | int]]:
    """SQL conditions on the documents' table `d`, and their parameters."""
    sql: list[str] = []
    bound: dict[str, str | int] = {}
    components = key_for(request, container.definition)
    if components is not None and len(components) == len(container.definition.partition_paths):
        sql.append("d.pk = :scope_pk")
        bound["scope_pk"] = partition.spell(components)
    elif components is not None:
        prefix = effective_key(jsontext.dumps(components), True)
        _between(sql, bound, "prefix", prefix, prefix + "FF")
    if part is not None and len(container.ranges) > 1:
        _between(sql, bound, "part", part.start, part.end)
    start, end = request.header("x-ms-start-epk"), request.header("x-ms-end-epk")
    if start or end:
        _between(sql, bound, "range", (start or "").upper(), (end or "FF").upper())
    if container.definition.default_ttl_s is not None:
        sql.append("(d.expires_at_s IS NULL OR d.expires_at_s > :scope_now)")
        bound["scope_now"] = request.now_s
    return sql, bound


def _between(sql: list[str], bound: dict[str, str | int], name: str, start: str, end: str) -> None:
    sql.append(f"d.epk >= :scope_{name}_start AND d.epk < :scope_{name}_end")
    bound[f"scope_{name}_start"], bound[f"scope_{name}_end"] = start, end


def range_of(container: Container, request: Request) -> Range | None:
    """The partition key range that the request names. Raises CosmosError 410/1002 for one that is not there."""
    named = request.header("x-ms-documentdb-partitionkeyrangeid")
    if named is None:
        return None
    _, _, range_id = named.rpartition(",")
    for part in container.ranges:
        if part.id == range_id:
            return part
    raise CosmosError(410, f"The partition key range '{range_id[:40]}' is gone.", substatus=PARTITION_RANGE_GONE)


def reach(statement: Statement, container: Container, request: Request, part: Range | None) -> Statement:
    """The statement over those documents only."""
    sql, bound = conditions(container, request, part)
    statement.parameters.bound.update(bound)
    return replace(statement, conditions=(*sql, *statement.conditions))
