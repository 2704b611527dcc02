"""The dead letters: list them, show one, send its original to the hub again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob.aio import ContainerClient

from heliograph import topology
from heliograph.blobs import SOON, open_blobs
from heliograph.contracts import Reading
from heliograph.dead_letters import REPLAYED, DeadLetter, parse_dead_letters
from heliograph.hub import producer_client
from heliograph.settings import ServiceSettings
from heliograph.wire import MalformedError, readings_codec, to_event

HUBS = frozenset(topology.CONSUMER_GROUPS)


class LetterError(ValueError):
    """The letter is missing or can't be sent again; the text says why."""


@dataclass(frozen=True, slots=True)
class Box:
    """The letters of one blob."""

    name: str
    letters: list[DeadLetter]
    data: bytes
    """The blob as it is."""


async def boxes(settings: ServiceSettings, prefix: str = "") -> AsyncIterator[Box]:
    """All blobs of letters whose names begin with the prefix, in order; those that were sent again only if the prefix
    asks for them."""
    async with _container(settings) as container:
        async for name in container.list_blob_names(name_starts_with=prefix):
            if name.startswith(REPLAYED) and not prefix.startswith(REPLAYED):
                continue
            data = await (await container.download_blob(name)).readall()
            yield Box(name, parse_dead_letters(data), data)


async def box(settings: ServiceSettings, name: str) -> Box:
    """One blob of letters. Raises `LetterError` where there is none."""
    async with _container(settings) as container:
        try:
            data = await (await container.download_blob(name)).readall()
        except ResourceNotFoundError:
            raise LetterError(f"there is no dead letter {name!r}; `heliograph dead-letters list` shows all") from None
    return Box(name, parse_dead_letters(data), data)


async def replay(settings: ServiceSettings, name: str) -> int:
    """Sends the originals of a blob to the hub they came from, then moves the blob aside, so that `verify` still knows
    what was refused; how many were sent.

    Raises `LetterError` for letters that did not come from a hub.
    """
    found = await box(settings, name)
    hub = found.letters[0].source
    if hub not in HUBS:
        raise LetterError(f"{name} came from {hub!r}, no hub; only letters from {' and '.join(sorted(HUBS))} go back")
    async with producer_client(settings, hub) as client:
        for letter in found.letters:
            await client.send_batch([to_event(letter.original)], partition_key=_key(letter))
    if not name.startswith(REPLAYED):
        async with _container(settings) as container:
            await container.upload_blob(f"{REPLAYED}{name}", found.data, overwrite=True)
            await container.delete_blob(name)
    return len(found.letters)


def _key(letter: DeadLetter) -> str:
    """The partition key under which its order holds: the plant's shard, as far as the letter can be read."""
    try:
        messages = readings_codec.decode(letter.original).messages
    except MalformedError:
        messages = []
    plants = [one.plant_id for one in messages if isinstance(one, Reading)]
    return topology.shard_of(plants[0]) if plants else f"p{letter.partition}"


@asynccontextmanager
async def _container(settings: ServiceSettings) -> AsyncIterator[ContainerClient]:
    async with open_blobs(settings, SOON) as client:
        yield client.get_container_client(topology.DEAD_LETTERS)
