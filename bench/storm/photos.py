"""Photos dropped all through the storm, every third of them broken: in the end each has thumbnails or a reason."""

from __future__ import annotations

import asyncio
import io
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from azure.core.exceptions import AzureError
from azure.storage.blob.aio import BlobServiceClient
from azure.storage.queue.aio import QueueServiceClient
from PIL import Image

from bench.storm.stack import Stack
from heliograph.topology import POISON_SUFFIX, RECEIPTS, THUMBNAILS, UPLOADS, UPLOADS_QUEUE

EVERY_S = 4.0
BROKEN = 3
"""One of so many."""


@dataclass(slots=True)
class Dropper:
    """Uploads photos until told to stop, each again until the storage has taken it."""

    stack: Stack
    seed: int
    good: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    async def run(self, stopping: asyncio.Event) -> None:
        """A photo every few seconds."""
        dice = random.Random(self.seed)
        number = 0
        while not stopping.is_set():
            bad = number % BROKEN == BROKEN - 1
            name = f"photographed-{number % 7}/{number:04d}.jpg"
            await self._upload(name, _broken(dice) if bad else _photo(dice))
            (self.broken if bad else self.good).append(name)
            number += 1
            await asyncio.sleep(EVERY_S)

    async def _upload(self, name: str, data: bytes) -> None:
        while True:
            try:
                async with BlobServiceClient.from_connection_string(self.stack.storage, retry_total=0) as client:
                    await client.get_blob_client(UPLOADS, name).upload_blob(data, overwrite=True, timeout=5)
            except (AzureError, OSError):
                await asyncio.sleep(1)
            else:
                return


def _photo(dice: random.Random) -> bytes:
    image = Image.new("RGB", (320, 240), (dice.randrange(256), dice.randrange(256), dice.randrange(256)))
    image.paste((dice.randrange(256), 0, 255), (40, 40, 200, 160))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=80)
    return out.getvalue()


def _broken(dice: random.Random) -> bytes:
    return _photo(dice)[: dice.randrange(30, 200)]


async def faults(stack: Stack, dropper: Dropper, documents: Sequence[Mapping[str, Any]]) -> list[str]:
    """A sentence for each photo that has neither thumbnails and a document nor a reason; empty when all is done."""
    async with BlobServiceClient.from_connection_string(stack.storage) as client:
        thumbnails = {name async for name in client.get_container_client(THUMBNAILS).list_blob_names()}
        receipts = client.get_container_client(RECEIPTS)
        filed = {
            name.partition("/")[2]: msgspec.json.decode(await (await receipts.download_blob(name)).readall())
            async for name in receipts.list_blob_names(name_starts_with="thumbnailer/")
        }
    poisoned = await _poison(stack)
    known: dict[str, list[Mapping[str, Any]]] = {}
    for document in documents:
        known.setdefault(document["blob"], []).append(document)
    said = [_judge(name, filed.get(name, {}), known.get(name, []), thumbnails) for name in dropper.good]
    said += [_judge_broken(name, filed.get(name, {}), poisoned) for name in dropper.broken]
    return [one for one in said if one]


def _judge(name: str, receipt: Mapping[str, Any], documents: Sequence[Mapping[str, Any]], there: set[str]) -> str:
    if receipt.get("state") != "done":
        return f"{name}: its receipt says {receipt.get('state', 'nothing')}"
    if len(documents) != 1:
        return f"{name}: {len(documents)} documents"
    missing = [one["blob"] for one in documents[0]["thumbnails"] if one["blob"] not in there]
    if missing or not documents[0]["thumbnails"]:
        return f"{name}: no thumbnails {missing}"
    return ""


def _judge_broken(name: str, receipt: Mapping[str, Any], poisoned: Mapping[str, str]) -> str:
    if receipt.get("state") != "poison" or not receipt.get("reason"):
        return f"{name}: broken, and its receipt says {receipt.get('state', 'nothing')} {receipt.get('reason', '')}"
    return "" if poisoned.get(name) else f"{name}: broken, and not in the poison queue"


async def _poison(stack: Stack) -> dict[str, str]:
    """Blob → reason."""
    found: dict[str, str] = {}
    async with QueueServiceClient.from_connection_string(stack.storage) as client:
        queue = client.get_queue_client(UPLOADS_QUEUE + POISON_SUFFIX)
        async for message in queue.receive_messages(messages_per_page=32, visibility_timeout=300):
            said = msgspec.json.decode(message.content)
            found[said["BlobName"]] = said["Reason"]
    return found
