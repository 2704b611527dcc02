"""The JavaScript SDK against the account."""

from collections.abc import Callable
from typing import Any

import pytest


@pytest.mark.timeout(300)
def test_the_javascript_sdk_reads_writes_and_queries(connection_string: str, run_js: Callable[..., Any]) -> None:
    """Documents, conditions, patch, merged queries, pages, batches, bulk, changes, scripts: it saw what it should."""
    fields = dict(part.split("=", 1) for part in connection_string.rstrip(";").split(";"))
    seen = run_js("cosmos.mjs", fields["AccountEndpoint"], fields["AccountKey"])
    assert seen == {
        "created": 201,
        "read": {"id": "0", "pk": "a", "n": 0, "text": "발전소", "nested": {"list": [1, None, True]}},
        "missing": 404,
        "conflict": 409,
        "stale": 412,
        "patched": 5,
        "parameters": [17, 18, 19],
        "ordered": [18, 17, 16],
        "top": [{"n": 19}, {"n": 18}],
        "count": [20],
        "average": [10],
        "greatest": [19],
        "groups": [
            {"m": 0, "many": 6, "least": 3},
            {"m": 1, "many": 7, "least": 1},
            {"m": 2, "many": 6, "least": 2},
        ],
        "aggregates": [{"many": 19, "total": 190}],
        "distinct": ["a", "p0", "p1", "p2", "p3", "p4"],
        "inPartition": [1, 6, 11, 16],
        "pages": [3, 1],
        "batch": [201, 201, 204],
        "failedBatch": [424, 409],
        "bulk": [201, 201, 200],
        "changes": 23,
        "procedure": [{"word": "sum", "total": 34}, "looking%20for%20sum"],
        "trigger": True,
        "function": [9, 9.5],
        "versions": ["create", "replace", "delete"],
        "throughput": 12000,
        "wrongKey": 401,
    }
