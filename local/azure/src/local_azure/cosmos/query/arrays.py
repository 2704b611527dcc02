"""Array and set functions. Undefined where an argument is not an array."""

from collections.abc import Callable

from local_azure.cosmos.jsontext import Json
from local_azure.cosmos.query.semantics import UNDEFINED, equal, is_number


def _contains(array: list[Json], wanted: Json, *, partial: bool = False) -> bool:
    if partial and isinstance(wanted, dict):
        return any(isinstance(element, dict) and _covers(element, wanted) for element in array)
    return any(equal(element, wanted) for element in array)


def _covers(element: dict[str, Json], wanted: dict[str, Json]) -> bool:
    return all(
        name in element
        and (
            _covers(element[name], value)
            if isinstance(value, dict) and isinstance(element[name], dict)
            else equal(element[name], value)
        )
        for name, value in wanted.items()
    )


def _array_contains(array: Json, wanted: Json, partial: Json = False) -> Json:
    return _contains(array, wanted, partial=partial is True) if isinstance(array, list) else False


def _array_contains_all(array: Json, *wanted: Json) -> Json:
    return isinstance(array, list) and all(_contains(array, value) for value in wanted)


def _array_contains_any(array: Json, *wanted: Json) -> Json:
    return isinstance(array, list) and any(_contains(array, value) for value in wanted)


def _concat(*arrays: Json) -> Json:
    if not all(isinstance(array, list) for array in arrays):
        return UNDEFINED
    return [element for array in arrays for element in array]


def _length(array: Json) -> Json:
    return len(array) if isinstance(array, list) else UNDEFINED


def _slice(array: Json, start: Json, length: Json = None) -> Json:
    if not isinstance(array, list) or not is_number(start) or not (length is None or is_number(length)):
        return UNDEFINED
    begin = int(start) if start >= 0 else max(0, len(array) + int(start))
    return array[begin:] if length is None else array[begin : begin + max(0, int(length))]


def _unique(elements: list[Json]) -> list[Json]:
    kept: list[Json] = []
    for element in elements:
        if not _contains(kept, element):
            kept.append(element)
    return kept


def _sets(combine: Callable[[list[Json], list[Json]], list[Json]]) -> Callable[[Json, Json], Json]:
    def function(left: Json, right: Json) -> Json:
        if not isinstance(left, list) or not isinstance(right, list):
            return UNDEFINED
        return _unique(combine(left, right))

    return function


def _choose(index: Json, *choices: Json) -> Json:
    if not is_number(index) or not 1 <= int(index) <= len(choices):
        return UNDEFINED
    return choices[int(index) - 1]


def _object_to_array(value: Json, key: Json = "k", name: Json = "v") -> Json:
    if not isinstance(value, dict) or not isinstance(key, str) or not isinstance(name, str):
        return UNDEFINED
    return [{key: member, name: content} for member, content in value.items()]


FUNCTIONS: dict[str, tuple[Callable[..., Json], int, int]] = {
    "ARRAY_CONCAT": (_concat, 2, 100),
    "ARRAY_CONTAINS": (_array_contains, 2, 3),
    "ARRAY_CONTAINS_ALL": (_array_contains_all, 2, 100),
    "ARRAY_CONTAINS_ANY": (_array_contains_any, 2, 100),
    "ARRAY_LENGTH": (_length, 1, 1),
    "ARRAY_SLICE": (_slice, 2, 3),
    "CHOOSE": (_choose, 2, 100),
    "OBJECTTOARRAY": (_object_to_array, 1, 3),
    "SETINTERSECT": (_sets(lambda left, right: [element for element in left if _contains(right, element)]), 2, 2),
    "SETUNION": (_sets(lambda left, right: left + right), 2, 2),
    "SETDIFFERENCE": (_sets(lambda left, right: [element for element in left if not _contains(right, element)]), 2, 2),
}
"""Name → implementation, least and most arguments."""
