"""Queries, through the official Python SDKs: what comes back, in which order, page by page, and what is refused."""

from typing import Any

import pytest
from azure.cosmos import exceptions

DOCUMENTS = [
    {"id": "a", "pk": "p", "n": 1, "s": "alpha", "tags": ["x", "y"], "o": {"k": 1}, "b": True},
    {"id": "b", "pk": "p", "n": 2.5, "s": "beta", "tags": [], "o": {"k": None}, "b": False},
    {"id": "c", "pk": "p", "n": "three", "s": "Gamma", "tags": ["y", {"deep": [1, 2]}]},
    {"id": "d", "pk": "p", "n": None, "s": None},
    {"id": "e", "pk": "p"},
]
FIVE_IDS = ["a", "b", "c", "d", "e"]


@pytest.fixture
async def filled(cosmos: Any) -> Any:
    container = await cosmos.container()
    await cosmos.add(container, *DOCUMENTS)
    return container


_WHERE = [
    ("c.n = 1", "a"),
    ("c.n > 1", "b"),
    ("c.n >= 'a'", "c"),
    ("c.n != 1", "bcd"),
    ("NOT (c.n > 1)", "a"),
    ("c.n = null", "d"),
    ("IS_DEFINED(c.n)", "abcd"),
    ("NOT IS_DEFINED(c.n)", "e"),
    ("IS_NULL(c.n)", "d"),
    ("IS_NUMBER(c.n) AND NOT IS_INTEGER(c.n)", "b"),
    ("IS_STRING(c.n) OR IS_BOOL(c.b)", "abc"),
    ("c.n IN (1, 'three')", "ac"),
    ("c.n NOT IN (1)", "bcd"),
    ("c.n BETWEEN 1 AND 2.5", "ab"),
    ("c.s LIKE '%a_'", ""),
    ("c.s LIKE '_eta'", "b"),
    ("c.b", "a"),
    ("NOT c.b", "b"),
    ("c.n OR c.b", "a"),
    ("c.nothing = c.nothing", ""),
    ("c.o.k = 1", "a"),
    ('c.o = {"k": 1}', "a"),
    ('c.o["k"] = null', "b"),
    ("ARRAY_CONTAINS(c.tags, 'y')", "ac"),
    ('ARRAY_CONTAINS(c.tags, {"deep": [1, 2]}, true)', "c"),
    ("c.tags[0] = 'x'", "a"),
    ("ARRAY_LENGTH(c.tags) = 0", "b"),
    ("EXISTS(SELECT VALUE t FROM t IN c.tags WHERE t = 'x')", "a"),
    ("STARTSWITH(c.s, 'g', true)", "c"),
    ("CONTAINS(c.s, 'et')", "b"),
    ("(c.n ?? 7) = 7", "e"),
    ("(IS_NUMBER(c.n) ? c.n : 0) > 1", "b"),
    ("c.n + 1 = 2", "a"),
    ("c.s || '!' = 'alpha!'", "a"),
    ("c.id >= 'd'", "de"),
    ("true", "abcde"),
    ("undefined", ""),
]


@pytest.mark.parametrize("in_partition", [True, False])
async def test_where_keeps_what_is_true(cosmos: Any, filled: Any, in_partition: bool) -> None:
    """Only true keeps a document: comparing different types, or with what is missing, is undefined."""
    options = {"partition_key": "p"} if in_partition else {}
    for condition, expected in _WHERE:
        found = await cosmos.query(filled, f"SELECT VALUE c.id FROM c WHERE {condition}", **options)
        assert "".join(sorted(found)) == expected, condition


_VALUES = [
    ('SELECT VALUE {"x": c.n, "y": c.zz, "z": [c.zz, c.n]} FROM c WHERE c.id = \'a\'', [{"x": 1, "z": [1]}]),
    ("SELECT c.n, c.o.k AS kay, c.n + 1, {} FROM c WHERE c.id = 'a'", [{"n": 1, "kay": 1, "$1": 2, "$2": {}}]),
    ("SELECT c.id, t FROM c JOIN t IN c.tags WHERE c.id = 'a'", [{"id": "a", "t": "x"}, {"id": "a", "t": "y"}]),
    ("SELECT VALUE d FROM c JOIN t IN c.tags JOIN d IN t.deep", [1, 2]),
    ("SELECT VALUE t FROM c JOIN (SELECT VALUE x FROM x IN c.tags WHERE x != 'x') AS t WHERE c.id = 'a'", ["y"]),
    ("SELECT VALUE x FROM x IN c.tags", ["x", "y", "y", {"deep": [1, 2]}]),
    ("SELECT VALUE c.zz FROM c", []),
    ("SELECT VALUE ARRAY(SELECT VALUE UPPER(t) FROM t IN c.tags WHERE IS_STRING(t)) FROM c WHERE c.id = 'c'", [["Y"]]),
    ("SELECT VALUE (SELECT VALUE COUNT(1) FROM t IN c.tags) FROM c WHERE c.id = 'a'", [2]),
    ("SELECT TOP 2 VALUE c.id FROM c ORDER BY c.id", ["a", "b"]),
    ("SELECT VALUE c.id FROM c ORDER BY c.id DESC OFFSET 1 LIMIT 2", ["d", "c"]),
    ("SELECT VALUE c.id FROM c ORDER BY c.n", ["e", "d", "a", "b", "c"]),
    ("SELECT VALUE c.id FROM c ORDER BY c.n DESC", ["c", "b", "a", "d", "e"]),
    ("SELECT DISTINCT VALUE IS_STRING(c.s) FROM c", [False, True]),
    ("SELECT VALUE COUNT(1) FROM c", [5]),
    ("SELECT VALUE COUNT(c.n) FROM c", [4]),
    ("SELECT VALUE SUM(c.n) FROM c WHERE IS_NUMBER(c.n)", [3.5]),
    ("SELECT VALUE AVG(c.n) FROM c WHERE IS_NUMBER(c.n)", [1.75]),
    ("SELECT VALUE MAX(c.s) FROM c", ["beta"]),
    ("SELECT VALUE MIN(c.n) FROM c", [None]),
    ("SELECT COUNT(1) AS all, MAX(c.id) AS last FROM c", [{"all": 5, "last": "e"}]),
    (
        "SELECT c.b, COUNT(1) AS many FROM c GROUP BY c.b",
        [{"many": 3}, {"b": False, "many": 1}, {"b": True, "many": 1}],
    ),
    ("SELECT VALUE 1 + 1", [2]),
]


async def test_select_shapes_what_comes_back(cosmos: Any, filled: Any) -> None:
    """Projections, joins, sub-queries, orders, windows and aggregates within one partition."""
    for text, expected in _VALUES:
        assert await cosmos.query(filled, text, partition_key="p") == expected, text


_FUNCTIONS = [
    ("CONCAT('a', 'b', 'c')", "abc"),
    ("SUBSTRING('heliograph', 2, 3)", "lio"),
    ("INDEX_OF('abcb', 'b', 2)", 3),
    ("LENGTH('발전소')", 3),
    ("REPLACE('aXbX', 'X', '-')", "a-b-"),
    ("REVERSE('abc')", "cba"),
    ("TRIM('  a ')", "a"),
    ("RIGHT('abc', 2)", "bc"),
    ("REGEXMATCH('abcd', 'B.D', 'i')", True),
    ('TOSTRING({"a": 1})', '{"a":1}'),
    ("STRINGTONUMBER('1e2')", 100),
    ("STRINGEQUALS('A', 'a', true)", True),
    ("StringSplit('a,b', ',')", ["a", "b"]),
    ("ROUND(2.5)", 3),
    ("ROUND(-2.5)", -3),
    ("FLOOR(-1.5)", -2),
    ("POWER(2, 10)", 1024),
    ("SQRT(16)", 4),
    ("LOG10(1000)", 3),
    ("7 % 3", 1),
    ("5 / 2", 2.5),
    ("INTDIV(-7, 2)", -3),
    ("6 & 3", 2),
    ("ARRAY_SLICE([1, 2, 3, 4], -2)", [3, 4]),
    ("ARRAY_CONCAT([1], [2, 3])", [1, 2, 3]),
    ("SetIntersect([1, 2, 2], [2])", [2]),
    ("DateTimeAdd('mm', 1, '2026-01-31T00:00:00Z')", "2026-02-28T00:00:00.0000000Z"),
    ("DateTimeDiff('hour', '2026-01-01T00:59:00Z', '2026-01-01T02:01:00Z')", 2),
    ("DateTimePart('weekday', '2026-01-01T00:00:00Z')", 5),
    ("DateTimeBin('2026-01-01T00:07:31.5Z', 'minute', 5)", "2026-01-01T00:05:00.0000000Z"),
    ("DateTimeToTimestamp('2026-01-01T00:00:00Z')", 1767225600000),
    ("TimestampToDateTime(1767225600000)", "2026-01-01T00:00:00.0000000Z"),
    ("IIF(1 < 2, 'yes', 'no')", "yes"),
    ("IS_OBJECT({}) AND IS_ARRAY([]) AND IS_PRIMITIVE('x') AND IS_FINITE_NUMBER(1)", True),
]


async def test_functions_give_what_is_documented(cosmos: Any, filled: Any) -> None:
    """One or more of each family: strings, numbers, arrays, dates, types."""
    for expression, expected in _FUNCTIONS:
        found = await cosmos.query(filled, f"SELECT TOP 1 VALUE {expression} FROM c", partition_key="p")
        assert found == [expected], expression
    for undefined in ("UPPER(1)", "1 + 'a'", "1 / 0", "SQRT(-1)", "ARRAY_LENGTH('a')", "c.zz < 1", "1 < 'a'"):
        assert await cosmos.query(filled, f"SELECT VALUE {undefined} FROM c", partition_key="p") == [], undefined


async def test_the_client_merges_what_spans_partitions(cosmos: Any) -> None:
    """Orders, windows, distinct values and VALUE aggregates over several ranges of partitions."""
    container = await cosmos.container(offer_throughput=12000)
    await cosmos.add(container, *({"id": f"{n:02}", "pk": f"p{n % 7}", "n": n, "m": n % 3} for n in range(20)))
    assert len(await cosmos.all(container.read_feed_ranges())) == 2
    cases = [
        ("SELECT VALUE c.n FROM c ORDER BY c.n DESC", list(range(19, -1, -1))),
        ("SELECT VALUE c.n FROM c ORDER BY c.n OFFSET 5 LIMIT 3", [5, 6, 7]),
        ("SELECT TOP 3 VALUE c.n FROM c ORDER BY c.n", [0, 1, 2]),
        ("SELECT VALUE COUNT(1) FROM c", [20]),
        ("SELECT VALUE SUM(c.n) FROM c", [190]),
        ("SELECT VALUE AVG(c.n) FROM c", [9.5]),
        ("SELECT VALUE MAX(c.n) FROM c", [19]),
        ("SELECT DISTINCT VALUE c.m FROM c ORDER BY c.m", [0, 1, 2]),
    ]
    for text, expected in cases:
        assert await cosmos.query(container, text) == expected, text
    assert sorted(await cosmos.query(container, "SELECT VALUE c.n FROM c WHERE c.n < 4")) == [0, 1, 2, 3]


async def test_pages_stay_in_place_while_documents_come_and_go(cosmos: Any) -> None:
    """A continuation starts after the last key: writes between pages repeat nothing and skip nothing."""
    container = await cosmos.container()
    await cosmos.add(container, *({"id": f"{n:02}", "pk": "p", "n": n} for n in range(0, 40, 2)))
    for order in ("", " ORDER BY c.n", " ORDER BY c.n DESC"):
        text = f"SELECT VALUE c.n FROM c{order}"
        seen: list[int] = []
        token = None
        while True:
            pager = cosmos.querying(container, text, partition_key="p", max_item_count=7).by_page(token)
            page = await cosmos.call(pager.__anext__ if cosmos.is_aio else pager.__next__)
            seen += await cosmos.all(page)
            token = pager.continuation_token
            if token is None:
                break
            await cosmos.call(container.upsert_item, {"id": "-1", "pk": "p", "n": -1})
            await cosmos.call(container.delete_item, "-1", "p")
        assert sorted(seen) == list(range(0, 40, 2)), order


async def test_parameters_are_values_not_text(cosmos: Any, filled: Any) -> None:
    """A parameter is compared as it is, whatever quotation marks it holds."""
    nasty = "x' OR 'a' = \"a\" --"
    await cosmos.add(filled, {"id": "z", "pk": "p", "s": nasty})
    parameters = [{"name": "@s", "value": nasty}, {"name": "@ids", "value": ["z", "a"]}]
    text = "SELECT VALUE c.id FROM c WHERE c.s = @s AND ARRAY_CONTAINS(@ids, c.id)"
    assert await cosmos.query(filled, text, parameters=parameters, partition_key="p") == ["z"]


_REFUSED = [
    ("SELEC * FROM c", {"partition_key": "p"}),
    ("SELECT * FROM c WHERE c.x = ", {"partition_key": "p"}),
    ("SELECT NOPE(c.x) FROM c", {"partition_key": "p"}),
    ("SELECT * FROM c WHERE d.x = 1", {"partition_key": "p"}),
    ("SELECT * FROM c WHERE c.x = @missing", {"partition_key": "p"}),
    ("SELECT * FROM c ORDER BY c.n, c.s", {"partition_key": "p"}),
    ("SELECT * FROM c ORDER BY c.n + 1", {"partition_key": "p"}),
    ("SELECT c.n, COUNT(1) AS many FROM c GROUP BY c.n", {}),
    ("SELECT COUNT(1) AS many FROM c", {}),
    ("SELECT VALUE udf.f(c) FROM c", {"partition_key": "p"}),
]


async def test_what_the_service_refuses_is_refused(cosmos: Any, filled: Any) -> None:
    """400 for wrong text, unknown names, orders without a composite index, and what Python can not merge."""
    for text, options in _REFUSED:
        with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
            await cosmos.query(filled, text, **options)
        assert refused.value.status_code == 400, text


async def test_a_composite_index_allows_an_order_on_two_fields(cosmos: Any) -> None:
    """ORDER BY on two fields works in the directions of the index, and both turned round."""
    composite = [[{"path": "/m", "order": "ascending"}, {"path": "/n", "order": "descending"}]]
    container = await cosmos.container(indexing_policy={"compositeIndexes": composite})
    await cosmos.add(container, *({"id": f"{n}", "pk": "p", "n": n, "m": n % 2} for n in range(6)))
    text = "SELECT VALUE c.n FROM c ORDER BY c.m {}, c.n {}"
    assert await cosmos.query(container, text.format("ASC", "DESC"), partition_key="p") == [4, 2, 0, 5, 3, 1]
    assert await cosmos.query(container, text.format("DESC", "ASC"), partition_key="p") == [1, 3, 5, 0, 2, 4]
    with pytest.raises(exceptions.CosmosHttpResponseError, match="composite"):
        await cosmos.query(container, text.format("ASC", "ASC"), partition_key="p")
