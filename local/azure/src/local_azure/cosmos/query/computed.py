"""What a container adds to the language: computed properties, used as if documents had them, and its functions."""

from collections.abc import Callable
from dataclasses import dataclass, field

from local_azure.cosmos.errors import bad_request
from local_azure.cosmos.jsontext import Json
from local_azure.cosmos.query import ast
from local_azure.cosmos.query.parser import parse

_MOST = 20


@dataclass(frozen=True)
class ComputedProperty:
    """An expression, and the alias by which it calls the document."""

    alias: str
    value: ast.Expression


Computed = dict[str, ComputedProperty]
"""By name."""


@dataclass(frozen=True)
class Vocabulary:
    """The computed properties, and the source of a user-defined function by its name (None: there is none)."""

    computed: Computed = field(default_factory=dict)
    find_function: Callable[[str], str | None] = lambda _: None


def parse_computed(declared: Json) -> Computed:
    """Read a container's `computedProperties`. Raises CosmosError 400 for what the service would refuse."""
    if declared is None:
        return {}
    if not isinstance(declared, list) or not all(isinstance(entry, dict) for entry in declared):
        raise bad_request("One of the specified inputs is invalid: computedProperties is a list of objects.")
    if len(declared) > _MOST:
        raise bad_request(f"A container has at most {_MOST} computed properties, not {len(declared)}.")
    return {_name(entry): _property(entry) for entry in declared}


def _name(entry: dict[str, Json]) -> str:
    name = entry.get("name")
    if not isinstance(name, str) or not name or name == "id" or name.startswith("_"):
        raise bad_request(f"A computed property can not be named {name!r}.")
    return name


def _property(entry: dict[str, Json]) -> ComputedProperty:
    text = entry.get("query")
    if not isinstance(text, str):
        raise bad_request(f"The computed property '{entry['name']}' has no query.")
    query = parse(text)
    if not isinstance(query.selection, ast.SelectValue) or query != ast.Query(query.selection, sources=query.sources):
        raise bad_request(f"The computed property '{entry['name']}' is not of the form SELECT VALUE … FROM c.")
    if len(query.sources) != 1 or not isinstance(query.sources[0].origin, ast.Name):
        raise bad_request(f"The computed property '{entry['name']}' does not select from the whole document.")
    return ComputedProperty(query.sources[0].alias, query.selection.value)
