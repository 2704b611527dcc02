"""Blobs with optimistic concurrency: read with the ETag, write on condition of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import ContentSettings
from azure.storage.blob.aio import BlobServiceClient
from azure.storage.queue.aio import QueueServiceClient

from heliograph import azure_time
from heliograph.credentials import identity
from heliograph.resilience import Guard
from heliograph.settings import ServiceSettings, named

ANY: Final = "*"
"""Write whatever is there."""
ONCE: Final[Mapping[str, Any]] = {"retry_total": 0}
"""The storage's SDK waits 15 s before its first retry and heeds no Retry-After: a `Guard` tries again instead, ..."""
SOON: Final[Mapping[str, Any]] = {"initial_backoff": 1, "increment_base": 2, "random_jitter_range": 1}
"""... and where none is around the calls, the SDK does within seconds."""


class FencedError(RuntimeError):
    """Somebody else wrote the blob since it was read: this process is no longer its owner."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A blob's content with the ETag under which it was read."""

    data: bytes
    etag: str


@asynccontextmanager
async def open_blobs(settings: ServiceSettings, retry: Mapping[str, Any] = ONCE) -> AsyncIterator[BlobServiceClient]:
    """The blob service of the storage account. Its calls are tried once, since they are for a `Guard`, or as `retry`
    has it."""
    options: Any = {"raw_response_hook": azure_time.hear, **retry}
    if settings.storage_connection_string:
        connection = settings.storage_connection_string.get_secret_value()
        with named("STORAGE_CONNECTION_STRING"):
            client = BlobServiceClient.from_connection_string(connection, **options)
    else:
        url = f"https://{settings.storage_account}.blob.core.windows.net"
        client = BlobServiceClient(url, credential=identity(), **options)
    async with client:
        yield client


@asynccontextmanager
async def open_queues(settings: ServiceSettings) -> AsyncIterator[QueueServiceClient]:
    """The queue service of the storage account. Its calls are tried once: they are for a `Guard`."""
    options: Any = ONCE
    if settings.storage_connection_string:
        connection = settings.storage_connection_string.get_secret_value()
        with named("STORAGE_CONNECTION_STRING"):
            client = QueueServiceClient.from_connection_string(connection, **options)
    else:
        url = f"https://{settings.storage_account}.queue.core.windows.net"
        client = QueueServiceClient(url, credential=identity(), **options)
    async with client:
        yield client


class BlobFolder:
    """The blobs of one container, each call guarded."""

    def __init__(self, client: BlobServiceClient, container: str, *, guard: Guard | None = None) -> None:
        self.container = container
        self._client = client.get_container_client(container)
        self._guard = guard or Guard(f"blobs-{container}")

    async def probe(self) -> None:
        """Raises when the container can't be reached or is missing."""
        await self._client.get_container_properties()

    async def get(self, name: str) -> Stored | None:
        """The blob, or None where there is none."""
        return await self._guard(lambda: self._get(name))

    async def _get(self, name: str) -> Stored | None:
        try:
            stream = await self._client.download_blob(name)
            return Stored(await stream.readall(), _bare(stream.properties.etag))
        except ResourceNotFoundError:
            return None

    async def etag(self, name: str) -> str | None:
        """The blob's ETag, or None where there is none: a cheap way to see whether it changed."""

        async def call() -> str | None:
            try:
                return _bare((await self._client.get_blob_client(name).get_blob_properties()).etag)
            except ResourceNotFoundError:
                return None

        return await self._guard(call)

    async def put(
        self,
        name: str,
        data: bytes,
        *,
        etag: str | None,
        content_type: str = "application/octet-stream",
        cache_control: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> str:
        """Writes the blob and returns its new ETag. `etag` is the one it was read under, None if it must not be
        there yet, or `ANY`. Raises `FencedError` when that does not hold.
        """
        blob = self._client.get_blob_client(name)
        condition = _condition(etag)
        content = ContentSettings(content_type=content_type, cache_control=cache_control)

        async def call() -> str:
            answer = await blob.upload_blob(
                data, content_settings=content, metadata=dict(metadata) if metadata else None, **condition
            )
            return _bare(answer["etag"])

        try:
            return await self._guard(call)
        except (ResourceModifiedError, ResourceExistsError, ResourceNotFoundError) as error:
            written = await self.get(name)
            if written is not None and written.data == data:
                return written.etag  # the first attempt had been written, and only its answer was lost
            if getattr(error, "error_code", "") == "ContainerNotFound":
                raise
            raise FencedError(f"{self.container}/{name} was changed by another: {error.message}") from error

    async def delete(self, name: str, *, etag: str = ANY) -> None:
        """Removes the blob if it is there. Raises `FencedError` if it is not the one that was read under `etag`."""
        condition: Any = {} if etag == ANY else {"etag": etag, "match_condition": MatchConditions.IfNotModified}

        async def call() -> None:
            try:
                await self._client.delete_blob(name, **condition)
            except ResourceNotFoundError:
                return

        try:
            await self._guard(call)
        except ResourceModifiedError as error:
            raise FencedError(f"{self.container}/{name} was changed by another: {error.message}") from error

    async def names(self, prefix: str = "") -> AsyncIterator[str]:
        """The names that begin with the prefix, in order."""

        async def call() -> list[str]:
            return [name async for name in self._client.list_blob_names(name_starts_with=prefix)]

        for name in await self._guard(call):
            yield name


def _condition(etag: str | None) -> dict[str, Any]:
    if etag is None:
        return {"overwrite": False}
    if etag == ANY:
        return {"overwrite": True}
    return {"overwrite": True, "etag": etag, "match_condition": MatchConditions.IfNotModified}


def _bare(etag: str) -> str:
    return etag.strip('"')
