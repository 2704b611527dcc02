"""What is known of a schedule across restarts and replicas: one blob each, written on condition of its ETag.

The token grows with each change of owner. A former owner that wakes up late finds the blob changed, and is fenced.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import msgspec

from heliograph.blobs import BlobFolder


class Status(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All times UTC."""

    source: str
    schedule: str = ""
    """Expression and time zone by which `next_due` was planned."""
    token: int = 0
    owner: str = ""
    last_due: datetime | None = None
    last_start: datetime | None = None
    last_end: datetime | None = None
    last_success: datetime | None = None
    last_result: str = ""
    """`ok`, `error`, `quota`; `paced`: nothing was asked, so that the quota lasts; `stopped`: cut off by a shutdown."""
    last_error: str = ""
    past_due: bool = False
    """Whether the last run was the catch-up for missed ones."""
    next_due: datetime | None = None
    runs: int = 0
    failures: int = 0
    """In a row."""
    cursor: datetime | None = None
    """Up to here the source's data is in the hub."""
    state: dict[str, str] = {}
    """What the source itself wants to find again, e.g. used quota, ETags of files."""


@dataclass(slots=True)
class StatusBlob:
    """The status of one source, as its owner holds it."""

    folder: BlobFolder
    source: str
    etag: str | None = None

    @property
    def name(self) -> str:
        """Of the blob."""
        return f"status/{self.source}.json"

    async def read(self) -> Status:
        """The stored status, or an empty one. A blob that can't be understood counts as empty."""
        stored = await self.folder.get(self.name)
        self.etag = stored.etag if stored else None
        if stored is None:
            return Status(source=self.source)
        try:
            return msgspec.json.decode(stored.data, type=Status)
        except msgspec.DecodeError:
            return Status(source=self.source)

    async def write(self, status: Status) -> None:
        """Raises `heliograph.blobs.FencedError` when another owner has written since."""
        data = msgspec.json.encode(status)
        self.etag = await self.folder.put(self.name, data, etag=self.etag, content_type="application/json")
