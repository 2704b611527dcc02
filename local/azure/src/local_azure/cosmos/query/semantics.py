"""What values are and how they compare: six JSON types and `undefined`, which is no value at all."""

import json
import math
from typing import Final

from local_azure.cosmos import jsontext
from local_azure.cosmos.jsontext import Json


class Undefined:
    """The type of UNDEFINED."""

    def __repr__(self) -> str:
        return "undefined"


UNDEFINED: Final = Undefined()

UNDEFINED_RANK, NULL_RANK, FALSE_RANK, TRUE_RANK, NUMBER_RANK, STRING_RANK, ARRAY_RANK, OBJECT_RANK = range(8)


def rank(value: Json) -> int:
    """Place of a value's type in the order of types; `false` and `true` have one each."""
    if value is None:
        return NULL_RANK
    if isinstance(value, bool):
        return TRUE_RANK if value else FALSE_RANK
    if isinstance(value, int | float):
        return NUMBER_RANK
    if isinstance(value, str):
        return STRING_RANK
    if isinstance(value, list):
        return ARRAY_RANK
    return OBJECT_RANK if isinstance(value, dict) else UNDEFINED_RANK


def sort_key(value: Json) -> tuple[int, Json]:
    """Key that puts values of any types in the service's order."""
    order = rank(value)
    if order in (NUMBER_RANK, STRING_RANK):
        return order, value
    return order, jsontext.dumps(value) if order >= ARRAY_RANK else 0


def is_number(value: Json) -> bool:
    """Whether it is a JSON number (a bool is not)."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def same_type(left: Json, right: Json) -> bool:
    """Whether the two can be compared by order."""
    ranks = rank(left), rank(right)
    return ranks[0] == ranks[1] or {FALSE_RANK, TRUE_RANK}.issuperset(ranks)


def compare(left: Json, right: Json) -> int | None:
    """-1, 0 or 1; None (undefined) between different types, and for arrays and objects."""
    if left is UNDEFINED or right is UNDEFINED or not same_type(left, right) or rank(left) >= ARRAY_RANK:
        return None
    a, b = sort_key(left), sort_key(right)
    return (a > b) - (a < b)


def equal(left: Json, right: Json) -> bool:
    """Deep equality of two defined values; `true` is not 1."""
    if rank(left) != rank(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(equal(a, b) for a, b in zip(left, right, strict=True))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(equal(value, right[name]) for name, value in left.items())
    return bool(left == right)


def decode(text: str | None) -> Json:
    """From SQL: JSON text, or NULL for undefined."""
    return UNDEFINED if text is None else json.loads(text)


def encode(value: Json) -> str | None:
    """To SQL: JSON text, or NULL for undefined and for numbers that JSON does not have."""
    if value is UNDEFINED:
        return None
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        if value.is_integer() and abs(value) < 2**53:
            value = int(value)
    return jsontext.dumps(value)
