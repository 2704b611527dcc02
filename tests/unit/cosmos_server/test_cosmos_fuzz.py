"""Whatever is sent, the server answers: never 500, never silence, and an error says why."""

import asyncio
import json
import tracemalloc
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

EXAMPLES = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
_VOCABULARY = """
SELECT DISTINCT TOP VALUE * FROM JOIN IN WHERE GROUP BY ORDER ASC DESC OFFSET LIMIT AND OR NOT BETWEEN LIKE ESCAPE
true false null undefined EXISTS ARRAY udf c root t @a 1 0 2.5 1e308 -1 'x' "y" ( ) [ ] { } , . : ? ?? = != < <= > >=
+ - * / % & | ^ ~ || << >> >>> COUNT SUM AVG MIN MAX c.id c.n c.tags c['a_b'] IS_DEFINED ARRAY_CONTAINS REGEXMATCH
DateTimeAdd LEFT IIF _ts AS a --
"""
WORDS = _VOCABULARY.split()
PIECES = [
    "SELECT * FROM c",
    "SELECT VALUE c.id FROM c",
    "SELECT c.id, t FROM c JOIN t IN c.tags",
    "WHERE c.n > 1",
    "WHERE EXISTS(SELECT VALUE t FROM t IN c.tags)",
    "ORDER BY c.n DESC",
    "GROUP BY c.n",
    "OFFSET 0 LIMIT 2",
    "(SELECT VALUE COUNT(1) FROM x IN c.tags)",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4),
    max_leaves=12,
)


def _explained(answer: Any) -> None:
    assert 200 <= answer.status < 500, answer
    if answer.status >= 400:
        error = answer.json()
        assert error["code"]
        assert len(error["message"]) > 20


@EXAMPLES
@given(words=st.lists(st.sampled_from(WORDS + PIECES), max_size=14), start=st.booleans())
def test_any_words_are_answered_or_refused(app: Any, words: list[str], start: bool) -> None:
    """Token soup, and soup that starts like a query."""
    text = " ".join(["SELECT VALUE", *words] if start else words)

    async def ask() -> None:
        await app.create({"id": "1", "pk": "p", "n": 1, "tags": ["x", 2]})
        parameters = [{"name": "@a", "value": 1}]
        _explained(await app.query(text, parameters))
        _explained(await app.query(text, parameters, x_ms_cosmos_is_query_plan_request="True"))

    asyncio.run(ask())


@EXAMPLES
@given(text=st.text(max_size=200))
def test_any_text_is_answered_or_refused(app: Any, text: str) -> None:
    """Any characters as a query."""
    asyncio.run(_ask_text(app, text))


async def _ask_text(app: Any, text: str) -> None:
    _explained(await app.query(text))


@EXAMPLES
@given(value=JSON, key=st.text(max_size=30), token=st.text(max_size=40))
def test_any_document_comes_back_or_is_refused(app: Any, value: Any, key: str, token: str) -> None:
    """Any JSON as a document, in any key, found again by any of its values, after any continuation."""

    async def ask() -> None:
        body = json.dumps({"id": "1", "pk": "p", "v": value}).encode()
        written = await app.post(body, x_ms_documentdb_partitionkey='["p"]', x_ms_documentdb_is_upsert="true")
        _explained(written)
        if written.status < 300:
            found = await app.query("SELECT VALUE c.id FROM c WHERE c.v = @v", [{"name": "@v", "value": value}])
            assert found.json()["Documents"] == ["1"]
        _explained(await app.query("SELECT * FROM c ORDER BY c.v", x_ms_continuation=token))
        _explained(await app.create(value, key))

    asyncio.run(ask())


@EXAMPLES
@given(body=st.binary(max_size=300), method=st.sampled_from(["POST", "PUT", "PATCH", "DELETE", "GET"]))
def test_any_bytes_are_refused(app: Any, body: bytes, method: str) -> None:
    """Any bytes as a document, a patch, a batch or a query."""

    async def ask() -> None:
        for headers in (
            {},
            {"x_ms_cosmos_is_batch_request": "True"},
            {"x_ms_cosmos_is_batch_request": "True", "x_ms_cosmos_batch_atomic": "false"},
            {"x_ms_documentdb_isquery": "true"},
        ):
            _explained(await app.post(body, x_ms_documentdb_partitionkey='["p"]', **headers))
        link = "dbs/d/colls/c/docs/1"
        _explained(await app.send(method, "docs", link, link, body, x_ms_documentdb_partitionkey='["p"]'))

    asyncio.run(ask())


@EXAMPLES
@given(
    operations=st.lists(st.fixed_dictionaries({"op": st.text(max_size=5), "path": st.text(max_size=9), "value": JSON}))
)
def test_any_patch_is_applied_or_refused(app: Any, operations: list[Any]) -> None:
    """Any operations on any paths, with any condition."""

    async def ask() -> None:
        await app.create({"id": "1", "pk": "p", "a": [1, {"b": 2}]})
        link = "dbs/d/colls/c/docs/1"
        for kind in ("add", "set", "replace", "remove", "incr", "move"):
            known = [{**operation, "op": kind, "from": "/a"} for operation in operations]
            body = json.dumps({"operations": known or operations}).encode()
            _explained(await app.send("PATCH", "docs", link, link, body, x_ms_documentdb_partitionkey='["p"]'))

    asyncio.run(ask())


async def test_what_nests_too_deep_is_refused(app: Any, tmp_path: Path) -> None:
    """Ten thousand brackets, in a query and in a body; a thousand OR stay possible."""
    for text in (
        "SELECT VALUE " + "(" * 10_000,
        "SELECT VALUE " + "NOT " * 10_000 + "true",
        "SELECT VALUE c" + ".a" * 10_000,
    ):
        assert (await app.query(text)).status == 400
    assert (await app.post(b"[" * 100_000, x_ms_documentdb_partitionkey='["p"]')).status == 400
    ids = " OR ".join(f"(c.id = '{number}' AND c.pk = 'p')" for number in range(1000))
    assert (await app.query(f"SELECT * FROM c WHERE {ids}")).status == 200


async def test_a_page_of_changes_is_all_that_is_read(app: Any) -> None:
    """A page of the change feed holds 4 MB at most, and no more than a page is ever in memory."""
    for number in range(30):
        assert (await app.create({"id": str(number), "pk": "p", "text": "x" * 1_500_000})).status == 201
    tracemalloc.start()
    try:
        page = await app.send("GET", "docs", "dbs/d/colls/c", "dbs/d/colls/c/docs", a_im="Incremental Feed")
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [document["id"] for document in page.json()["Documents"]] == ["0", "1"]
    assert peak_bytes < 30_000_000


async def test_what_takes_too_long_ends(app: Any) -> None:
    """A join that would run for hours is stopped after the time that is set."""
    await app.create({"id": "1", "pk": "p", "many": list(range(300))})
    joins = " ".join(f"JOIN j{number} IN c.many" for number in range(5))
    answer = await app.query(f"SELECT VALUE COUNT(1) FROM c {joins} WHERE j0 + j1 + j2 + j3 + j4 = -1")
    assert answer.status == 408
