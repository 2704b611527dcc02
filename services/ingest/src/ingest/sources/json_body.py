"""Reading the JSON of providers: strict about shape, forgiving about single values."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import msgspec

from heliograph.wire import UNREADABLE
from ingest.sources.declaration import AnswerError

_SHOWN = 120


def parse_json(body: bytes) -> Any:  # noqa: ANN401 - any JSON
    """The decoded body. Raises `AnswerError` that says what came in place of JSON."""
    start = body.lstrip()[:_SHOWN]
    if start[:1] == b"<":
        kind = "HTML" if b"<html" in start.lower() or b"<!doctype" in start.lower() else "XML"
        raise AnswerError(f"{kind} came in place of JSON: {start.decode(errors='replace')}", transient=True)
    try:
        return msgspec.json.decode(body)
    except UNREADABLE as error:
        raise AnswerError(
            f"the answer is no JSON ({error}): {start.decode(errors='replace')}", transient=True
        ) from None


def number(value: object) -> float | None:
    """A number, or text that is one; None for what stands for a missing value.

    Raises `ValueError` for anything else.
    """
    if value is None or value in ("", "-", "null", "NaN"):
        return None
    result = (
        float(value) if isinstance(value, int | float | str | Decimal) and not isinstance(value, bool) else math.nan
    )
    if not math.isfinite(result):
        raise ValueError(f"{value!r} is no finite number")
    return result


def scaled(value: object, factor: float) -> float | None:
    """A number in other units."""
    result = number(value)
    return None if result is None else result * factor
