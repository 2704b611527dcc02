import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from azure.storage.blob import BlobServiceClient
from pydantic import SecretStr

from heliograph.blobs import ANY, BlobFolder, FencedError, open_blobs
from heliograph.contracts import Name
from heliograph.dead_letters import DeadLetter, DeadLetters, parse_dead_letters
from heliograph.hub import checkpoint_store
from heliograph.settings import ServiceSettings
from heliograph.sites import Site, SiteBook, publish_sites
from local_azure.azurite import connection_string

NOON = datetime(2026, 6, 21, 3, tzinfo=UTC)


def settings(connection: str) -> ServiceSettings:
    return ServiceSettings(eventhub_namespace="unused", storage_connection_string=SecretStr(connection))


def site(plant_id: Name, capacity_kw: float = 100.0) -> Site:
    return Site(
        plant_id=plant_id, name=plant_id, region="KR-46", latitude=34.8, longitude=126.9, capacity_kw=capacity_kw
    )


@pytest.fixture
def container(azurite: str) -> str:
    name = f"test-{uuid4().hex[:12]}"
    with BlobServiceClient.from_connection_string(azurite) as client:
        client.create_container(name)
    return name


async def test_a_former_owner_is_fenced(azurite: str, container: str) -> None:
    """Who read a blob before another wrote it can't overwrite it."""
    async with open_blobs(settings(azurite)) as client:
        folder = BlobFolder(client, container)
        first = await folder.put("state", b"1", etag=None)
        second = await folder.put("state", b"2", etag=first)
        with pytest.raises(FencedError, match="changed by another"):
            await folder.put("state", b"other", etag=first)
        with pytest.raises(FencedError):
            await folder.put("state", b"other", etag=None)
        stored = await folder.get("state")
        assert stored is not None
        assert (stored.data, stored.etag) == (b"2", second)


async def test_a_repeated_write_is_no_race(azurite: str, container: str) -> None:
    """When the first answer was lost, the same write again counts as done."""
    async with open_blobs(settings(azurite)) as client:
        folder = BlobFolder(client, container)
        etag = await folder.put("state", b"1", etag=None)
        assert await folder.put("state", b"1", etag=None) == etag


async def test_a_blob_that_changed_is_not_removed(azurite: str, container: str) -> None:
    """Who read a blob before another wrote it can't remove it."""
    async with open_blobs(settings(azurite)) as client:
        folder = BlobFolder(client, container)
        first = await folder.put("state", b"1", etag=None)
        second = await folder.put("state", b"2", etag=first)
        with pytest.raises(FencedError, match="changed by another"):
            await folder.delete("state", etag=first)
        await folder.delete("state", etag=second)
        assert await folder.get("state") is None


BUSY = b"HTTP/1.1 503 Busy\r\nx-ms-error-code: ServerBusy\r\nContent-Length: 0\r\n\r\n"
LISTING = b"<EnumerationResults><Blobs><Blob><Name>one</Name></Blob></Blobs><NextMarker/></EnumerationResults>"
LISTED = b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: %d\r\n\r\n%s" % (len(LISTING), LISTING)


STAMPED = b'HTTP/1.1 200 OK\r\nETag: "0x1"\r\nLast-Modified: Fri, 27 Nov 2026 18:00:00 GMT\r\nContent-Length: 0\r\n\r\n'


@asynccontextmanager
async def storage(*answers: bytes) -> AsyncIterator[ServiceSettings]:
    """The way to a storage that gives these answers, one after another."""
    rest = iter(answers)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for said in rest:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(said)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1") as server:
        port = server.sockets[0].getsockname()[1]
        yield settings(connection_string("127.0.0.1", port, port))


async def test_a_busy_storage_is_asked_again_soon() -> None:
    """After a 503 a listing is tried again by our own backoff, not after the 15 seconds that the SDK would wait."""
    async with asyncio.timeout(5), storage(BUSY, LISTED) as way, open_blobs(way) as client:
        assert [name async for name in BlobFolder(client, "any").names()] == ["one"]


async def test_a_partition_is_claimed_again_soon() -> None:
    """A claim that meets a busy storage is made again well before another replica takes the partition."""
    names = ("fully_qualified_namespace", "eventhub_name", "consumer_group", "partition_id", "owner_id")
    async with asyncio.timeout(5), storage(BUSY, STAMPED) as way, checkpoint_store(way) as store:
        claimed = await store.claim_ownership([dict.fromkeys(names, "x") | {"etag": "0x0"}])
    assert [one["etag"] for one in claimed] == ['"0x1"']


async def test_missing_blobs_are_none(azurite: str, container: str) -> None:
    """Reading or deleting what is not there is no error."""
    async with open_blobs(settings(azurite)) as client:
        folder = BlobFolder(client, container)
        assert await folder.get("nothing") is None
        assert await folder.etag("nothing") is None
        await folder.delete("nothing")


async def test_dead_letters_keep_the_original_bytes(azurite: str, container: str) -> None:
    """A dead letter gives back the bytes, the place and the reason; the same letter twice is one."""
    letter = DeadLetter(
        service="analyzer", reason="malformed", detail="no JSON", source="readings", partition="3", sequence=8812,
        at=NOON, original=b"\xff\x00garbage",
    )  # fmt: skip
    async with open_blobs(settings(azurite)) as client:
        folder = BlobFolder(client, container)
        for _ in range(2):
            await DeadLetters(folder, "analyzer").put([letter])
        names = [name async for name in folder.names()]
        assert names == ["analyzer/readings/3/00000000000000008812-malformed.ndjson"]
        stored = await folder.get(names[0])
        assert stored is not None
        assert parse_dead_letters(stored.data) == [letter]


async def test_site_book_follows_the_registries(azurite: str, container: str) -> None:
    """A published registry is seen, a changed one is read again, a removed one is forgotten."""
    async with open_blobs(settings(azurite)) as client:
        folder, book = BlobFolder(client, container), SiteBook()
        await publish_sites(folder, "fleet", [site("a"), site("b")])
        assert await book.refresh(folder)
        assert not await book.refresh(folder)
        await publish_sites(folder, "fleet", [site("a", 250.0)])
        assert await book.refresh(folder)
        assert (found := book.get("a")) is not None
        assert found.capacity_kw == 250.0
        assert book.get("b") is None
        await folder.delete("fleet.json")
        assert await book.refresh(folder)
        assert not book.all()


async def test_a_broken_registry_keeps_its_last_good_state(azurite: str, container: str) -> None:
    """A registry that can't be read changes nothing until it is mended."""
    async with open_blobs(settings(azurite)) as client:
        folder, book = BlobFolder(client, container), SiteBook()
        await publish_sites(folder, "file", [site("a")])
        await book.refresh(folder)
        await folder.put("file.json", b'[{"plant_id": 3}]', etag=ANY)
        await book.refresh(folder)
        assert book.get("a") is not None
