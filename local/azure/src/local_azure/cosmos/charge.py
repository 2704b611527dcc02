"""Request units: what each operation costs, fitted to the published figures.

A point read is 1 RU at 1 KB and 10 at 100 KB. A write is 6 RU at 1 KB and 55 at 100 KB with nothing indexed;
each indexed scalar adds 0.65 (8 RU with three indexed paths, 19 with twenty). Replacing takes the old index terms
out and puts the new ones in.
"""

from local_azure.cosmos.indexing import IndexingPolicy, leaf_paths
from local_azure.cosmos.jsontext import Json

METADATA = 2.0
NOT_FOUND = 1.0
_INDEX_TERM = 0.65
_QUERY_BASE = 2.3
_CHANGE_FEED_BASE = 2.0
_KB = 1024


def _kilobytes(size_bytes: int) -> int:
    return max(1, -(-size_bytes // _KB))


def point_read(size_bytes: int) -> float:
    """Reading one item by id and key."""
    return round(1 + (_kilobytes(size_bytes) - 1) / 11, 2)


def write(size_bytes: int, document: Json, policy: IndexingPolicy, *, replaced: Json | None = None) -> float:
    """Creating or deleting an item, or with `replaced` writing over it."""
    terms = index_terms(document, policy) + (index_terms(replaced, policy) if replaced is not None else 0)
    return round(5.5 + 0.5 * _kilobytes(size_bytes) + _INDEX_TERM * terms, 2)


def index_terms(document: Json, policy: IndexingPolicy) -> int:
    """How many entries an item has in the service's index."""
    if not policy.enabled:
        return 0
    return sum(policy.includes(path) for path in leaf_paths(document)) + len(policy.composites)


def query(returned_items: int, returned_bytes: int) -> float:
    """One page of a query."""
    return round(_QUERY_BASE + 0.03 * returned_items + 0.03 * (returned_bytes / _KB), 2)


def feed(returned_items: int, returned_bytes: int) -> float:
    """One page of a feed of items."""
    return round(_CHANGE_FEED_BASE + 0.01 * returned_items + 0.03 * (returned_bytes / _KB), 2)
