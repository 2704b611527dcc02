"""Single documents and batches, through the official Python SDKs."""

from typing import Any

import pytest
from azure.core import MatchConditions
from azure.cosmos import exceptions


def _own(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if not name.startswith("_")}


async def test_a_document_is_read_as_it_was_written(cosmos: Any) -> None:
    """Create, read, upsert, replace and delete give back exactly the document, and 404 and 409 where due."""
    container = await cosmos.container()
    document = {
        "id": "1",
        "pk": "a",
        "n": 1.5,
        "none": None,
        "text": '발전소 "é" \n',
        "list": [1, {"x": True}],
        "o": {},
    }
    created = await cosmos.call(container.create_item, document)
    assert _own(created) == document
    assert {"_rid", "_self", "_etag", "_ts"} <= set(created)
    assert await cosmos.call(container.read_item, "1", "a") == created
    with pytest.raises(exceptions.CosmosResourceExistsError):
        await cosmos.call(container.create_item, document)
    upserted = await cosmos.call(container.upsert_item, {**document, "n": 2})
    assert upserted["n"] == 2
    assert upserted["_etag"] != created["_etag"]
    assert upserted["_rid"] == created["_rid"]
    replaced = await cosmos.call(container.replace_item, "1", {"id": "1", "pk": "a"})
    assert _own(replaced) == {"id": "1", "pk": "a"}
    await cosmos.call(container.delete_item, "1", "a")
    with pytest.raises(exceptions.CosmosResourceNotFoundError):
        await cosmos.call(container.read_item, "1", "a")
    with pytest.raises(exceptions.CosmosResourceNotFoundError):
        await cosmos.call(container.delete_item, "1", "a")


async def test_one_id_lives_once_in_each_partition(cosmos: Any) -> None:
    """The id is unique within a partition key, not within the container."""
    container = await cosmos.container()
    await cosmos.add(
        container, {"id": "1", "pk": "a"}, {"id": "1", "pk": "b"}, {"id": "1", "pk": 1}, {"id": "1", "pk": None}
    )
    assert (await cosmos.call(container.read_item, "1", "b"))["pk"] == "b"
    assert (await cosmos.call(container.read_item, "1", 1))["pk"] == 1


async def test_conditions_guard_writes(cosmos: Any) -> None:
    """A write with an old etag is refused with 412 and changes nothing."""
    container = await cosmos.container()
    first = await cosmos.call(container.create_item, {"id": "1", "pk": "a", "n": 1})
    await cosmos.call(container.upsert_item, {"id": "1", "pk": "a", "n": 2})
    stale = {"etag": first["_etag"], "match_condition": MatchConditions.IfNotModified}
    with pytest.raises(exceptions.CosmosAccessConditionFailedError):
        await cosmos.call(container.replace_item, "1", {"id": "1", "pk": "a", "n": 3}, **stale)
    with pytest.raises(exceptions.CosmosAccessConditionFailedError):
        await cosmos.call(container.delete_item, "1", "a", **stale)
    assert (await cosmos.call(container.read_item, "1", "a"))["n"] == 2


async def test_patch_changes_paths_when_its_condition_holds(cosmos: Any) -> None:
    """add, set, replace, remove, incr and move work on paths; a condition that fails gives 412."""
    container = await cosmos.container()
    await cosmos.add(container, {"id": "1", "pk": "a", "n": 1, "tags": ["x"], "old": 5, "o": {"p": 1}})
    patched = await cosmos.call(
        container.patch_item,
        "1",
        "a",
        [
            {"op": "incr", "path": "/n", "value": 2},
            {"op": "add", "path": "/tags/0", "value": "first"},
            {"op": "set", "path": "/o/q", "value": [1]},
            {"op": "replace", "path": "/o/p", "value": 7},
            {"op": "move", "from": "/old", "path": "/new"},
            {"op": "remove", "path": "/tags/1"},
        ],
        filter_predicate="FROM c WHERE c.n = 1",
    )
    assert _own(patched) == {"id": "1", "pk": "a", "n": 3, "tags": ["first"], "o": {"p": 7, "q": [1]}, "new": 5}
    with pytest.raises(exceptions.CosmosAccessConditionFailedError):
        await cosmos.call(
            container.patch_item,
            "1",
            "a",
            [{"op": "incr", "path": "/n", "value": 1}],
            filter_predicate="FROM c WHERE c.n = 1",
        )
    for wrong in ({"op": "replace", "path": "/nowhere", "value": 1}, {"op": "incr", "path": "/tags", "value": 1}):
        with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
            await cosmos.call(container.patch_item, "1", "a", [wrong])
        assert refused.value.status_code == 400


async def test_a_batch_is_all_or_nothing(cosmos: Any) -> None:
    """A batch answers each operation; one failure gives 424 to all others and leaves nothing behind."""
    container = await cosmos.container()
    results = await cosmos.call(
        container.execute_item_batch,
        [
            ("create", ({"id": "1", "pk": "a"},)),
            ("upsert", ({"id": "2", "pk": "a", "n": 1},)),
            ("patch", ("2", [{"op": "incr", "path": "/n", "value": 1}])),
            ("read", ("2",)),
            ("delete", ("1",)),
        ],
        "a",
    )
    assert [result["statusCode"] for result in results] == [201, 201, 200, 200, 204]
    assert results[3]["resourceBody"]["n"] == 2
    with pytest.raises(exceptions.CosmosBatchOperationError) as failed:
        await cosmos.call(
            container.execute_item_batch,
            [("upsert", ({"id": "3", "pk": "a"},)), ("create", ({"id": "2", "pk": "a"},)), ("delete", ("2",))],
            "a",
        )
    assert [result["statusCode"] for result in failed.value.operation_responses] == [424, 409, 424]
    assert await cosmos.query(container, "SELECT VALUE c.id FROM c", partition_key="a") == ["2"]


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
async def test_limits_are_the_services(cosmos: Any) -> None:
    """Over 100 operations, 2 MB, or 2 KB of key, or a ttl of 0: refused as the service refuses."""
    container = await cosmos.container()
    big = [("create", ({"id": f"{number}", "pk": "a"},)) for number in range(101)]
    refusals = [
        (400, container.execute_item_batch, (big, "a")),
        (413, container.create_item, ({"id": "1", "pk": "a", "x": "y" * 2_100_000},)),
        (400, container.create_item, ({"id": "1", "pk": "k" * 2_100},)),
        (400, container.create_item, ({"id": "1", "pk": "a", "ttl": 0},)),
    ]
    for status, function, arguments in refusals:
        with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
            await cosmos.call(function, *arguments)
        assert refused.value.status_code == status, arguments


async def test_charges_follow_the_published_costs(cosmos: Any) -> None:
    """1 RU to read 1 KB; to write it, 6 with nothing indexed, about 8 selectively, about 19 with everything."""
    document = {"id": "1", "pk": "a", **{f"field{number:02}": "x" * 34 for number in range(17)}}
    selective = {"includedPaths": [{"path": "/field00/?"}, {"path": "/pk/?"}], "excludedPaths": [{"path": "/*"}]}
    charges = {}
    for name, policy in (("none", {"indexingMode": "none"}), ("some", selective), ("all", None)):
        container = await cosmos.container(indexing_policy=policy)
        seen: list[Any] = []
        await cosmos.call(
            container.create_item, document, response_hook=lambda headers, _, seen=seen: seen.append(headers)
        )
        await cosmos.call(
            container.read_item, "1", "a", response_hook=lambda headers, _, seen=seen: seen.append(headers)
        )
        charges[name] = [float(headers["x-ms-request-charge"]) for headers in seen]
    assert [charges[name][1] for name in charges] == [1.0, 1.0, 1.0]
    assert charges["none"][0] == pytest.approx(6, abs=1)
    assert charges["some"][0] == pytest.approx(8, abs=1.5)
    assert charges["all"][0] == pytest.approx(19, abs=3)
