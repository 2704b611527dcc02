"""Reads the container of uploads, and lists containers page by page."""

from __future__ import annotations

from azure.core import MatchConditions
from azure.core.exceptions import ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import BlobProperties
from azure.storage.blob.aio import BlobServiceClient, ContainerClient

from heliograph.resilience import Guard
from thumbnailer.comparison import Listed, Page
from thumbnailer.photos import Upload


class Uploads:
    """The uploaded photos, each call guarded."""

    def __init__(self, client: BlobServiceClient, container: str) -> None:
        self.container = container
        self._client = client.get_container_client(container)
        self._guard = Guard(f"blobs-{container}")

    async def probe(self) -> None:
        """Raises when the container can't be reached or is missing."""
        await self._client.get_container_properties()

    async def stat(self, name: str) -> Upload | None:
        """What the storage says about a photo now; None when it is gone."""

        async def call() -> BlobProperties | None:
            try:
                return await self._client.get_blob_client(name).get_blob_properties()
            except ResourceNotFoundError:
                return None

        found = await self._guard(call)
        if found is None:
            return None
        return Upload(name=name, etag=found.etag.strip('"'), size=found.size, modified=found.last_modified)

    async def fetch(self, upload: Upload) -> bytes | None:
        """The photo's bytes; None when it is no longer the one that was looked at."""

        async def call() -> bytes | None:
            try:
                stream = await self._client.download_blob(
                    upload.name, etag=f'"{upload.etag}"', match_condition=MatchConditions.IfNotModified
                )
                return await stream.readall()
            except (ResourceModifiedError, ResourceNotFoundError):
                return None

        return await self._guard(call)


class Listing:
    """Lists a container page by page."""

    def __init__(self, client: BlobServiceClient, container: str, page_size: int) -> None:
        self.container = container
        self._client: ContainerClient = client.get_container_client(container)
        self._guard = Guard(f"blobs-{container}")
        self._page_size = page_size

    async def page(self, prefix: str, token: str) -> Page:
        """The page that the token leads to; the first one for an empty token."""
        return await self._guard(lambda: self._page(prefix, token))

    async def _page(self, prefix: str, token: str) -> Page:
        pages = self._client.list_blobs(
            name_starts_with=prefix or None, include=["metadata"], results_per_page=self._page_size
        ).by_page(continuation_token=token or None)
        async for page in pages:
            blobs = [_listed(blob) async for blob in page]
            return Page(blobs, pages.continuation_token or "")  # type: ignore[attr-defined]
        return Page([], "")


def _listed(blob: BlobProperties) -> Listed:
    return Listed(blob.name, blob.etag.strip('"'), blob.size, blob.last_modified, blob.metadata or {})
