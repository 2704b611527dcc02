"""Containers: keys, time to live, change feed, throughput, access; through the official Python SDKs."""

import asyncio
import datetime
from typing import Any

import pytest
from azure.cosmos import CosmosClient, PartitionKey, ThroughputProperties, exceptions
from azure.cosmos._retry_options import RetryOptions
from azure.cosmos.documents import ConnectionPolicy


async def test_containers_are_made_once_and_found_again(cosmos: Any) -> None:
    """Create, create again, list, read, replace and delete."""
    container = await cosmos.container(default_ttl=60)
    with pytest.raises(exceptions.CosmosResourceExistsError):
        await cosmos.call(cosmos.database.create_container, container.id, PartitionKey("/pk"))
    assert [one["id"] for one in await cosmos.all(cosmos.database.list_containers())] == [container.id]
    await cosmos.call(cosmos.database.replace_container, container.id, PartitionKey("/pk"), default_ttl=120)
    assert (await cosmos.call(container.read))["defaultTtl"] == 120
    with pytest.raises(exceptions.CosmosHttpResponseError):
        await cosmos.call(cosmos.database.replace_container, container.id, PartitionKey("/other"))
    await cosmos.call(cosmos.database.delete_container, container.id)
    with pytest.raises(exceptions.CosmosResourceNotFoundError):
        await cosmos.call(container.read)


async def test_hierarchical_keys_are_queried_by_prefix(cosmos: Any) -> None:
    """A prefix of the key reaches all that lies under it, and nothing else."""
    container = await cosmos.container(["/region", "/plant"])
    documents = [{"id": f"{r}{p}{n}", "region": r, "plant": p} for r in "ab" for p in "xy" for n in range(3)]
    await cosmos.add(container, *documents)
    assert len(await cosmos.query(container, "SELECT * FROM c", partition_key=["a"])) == 6
    assert len(await cosmos.query(container, "SELECT * FROM c", partition_key=["a", "x"])) == 3
    assert (await cosmos.call(container.read_item, "bx1", ["b", "x"]))["plant"] == "x"
    unscoped = await cosmos.all(container.query_items("SELECT VALUE c.id FROM c WHERE c.region = 'b'"))
    assert sorted(unscoped) == ["bx0", "bx1", "bx2", "by0", "by1", "by2"]
    changes = await cosmos.all(container.query_items_change_feed(partition_key=["a"], start_time="Beginning"))
    assert len(changes) == 6


async def test_unique_keys_hold_within_a_partition(cosmos: Any) -> None:
    """A second document with the same values is a conflict; in another partition it is not."""
    policy = {"uniqueKeys": [{"paths": ["/serial", "/site/code"]}]}
    container = await cosmos.container(unique_key_policy=policy)
    await cosmos.add(container, {"id": "1", "pk": "a", "serial": 7, "site": {"code": "k"}})
    with pytest.raises(exceptions.CosmosResourceExistsError):
        await cosmos.add(container, {"id": "2", "pk": "a", "serial": 7, "site": {"code": "k"}})
    await cosmos.add(container, {"id": "2", "pk": "b", "serial": 7, "site": {"code": "k"}})
    await cosmos.add(container, {"id": "3", "pk": "a", "serial": 7, "site": {"code": "other"}})


async def test_documents_end_with_their_time_to_live(cosmos: Any) -> None:
    """An item's own ttl beats the container's; what has ended is not read, queried or in the way of a new one."""
    container = await cosmos.container(default_ttl=-1)
    await cosmos.add(container, {"id": "1", "pk": "a", "ttl": 1}, {"id": "2", "pk": "a"})

    async def is_gone() -> bool:
        return await cosmos.query(container, "SELECT VALUE c.id FROM c", partition_key="a") == ["2"]

    async with asyncio.timeout(20):
        while not await is_gone():
            await asyncio.sleep(0.1)
    with pytest.raises(exceptions.CosmosResourceNotFoundError):
        await cosmos.call(container.read_item, "1", "a")
    await cosmos.add(container, {"id": "1", "pk": "a"})


async def test_the_change_feed_gives_each_document_as_it_is_now(cosmos: Any) -> None:
    """From the beginning, from now, from a time, from a continuation, and by partition."""
    container = await cosmos.container()
    await cosmos.add(container, *({"id": f"{n}", "pk": f"p{n % 2}", "n": n} for n in range(6)))
    await cosmos.call(container.upsert_item, {"id": "0", "pk": "p0", "n": 100})
    whole = container.query_items_change_feed(start_time="Beginning")
    assert [change["n"] for change in await cosmos.all(whole)] == [1, 2, 3, 4, 5, 100]
    etag = container.client_connection.last_response_headers["etag"]
    odd = container.query_items_change_feed(partition_key="p1", start_time="Beginning")
    assert [change["n"] for change in await cosmos.all(odd)] == [1, 3, 5]
    assert await cosmos.all(container.query_items_change_feed(start_time="Now")) == []
    tomorrow = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)
    assert await cosmos.all(container.query_items_change_feed(start_time=tomorrow)) == []
    await cosmos.call(container.upsert_item, {"id": "9", "pk": "p1", "n": 9})
    more = container.query_items_change_feed(continuation=etag)
    assert [change["n"] for change in await cosmos.all(more)] == [9]
    paged = container.query_items_change_feed(start_time="Beginning", max_item_count=2).by_page()
    assert [change["n"] for page in await cosmos.pages(paged) for change in page] == [1, 2, 3, 4, 5, 100, 9]


async def test_the_feed_of_all_versions_tells_what_was_done(cosmos: Any) -> None:
    """Creates, replacements, deletes and ends of life from now on, each once, also by partition."""
    mode = {"mode": "AllVersionsAndDeletes"}
    container = await cosmos.container(default_ttl=-1, change_feed_policy={"retentionDuration": 10})
    assert await cosmos.all(container.query_items_change_feed(**mode)) == []
    place = container.client_connection.last_response_headers["etag"]
    await cosmos.add(container, {"id": "1", "pk": "a", "n": 1}, {"id": "2", "pk": "b", "ttl": 1})
    await cosmos.call(container.upsert_item, {"id": "1", "pk": "a", "n": 2})
    await cosmos.call(container.delete_item, "1", "a")

    async def seen() -> list[tuple[Any, ...]]:
        feed = await cosmos.all(container.query_items_change_feed(continuation=place, **mode))
        told = [(entry["metadata"]["operationType"], entry["current"].get("n"), entry["metadata"]) for entry in feed]
        return [(kind, n, metadata.get("id"), metadata.get("timeToLiveExpired")) for kind, n, metadata in told]

    expected = [
        ("create", 1, None, None),
        ("create", None, None, None),
        ("replace", 2, None, None),
        ("delete", None, "1", False),
    ]
    assert (await seen())[:4] == expected
    async with asyncio.timeout(20):
        while len(await seen()) < 5:
            await asyncio.sleep(0.1)
    assert (await seen())[4:] == [("delete", None, "2", True)]


async def test_throughput_is_read_and_replaced(cosmos: Any) -> None:
    """By hand and by autoscale; what the service would not take is refused."""
    container = await cosmos.container(offer_throughput=500)
    assert (await cosmos.call(container.get_throughput)).offer_throughput == 500
    assert (await cosmos.call(container.replace_throughput, 600)).offer_throughput == 600
    with pytest.raises(exceptions.CosmosHttpResponseError):
        await cosmos.call(container.replace_throughput, 450)
    scaled = await cosmos.container(offer_throughput=ThroughputProperties(auto_scale_max_throughput=2000))
    assert (await cosmos.call(scaled.get_throughput)).auto_scale_max_throughput == 2000


async def test_a_used_up_budget_is_429(cosmos: Any, connection_string: str) -> None:
    """Past the provisioned RU/s requests are refused, with the milliseconds to wait; a patient SDK goes through."""
    container = await cosmos.container(offer_throughput=400)
    batch = [("upsert", ({"id": f"{number}", "pk": "a", "x": ["y"] * 200},)) for number in range(20)]
    policy = ConnectionPolicy()
    policy.RetryOptions = RetryOptions(max_retry_attempt_count=0)
    fields = dict(part.split("=", 1) for part in connection_string.rstrip(";").split(";"))
    with CosmosClient(
        fields["AccountEndpoint"], fields["AccountKey"], connection_policy=policy, enable_endpoint_discovery=False
    ) as impatient:
        writer = impatient.get_database_client(cosmos.database.id).get_container_client(container.id)
        writer.execute_item_batch(batch, "a")
        with pytest.raises(exceptions.CosmosHttpResponseError) as throttled:
            writer.execute_item_batch(batch, "a")
    assert throttled.value.status_code == 429
    assert int(throttled.value.headers["x-ms-retry-after-ms"]) > 0
    await cosmos.call(container.upsert_item, {"id": "patient", "pk": "a"})


async def test_a_wrong_key_is_401(cosmos: Any, connection_string: str) -> None:
    """The signature is verified."""
    endpoint = connection_string.partition(";")[0].removeprefix("AccountEndpoint=")
    wrong = "d3Jvbmcga2V5IHdyb25nIGtleSB3cm9uZyBrZXkgd3Jvbmcga2V5"
    with pytest.raises(exceptions.CosmosHttpResponseError) as refused:
        CosmosClient(endpoint, wrong, enable_endpoint_discovery=False)
    assert refused.value.status_code == 401


async def test_many_documents_are_read_at_once(cosmos: Any) -> None:
    """read_items finds each, however many partitions they lie in."""
    container = await cosmos.container()
    await cosmos.add(container, *({"id": f"{n}", "pk": f"p{n}"} for n in range(12)))
    found = await cosmos.call(container.read_items, [(f"{n}", f"p{n}") for n in range(12)])
    assert sorted(int(document["id"]) for document in found) == list(range(12))
