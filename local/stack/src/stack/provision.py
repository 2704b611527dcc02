"""Makes the blob containers and queues of the topology where they are missing.

On Azure the deployment makes them; the local Azure starts empty.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys

from azure.core.exceptions import ResourceExistsError
from azure.storage.blob.aio import BlobServiceClient
from azure.storage.queue.aio import QueueServiceClient
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from heliograph import topology


class ProvisionSettings(BaseSettings):
    """Where to make them."""

    model_config = SettingsConfigDict(env_prefix="HELIOGRAPH_", extra="ignore")

    storage_connection_string: SecretStr = Field(description="connection string of the storage account")


async def provision(storage_connection: str) -> None:
    """Makes what is missing; what is there stays as it is."""
    async with BlobServiceClient.from_connection_string(storage_connection) as blobs:
        for name in topology.BLOB_CONTAINERS:
            with contextlib.suppress(ResourceExistsError):
                await blobs.create_container(name)
    async with QueueServiceClient.from_connection_string(storage_connection) as queues:
        for name in topology.QUEUES:
            with contextlib.suppress(ResourceExistsError):
                await queues.create_queue(name)


def main() -> None:
    """Provisions the storage account that the environment names."""
    try:
        settings = ProvisionSettings()
    except ValidationError:
        sys.exit("HELIOGRAPH_STORAGE_CONNECTION_STRING is missing")
    asyncio.run(provision(settings.storage_connection_string.get_secret_value()))


if __name__ == "__main__":
    main()
