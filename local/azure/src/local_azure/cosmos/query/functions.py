"""The functions of the query language, and their registration with SQLite.

A function gets decoded values and gives one back, or UNDEFINED. Unless it says otherwise, an undefined argument
makes its result undefined without a call.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from local_azure.cosmos.jsontext import Json
from local_azure.cosmos.query import arrays, dates, numbers, spatial, strings
from local_azure.cosmos.query.semantics import (
    UNDEFINED,
    Undefined,
    compare,
    decode,
    encode,
    equal,
    is_number,
    rank,
    sort_key,
)
from local_azure.cosmos.scripts import functions as user_functions

PREFIX = "cosmos_"


@dataclass(frozen=True)
class Function:
    """A scalar function: its implementation and how many arguments it takes."""

    call: Callable[..., Json]
    least: int
    most: int
    deterministic: bool = True


def _is_integer(value: Json) -> bool:
    return is_number(value) and float(value).is_integer()


FUNCTIONS: dict[str, Function] = {
    **{name: Function(*entry) for name, entry in strings.FUNCTIONS.items()},
    **{name: Function(*entry) for name, entry in numbers.FUNCTIONS.items()},
    **{name: Function(*entry) for name, entry in arrays.FUNCTIONS.items()},
    **{name: Function(*entry) for name, entry in dates.FUNCTIONS.items()},
    **{name: Function(*entry) for name, entry in spatial.FUNCTIONS.items()},
    "IS_FINITE_NUMBER": Function(is_number, 1, 1),
    "IS_INTEGER": Function(_is_integer, 1, 1),
}
"""By name in capitals. Type checks that SQL answers without decoding are in `translate`."""


def register(connection: sqlite3.Connection) -> None:
    """Give a connection every function of the language, under the prefix `cosmos_`."""
    for name, function in FUNCTIONS.items():
        connection.create_function(
            PREFIX + name.lower(), -1, _scalar(function.call), deterministic=function.deterministic
        )
    for symbol, operation in numbers.OPERATORS.items():
        connection.create_function(PREFIX + symbol, -1, _scalar(operation), deterministic=True)
    connection.create_function("cosmos_compare", 2, _compare, deterministic=True)
    connection.create_function("cosmos_equal", 2, _equal, deterministic=True)
    connection.create_function("cosmos_rank", 1, lambda text: rank(decode(text)), deterministic=True)
    connection.create_function("cosmos_sort", 1, _sort_value, deterministic=True)
    connection.create_function("cosmos_element", 2, _element, deterministic=True)
    connection.create_function("cosmos_user_function", -1, user_functions.call)
    connection.create_function("cosmos_like", 3, _scalar(strings.like), deterministic=True)
    connection.create_function("cosmos_number", 1, encode, deterministic=True)
    connection.create_function("cosmos_object", -1, _object, deterministic=True)
    connection.create_function("cosmos_array", -1, _array, deterministic=True)
    connection.create_function("cosmos_merge", -1, _merge, deterministic=True)
    for name, aggregate in (("sum", _Sum), ("avg", _Average), ("min", _Least), ("max", _Greatest)):
        connection.create_aggregate(f"cosmos_{name}", 1, aggregate)  # type: ignore[arg-type]


def _scalar(call: Callable[..., Json]) -> Callable[..., str | None]:
    def in_sql(*texts: str | None) -> str | None:
        if None in texts:
            return None
        try:
            return encode(call(*map(decode, texts)))
        except (ValueError, OverflowError, ZeroDivisionError):
            return None

    return in_sql


def _compare(left: str | None, right: str | None) -> int | None:
    return compare(decode(left), decode(right))


def _equal(left: str | None, right: str | None) -> bool | None:
    return None if left is None or right is None else equal(decode(left), decode(right))


def _sort_value(text: str | None) -> Json:
    return sort_key(decode(text))[1]


def _element(base: str | None, key: str | None) -> str | None:
    container, name = decode(base), decode(key)
    if isinstance(container, dict) and isinstance(name, str):
        return encode(container.get(name, UNDEFINED))
    if isinstance(container, list) and _is_integer(name) and 0 <= name < len(container):
        return encode(container[int(name)])
    return None


def _object(*members: str | None) -> str:
    """Names (as JSON text) and values in turn; a member without a value is left out."""
    pairs = zip(members[::2], members[1::2], strict=True)
    return "{" + ",".join(f"{name}:{value}" for name, value in pairs if value is not None) + "}"


def _array(*elements: str | None) -> str:
    """An array of those elements that have a value."""
    return "[" + ",".join(element for element in elements if element is not None) + "]"


def _merge(*parts: str) -> str:
    """Objects or arrays as JSON text, joined into one."""
    inside = ",".join(part[1:-1] for part in parts if len(part) > 2)
    return f"{parts[0][0]}{inside}{parts[0][-1]}"


class _Sum:
    """SUM: undefined as soon as something other than a number is in it; of nothing, undefined."""

    def __init__(self) -> None:
        self.total: int | float = 0
        self.count = 0
        self.valid = True

    def step(self, text: str | None) -> None:
        value = decode(text)
        if isinstance(value, Undefined):
            return
        if is_number(value):
            self.total += value
            self.count += 1
        else:
            self.valid = False

    def finalize(self) -> str | None:
        return encode(float(self.total)) if self.valid and self.count else None


class _Average(_Sum):
    """AVG: of numbers only, as SUM."""

    def finalize(self) -> str | None:
        return encode(self.total / self.count) if self.valid and self.count else None


class _Least:
    """MIN over all types in the order of types, undefined left aside."""

    sign = 1

    def __init__(self) -> None:
        self.best: tuple[int, Json] | None = None
        self.text: str | None = None

    def step(self, text: str | None) -> None:
        if text is None:
            return
        key = sort_key(decode(text))
        if self.best is None or (key < self.best if self.sign > 0 else key > self.best):
            self.best, self.text = key, text

    def finalize(self) -> str | None:
        return self.text


class _Greatest(_Least):
    """MAX, as MIN."""

    sign = -1
