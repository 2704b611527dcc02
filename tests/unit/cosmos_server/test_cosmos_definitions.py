"""What a container may be made with: names, computed properties, vector and full-text policies."""

import json
from typing import Any

import pytest

from local_azure.cosmos import definition
from local_azure.cosmos.errors import CosmosError

KEY = {"paths": ["/pk"], "kind": "Hash", "version": 2}
EMBEDDING = {"path": "/v", "dataType": "float32", "dimensions": 100, "distanceFunction": "cosine"}
FULL_TEXT = {"defaultLanguage": "en-US", "fullTextPaths": [{"path": "/t", "language": "en-US"}]}


def make(**body: Any) -> definition.Definition:
    return definition.parse(definition.complete({"id": "c", "partitionKey": KEY, **body}))


def with_vector_index(**index: Any) -> dict[str, Any]:
    return {
        "vectorEmbeddingPolicy": {"vectorEmbeddings": [EMBEDDING]},
        "indexingPolicy": {"vectorIndexes": [{"path": "/v", "type": "diskANN", **index}]},
    }


def with_full_text(path: str, **policy: Any) -> dict[str, Any]:
    return {"fullTextPolicy": {**FULL_TEXT, **policy}, "indexingPolicy": {"fullTextIndexes": [{"path": path}]}}


def with_computed(query: Any, name: Any = "x") -> dict[str, Any]:
    return {"computedProperties": [{"name": name, "query": query}]}


def test_policies_that_the_service_takes_are_taken() -> None:
    """Vector indexes on embedded paths, full-text indexes on declared ones, and none at all."""
    make(**with_vector_index(quantizationByteSize=100, indexingSearchListSize=25, vectorIndexShardKey=["/city"]))
    make(**with_full_text("/t"))
    make(fullTextPolicy={"defaultLanguage": "en-US"})
    assert make(**with_computed("SELECT VALUE LOWER(c.name) FROM c")).computed.keys() == {"x"}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"id": "c" * 256}, "less than '255'"),
        (with_vector_index(path="/w"), "path::/w not matching"),
        (with_vector_index(type="notFlat"), "notFlat"),
        (with_vector_index(quantizationByteSize=101), "value :: 101 is out of range"),
        (with_vector_index(indexingSearchListSize=24), "between 25 and 500"),
        (with_vector_index(vectorIndexShardKey=["city"]), "invalid Shard Path: city"),
        (with_vector_index(vectorIndexShardKey=["/a", "/b"]), "exceeds the maximum: 1"),
        (with_vector_index(vectorIndexShardKey="/a"), "inputs is invalid"),
        *(
            ({"vectorEmbeddingPolicy": {"vectorEmbeddings": [{**EMBEDDING, name: value}]}}, str(value))
            for name, value in [
                ("path", "v"),
                ("dataType", "float33"),
                ("dimensions", 8000),
                ("dimensions", -1),
                ("distanceFunction", "by hand"),
            ]
        ),
        ({"vectorEmbeddingPolicy": [1]}, "list of objects"),
        (with_full_text("/other"), "/other"),
        (with_full_text("/t", defaultLanguage="xx-XX"), "xx-XX"),
        (with_full_text("/t", fullTextPaths=[{"path": "t"}]), "invalid Path: t"),
        ({"computedProperties": {"name": "x"}}, "inputs is invalid"),
        (with_computed(None), "no query"),
        (with_computed("SELECT VALUE c.a FROM c", name="_x"), "named '_x'"),
        (with_computed("SELECT c.a FROM c"), "SELECT VALUE"),
        (with_computed("SELECT VALUE c.a FROM c WHERE c.b"), "SELECT VALUE"),
        (with_computed("SELECT VALUE t FROM t IN c.tags"), "whole document"),
        (with_computed("SELECT VALUE"), "Syntax error"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_the_service_refuses_is_refused_by_name(body: dict[str, Any], said: str) -> None:
    """400, and the message names the value that is wrong."""
    with pytest.raises(CosmosError) as refused:
        make(**body)
    assert refused.value.status == 400
    assert said in refused.value.message


def test_vectors_of_a_container_may_grow_and_not_change() -> None:
    """A replacement may embed and index one more path, and may not alter one that is there."""
    old = definition.complete({"id": "c", "partitionKey": KEY, **with_vector_index()})
    more = {**EMBEDDING, "path": "/w"}
    definition.check_replacement(old, {**old, "vectorEmbeddingPolicy": {"vectorEmbeddings": [EMBEDDING, more]}})
    changed = {**EMBEDDING, "dimensions": 200}
    with pytest.raises(CosmosError, match="existing embedding policy"):
        definition.check_replacement(old, {**old, "vectorEmbeddingPolicy": {"vectorEmbeddings": [changed]}})


async def test_computed_properties_are_queried_like_others(app: Any) -> None:
    """They serve in WHERE, SELECT and ORDER BY, are not part of the document, and come and go with a replacement."""
    container = "dbs/d/colls/c"
    computed = [
        {"name": "lower", "query": "SELECT VALUE LOWER(x.name) FROM x"},
        {"name": "parts", "query": "SELECT VALUE {'first': SUBSTRING(x.name, 0, 1)} FROM x"},
    ]
    body = json.dumps({"id": "c", "partitionKey": KEY, "computedProperties": computed}).encode()
    assert (await app.send("PUT", "colls", container, container, body)).status == 200
    for identifier, name in (("1", "Beta"), ("2", "ALPHA"), ("3", "beta")):
        await app.create({"id": identifier, "pk": "p", "name": name})

    async def found(text: str) -> Any:
        return (await app.query(text)).json()["Documents"]

    assert await found("SELECT VALUE c.id FROM c WHERE c.lower = 'beta' ORDER BY c.id") == ["1", "3"]
    assert await found("SELECT VALUE c.parts.first FROM c WHERE c.lower = 'alpha'") == ["A"]
    assert await found("SELECT VALUE c.id FROM c ORDER BY c.lower DESC") == ["3", "1", "2"]
    assert "lower" not in (await found("SELECT * FROM c WHERE c.id = '1'"))[0]
    without = json.dumps({"id": "c", "partitionKey": KEY}).encode()
    assert (await app.send("PUT", "colls", container, container, without)).status == 200
    assert await found("SELECT VALUE c.id FROM c WHERE c.lower = 'beta'") == []
