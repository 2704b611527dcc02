"""The server's pure parts: hashing, the query's text and tree, comparison, patches, policies, budgets."""

import fnmatch
import itertools
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from azure.cosmos import PartitionKey
from hypothesis import given
from hypothesis import strategies as st

from local_azure.cosmos import auth, charge, indexing, jsontext, partition
from local_azure.cosmos.effective_key import boundaries, effective_key
from local_azure.cosmos.errors import CosmosError
from local_azure.cosmos.query import strings
from local_azure.cosmos.query.functions import FUNCTIONS
from local_azure.cosmos.query.parser import parse
from local_azure.cosmos.query.render import render
from local_azure.cosmos.query.semantics import compare, equal, sort_key
from local_azure.cosmos.throughput import Throttle

FLOATS = st.floats(allow_nan=False, allow_infinity=False).map(lambda number: number + 0.0)  # -0.0 is written as 0
SCALARS = st.none() | st.booleans() | FLOATS | st.text(max_size=40)


@given(keys=st.lists(SCALARS, min_size=2, max_size=2))
def test_keys_hash_as_the_sdk_hashes_them(keys: list[Any]) -> None:
    """Feed ranges and prefixes are computed by clients: both sides must put a key in the same place."""
    single, several = PartitionKey("/a"), PartitionKey(["/a", "/b"])
    first = partition.spell(keys[:1])
    assert effective_key(first, hierarchical=False) == single._get_effective_partition_key_string(keys[:1])
    assert effective_key(partition.spell(keys), hierarchical=True) == several._get_effective_partition_key_string(keys)


def test_boundaries_cut_the_key_space_in_order() -> None:
    """Ranges follow each other from "" to "FF" in both versions of the hash, cut where the service cuts."""
    for version, count in itertools.product((1, 2), (1, 2, 5)):
        edges = boundaries(count, version)
        assert edges[0] == ""
        assert edges[-1] == "FF"
        assert edges == sorted(edges)
        assert len(edges) == count + 1
    assert boundaries(2, 2)[1] == "1" + "F" * 31
    assert boundaries(5, 2)[4] == "3" * 31 + "0"


QUERIES = [
    "SELECT * FROM c",
    'SELECT DISTINCT TOP 3 c.a.b AS x, c["y z"], f.g FROM root c JOIN f IN c.list[0].items WHERE NOT c.a',
    "SELECT VALUE {\"a\": [1, -2.5, 'x'], b: c.value ?? null} FROM c WHERE c.n BETWEEN 1 AND 2 AND c.m IN (1, @p)",
    "SELECT VALUE COUNT(1) FROM c WHERE EXISTS(SELECT VALUE t FROM t IN c.tags WHERE t LIKE 'a!%' ESCAPE '!')",
    "SELECT c.k, MAX(c.v) m FROM c GROUP BY c.k",
    "SELECT VALUE c.a ? c.b : (c.d || 'x') FROM c ORDER BY c.x DESC, c.y OFFSET 1 LIMIT @n",
    "SELECT VALUE ARRAY(SELECT VALUE UPPER(x) FROM x IN c.z) FROM c JOIN (SELECT VALUE q FROM q IN c.r) AS s -- end",
]


@pytest.mark.parametrize("text", QUERIES)
def test_a_rendered_query_is_the_same_query(text: str) -> None:
    """Plans hand queries back as text: parsing that gives the same tree."""
    assert parse(render(parse(text))) == parse(text)


@pytest.mark.parametrize(
    "text", ["", "SELECT", "SELECT * FROM", "SELECT * FROM c WHERE", "UPDATE c", "SELECT * FROM c;"]
)
def test_a_syntax_error_names_its_place(text: str) -> None:
    """400 in the shape of the service's compiler."""
    with pytest.raises(CosmosError) as refused:
        parse(text)
    assert refused.value.status == 400
    assert '"location"' in refused.value.message


@given(values=st.lists(SCALARS, min_size=2, max_size=2))
def test_only_like_is_compared_with_like(values: list[Any]) -> None:
    """An order between different types is undefined; sorting still has a place for each."""
    left, right = values
    verdict = compare(left, right)
    if verdict is None:
        assert sort_key(left)[0] != sort_key(right)[0]
        assert not equal(left, right)
    else:
        assert (verdict == 0) == equal(left, right)
        assert (verdict < 0) == (sort_key(left) < sort_key(right))


@given(text=st.text("ab", max_size=12), pattern=st.text("ab%_", max_size=8))
def test_like_agrees_with_globbing(text: str, pattern: str) -> None:
    """`%` is any run and `_` any one character."""
    glob = pattern.replace("%", "*").replace("_", "?")
    assert strings.like(text, pattern, "") == fnmatch.fnmatchcase(text, glob)


@given(number=st.floats(allow_nan=False, allow_infinity=False))
def test_equal_numbers_have_one_spelling(number: float) -> None:
    """What is one number is one text, however the client wrote it, so that SQL can compare text."""
    spelt = jsontext.dumps(jsontext.parse(repr(number).encode()))
    assert float(spelt) == number
    if number.is_integer() and abs(number) < 2**53:
        assert "." not in spelt


def test_the_most_precise_path_decides_what_is_indexed() -> None:
    """A longer path beats a shorter one, and `?` beats `*`."""
    policy = indexing.parse_policy(
        indexing.complete(
            {
                "includedPaths": [{"path": "/*"}, {"path": "/a/b/?"}],
                "excludedPaths": [{"path": "/a/*"}, {"path": "/x/?"}],
            }
        )
    )
    verdicts = {("a", "b"): True, ("a", "c"): False, ("x",): False, ("x", "y"): True, ("z",): True, ("_etag",): False}
    assert {path: policy.includes(path) for path in verdicts} == verdicts


def test_a_budget_is_spent_by_the_second() -> None:
    """A second's budget is used up, 429 says how long to wait, and what was overdrawn is owed."""
    now = 0.0
    throttle = Throttle(lambda: now)
    throttle.admit("c", 400)
    throttle.charge("c", 1000)
    with pytest.raises(CosmosError) as refused:
        throttle.admit("c", 400)
    assert refused.value.status == 429
    assert refused.value.headers["x-ms-retry-after-ms"] == "2000"
    now = 2.0
    throttle.admit("c", 400)


def test_signatures_are_good_for_a_quarter_of_an_hour() -> None:
    """The right key at the right time; 401 for another key and 403 for another time."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    date = format_datetime(now, usegmt=True)
    signed = auth.Signed("GET", "docs", "dbs/d/colls/c/docs/1", date)
    signature = auth.sign(auth.EMULATOR_KEY, "get", "docs", signed.link, date)
    fields = {"type": "master", "ver": "1.0", "sig": signature}
    auth.verify(auth.EMULATOR_KEY, fields, signed, now + timedelta(minutes=14))
    for status, key, at in ((401, "d3Jvbmc=", now), (403, auth.EMULATOR_KEY, now + timedelta(minutes=16))):
        with pytest.raises(CosmosError) as refused:
            auth.verify(key, fields, signed, at)
        assert refused.value.status == status


def test_charges_grow_with_size_and_indexed_paths() -> None:
    """1 RU to read 1 KB and 10 to read 100; 6 to write 1 KB unindexed and 55 to write 100."""
    everything = indexing.parse_policy(indexing.complete(None))
    nothing = indexing.parse_policy(indexing.complete({"indexingMode": "none"}))
    document = {f"f{number}": number for number in range(20)}
    assert charge.point_read(1024) == 1
    assert charge.point_read(100 * 1024) == 10
    assert charge.write(1024, document, nothing) == 6
    assert charge.write(100 * 1024, document, nothing) == pytest.approx(55, abs=1)
    assert charge.write(1024, document, everything) == 19


def test_distances_are_along_the_ellipsoid() -> None:
    """A degree of longitude at the equator is 111,319.49 m, and what is no point on Earth has no distance."""
    distance = FUNCTIONS["ST_DISTANCE"].call
    points = [{"type": "Point", "coordinates": [longitude, 0]} for longitude in (0, 1)]
    assert distance(*points) == pytest.approx(111_319.4908, abs=1e-3)
    for wrong in ({"type": "Polygon", "coordinates": [0, 0]}, {"type": "Point", "coordinates": [0, 91]}, [0, 0], "x"):
        with pytest.raises(ValueError, match=r"point|Earth"):
            distance(points[0], wrong)
