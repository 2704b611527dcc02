from datetime import UTC, datetime
from uuid import uuid4

import pytest
from azure.storage.blob import BlobServiceClient
from pydantic import SecretStr

from heliograph.blobs import ANY, BlobFolder, FencedError, open_blobs
from heliograph.contracts import Name
from heliograph.dead_letters import DeadLetter, DeadLetters, parse_dead_letters
from heliograph.settings import ServiceSettings
from heliograph.sites import Site, SiteBook, publish_sites

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
