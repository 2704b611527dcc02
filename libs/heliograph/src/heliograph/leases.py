"""A lock among replicas: the lease of a blob, with the time until which it surely holds."""

from __future__ import annotations

import time

from azure.core.exceptions import HttpResponseError, ResourceExistsError
from azure.storage.blob.aio import BlobClient, BlobLeaseClient, BlobServiceClient

from heliograph.resilience import Guard

MIN_LEASE_S, MAX_LEASE_S = 15, 60
"""What blob storage allows."""


class LeaseLostError(RuntimeError):
    """The lease ran out, or another took it: its former owner must stop."""


class BlobLease:
    """One lock. Its holder must renew it well before `duration_s` is over, and ask `is_held` before it acts."""

    def __init__(self, client: BlobServiceClient, container: str, name: str, *, duration_s: int = 30) -> None:
        self._blob: BlobClient = client.get_blob_client(container, name)
        self._duration_s = min(max(duration_s, MIN_LEASE_S), MAX_LEASE_S)
        self._lease: BlobLeaseClient | None = None
        self._until_s = 0.0
        self._guard = Guard(f"lease-{name}", timeout_s=10, attempts=2)

    @property
    def is_held(self) -> bool:
        """Whether nobody else can hold the lease now, by this process's own monotonic clock."""
        return self._lease is not None and time.monotonic() < self._until_s

    async def try_acquire(self) -> bool:
        """Takes the lease if it is free."""
        lease = BlobLeaseClient(self._blob)
        asked_at_s = time.monotonic()
        try:
            await self._guard(lambda: lease.acquire(lease_duration=self._duration_s))
        except HttpResponseError as error:
            if error.status_code == 404:
                await self._create()
                return await self.try_acquire()
            if error.status_code == 409:
                return False
            raise
        self._lease, self._until_s = lease, asked_at_s + self._duration_s
        return True

    async def renew(self) -> None:
        """Holds it for another `duration_s`. Raises `LeaseLostError`."""
        lease = self._lease
        if lease is None:
            raise LeaseLostError(f"{self._blob.blob_name} is not held")
        asked_at_s = time.monotonic()
        try:
            await self._guard(lease.renew)
        except HttpResponseError as error:
            if error.status_code not in (404, 409, 412):
                raise
            self._lease = None
            raise LeaseLostError(f"{self._blob.blob_name} was taken: {error.reason}") from error
        self._until_s = asked_at_s + self._duration_s

    async def release(self) -> None:
        """Gives it back, if it is still held."""
        lease, self._lease = self._lease, None
        if lease is None:
            return
        try:
            await self._guard(lease.release)
        except HttpResponseError as error:
            if error.status_code not in (404, 409, 412):
                raise

    async def _create(self) -> None:
        try:
            await self._guard(lambda: self._blob.upload_blob(b"", overwrite=False))
        except ResourceExistsError:
            return
