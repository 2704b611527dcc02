"""CSV and Parquet files, on disk, in a blob container or behind an address, described by a mapping file.

A file is read again when it changes; rows that were there before are known and dropped.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from heliograph.sites import Site
from ingest.observations import parsed
from ingest.sources.declaration import Answer, AnswerError, Request
from ingest.sources.http_json import declaration_of, with_auth
from ingest.sources.mapping import MappingFile, RowReader

CENTURY_S = 100 * 365 * 86_400.0
"""A file is read as a whole, however old its rows are."""


class Table:
    """One file."""

    def __init__(self, mapping: MappingFile, secret: str = "") -> None:
        """Raises `ingest.sources.mapping.MappingError`."""
        self.declaration = replace(declaration_of(mapping), window_s=CENTURY_S)
        self._mapping = mapping
        self._secret = secret
        self._reader = RowReader(mapping, self.declaration.name)

    def sites(self) -> Sequence[Site]:
        """None of its own."""
        return ()

    def request(self, since: datetime, now: datetime) -> Sequence[Request]:
        """The file."""
        return [with_auth(self._mapping, self._secret, self._mapping.url)]

    def parse(self, body: bytes, request: Request) -> Answer:
        """All rows."""
        columns, rows = _csv_rows(body) if self._mapping.kind == "csv" else _parquet_rows(body, request)
        if missing := [one for one in self._reader.paths if one not in columns]:
            raise AnswerError(f"{self._mapping.name}: the file has no column {', '.join(map(repr, missing))}")
        return Answer(parsed(self._reader.read(rows)))


Columns = Sequence[str]


def _csv_rows(body: bytes) -> tuple[Columns, Iterable[dict[str, Any]]]:
    try:
        reader = csv.DictReader(io.StringIO(body.decode("utf-8-sig")), strict=True)
        return reader.fieldnames or (), list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise AnswerError(f"the file is no CSV in UTF-8: {error}") from None


def _parquet_rows(body: bytes, request: Request) -> tuple[Columns, Iterable[dict[str, Any]]]:
    try:
        import pyarrow.lib  # type: ignore[import-untyped]  # noqa: PLC0415 - a heavy extra
        import pyarrow.parquet  # type: ignore[import-untyped]  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise AnswerError("Parquet needs pyarrow: install heliograph-ingest[parquet]") from error
    try:
        table = pyarrow.parquet.read_table(io.BytesIO(body))
        return table.column_names, table.to_pylist()
    except (pyarrow.lib.ArrowInvalid, OSError) as error:
        raise AnswerError(f"{request.label} is no Parquet: {error}") from None
