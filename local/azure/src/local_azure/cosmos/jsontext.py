"""JSON as the service keeps it: strict, numbers in one spelling, text that SQLite can index.

Numbers are written one way (`5.0` and `5` are the same number and become `5`), so that two equal
scalars are equal as text; SQL then groups and compares by text without decoding.
"""

import json
from typing import Any

from local_azure.cosmos.errors import bad_request

MAX_DEPTH = 128
_MAX_SAFE_INTEGER = 2**53

Json = Any
"""A decoded JSON value; the shape of a document is its owner's business."""


def _number(text: str) -> int | float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"the number {text[:40]} is outside the range of a double")
    return int(value) if value.is_integer() and abs(value) < _MAX_SAFE_INTEGER else value


def _integer(text: str) -> int | float:
    if len(text) <= 18:
        return int(text)
    return _number(text) if len(text) > 20 or abs(int(text)) >= 2**63 else int(text)


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


_DECODER = json.JSONDecoder(parse_float=_number, parse_int=_integer, parse_constant=_refuse_constant)
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, check_circular=False)


def loads(text: str) -> Json:
    """Decode JSON that this server wrote. Raises ValueError."""
    return _DECODER.decode(text)


def dumps(value: Json) -> str:
    """Encode compactly, in the one spelling that is stored and compared."""
    return _ENCODER.encode(value)


def parse(body: bytes) -> Json:
    """Decode a body sent by a client.

    Raises CosmosError 400 for anything that is not JSON in UTF-8, for surrogates without their other
    half, and for nesting deeper than 128 levels.
    """
    try:
        text = body.decode("utf-8-sig")
        value = _DECODER.decode(text)
        if "\\u" in text:
            dumps(value).encode()
    except (ValueError, RecursionError) as error:
        raise bad_request(f"The request body is not valid JSON: {error}") from error
    if text.count("{") + text.count("[") > MAX_DEPTH and depth(value) > MAX_DEPTH:
        raise bad_request(f"The document is nested deeper than {MAX_DEPTH} levels.")
    return value


def depth(value: Json) -> int:
    """Levels of nesting, a scalar being 0. Walks level by level, so depth costs no stack."""
    level, reached = [value], 0
    while level := [item for item in level if isinstance(item, dict | list)]:
        reached += 1
        level = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]
    return reached
