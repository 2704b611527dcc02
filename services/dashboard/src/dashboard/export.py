"""Tables as CSV or Parquet. Pure; Parquet takes CPU and is best called off the event loop."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

MEDIA_TYPES = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def to_csv(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    """CSV as in RFC 4180, with a header. A text that a spreadsheet would take for a formula is quoted by `'`."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue().encode()


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else value


def to_parquet(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    """Parquet with one row group; whole numbers and fractions in one column are both taken as doubles."""
    import pyarrow as pa  # type: ignore[import-untyped]  # noqa: PLC0415 - slow to load, and few ask for it
    import pyarrow.parquet as pq  # type: ignore[import-untyped]  # noqa: PLC0415

    arrays = {name: pa.array(_alike([row[place] for row in rows])) for place, name in enumerate(columns)}
    out = io.BytesIO()
    pq.write_table(pa.table(arrays), out, compression="zstd")
    return out.getvalue()


def _alike(values: list[Any]) -> list[Any]:
    """The values of a column in one type."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, float}:
        return [None if value is None else float(value) for value in values]
    return values if len(kinds) <= 1 else [value and str(value) for value in values]
