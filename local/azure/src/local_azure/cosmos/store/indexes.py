"""SQL indexes over JSON paths: those that an indexing policy names from the start, others when a query first asks.

A path is two columns, the place of its type and its plain value, so that an index sorts as the service does. Each
index starts with the partition key or, for queries that span partitions, with the path itself.
"""

import hashlib
import sqlite3
from collections.abc import Iterable, Sequence

from local_azure.cosmos.indexing import CompositePath
from local_azure.cosmos.query.expressions import is_plain_path, plain_of, rank_of
from local_azure.cosmos.store.catalog import Container

_WORTH_IT_FROM_ITEMS = 1000
_MOST_PER_CONTAINER = 24


def create_declared(connection: sqlite3.Connection, container: Container) -> None:
    """The indexes that the policy spells out: each path named one by one, and each composite."""
    policy = container.definition.indexing
    members: list[Sequence[CompositePath]] = [[CompositePath(path, False)] for path in policy.explicit_paths()]
    for index in [*members, *policy.composites]:
        if len(container.sql_indexes) < _MOST_PER_CONTAINER:
            create(connection, container, index, by_partition=True)


def known(connection: sqlite3.Connection, container: Container) -> set[str]:
    """Names of the indexes that are there."""
    rows = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = ?", (container.table,)
    )
    return {name for (name,) in rows if "_path_" in name}


def is_wanted(container: Container, members: Sequence[CompositePath], *, by_partition: bool) -> bool:
    """Whether a query that sorts or filters by these paths should have an index made for it now."""
    return (
        bool(members)
        and container.last_seq >= _WORTH_IT_FROM_ITEMS
        and len(container.sql_indexes) < _MOST_PER_CONTAINER
        and _name(container, members, by_partition) not in container.sql_indexes
        and all(is_plain_path(member.path) for member in members)
        and (len(members) > 1 or container.definition.indexing.includes(members[0].path))
    )


def create(
    connection: sqlite3.Connection, container: Container, members: Sequence[CompositePath], *, by_partition: bool
) -> None:
    """Make one; takes a second or two for each million documents."""
    name = _name(container, members, by_partition)
    columns = [*(["pk"] if by_partition else []), *_columns(members)]
    connection.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {container.table}({', '.join(columns)})")
    container.sql_indexes.add(name)


def _columns(members: Iterable[CompositePath]) -> Iterable[str]:
    for member in members:
        direction = "DESC" if member.descending else "ASC"
        yield f"{rank_of('', member.path)} {direction}"
        yield f"{plain_of('', member.path)} {direction}"


def _name(container: Container, members: Sequence[CompositePath], by_partition: bool) -> str:
    """Same for an order and its opposite, which one index serves."""
    first = members[0].descending
    spelt = repr([(member.path, member.descending != first) for member in members])
    digest = hashlib.blake2s(spelt.encode(), digest_size=8).hexdigest()
    return f"{container.table}_path_{'partition' if by_partition else 'all'}_{digest}"
