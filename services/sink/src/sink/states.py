"""The plants' latest states in Cosmos DB, one document a cell, kept at hand so that a write needs no read before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from azure.core.exceptions import HttpResponseError

from heliograph.storage import LATEST
from sink.latest import LATEST_ID, Rows, latest_document, merged
from sink.store import LOST_RACE, Store, write_over


@dataclass(frozen=True, slots=True)
class _Known:
    """A cell's document as this process last saw it; without an ETag it is not there yet."""

    rows: Rows = field(default_factory=dict)
    etag: str | None = None


class LatestStates:
    """Writes on condition of the ETag: where another replica wrote meanwhile, its rows are merged, never lost."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._cells: dict[str, _Known] = {}

    async def merge(self, cell: str, fresh: Mapping[str, Sequence[Any]]) -> None:
        """Merges the newest rows of plants into their cell's document; never an older over a newer one."""
        while True:
            known = self._cells.get(cell) or await self._read(cell)
            rows = merged(known.rows, fresh)
            if rows == known.rows:
                return
            try:
                operation = write_over(known.etag, latest_document(cell, rows))
                [answer] = await self._store.batch(LATEST, cell, [operation])
            except HttpResponseError as error:
                if error.status_code not in LOST_RACE:
                    raise
                self._cells.pop(cell, None)
            else:
                self._cells[cell] = _Known(rows, answer["eTag"])
                return

    async def _read(self, cell: str) -> _Known:
        document = await self._store.read(LATEST, LATEST_ID, cell)
        return _Known(document["rows"], document["_etag"]) if document else _Known()
