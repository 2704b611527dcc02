"""What a Bicep expression may be worth, beside plain JSON: a value of run time, a resource, a module."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final


class BicepError(ValueError):
    """The files ask for something that is wrong, or that this evaluator does not know."""


class Runtime(str):
    """A value that Azure knows once the resource is there. Its text says which: `[id-sink.properties.clientId]`."""

    __slots__ = ()

    def part(self, name: object) -> Runtime:
        """The value below this one."""
        step = f"[{name}]" if isinstance(name, int) else f".{name}"
        return Runtime(f"{self[:-1]}{step}]")


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource as it would be made; `body` has its name, properties and the rest."""

    type: str
    api_version: str
    id: str
    body: Mapping[str, Any]
    existing: bool = False
    scope: str = ""
    """Id of the resource that it extends: what a role is granted on, what a diagnostic setting watches."""

    @property
    def name(self) -> str:
        """Its own name, without those of its parents."""
        return str(self.body["name"])


@dataclass(frozen=True, slots=True)
class Module:
    """A module that has been evaluated."""

    name: str
    outputs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Part:
    """A place inside a resource's body; what is not written there is known at run time."""

    resource: Resource
    value: Any
    path: str

    def part(self, name: object) -> Any:  # noqa: ANN401 - a Bicep value
        """The value below."""
        step = f"{self.path}[{name}]" if isinstance(name, int) else f"{self.path}.{name}"
        try:
            child = self.value[name]
        except (KeyError, IndexError, TypeError):
            return Runtime(f"[{step}]")
        return Part(self.resource, child, step) if isinstance(child, dict | list) else child


def member(value: Any, name: str) -> Any:  # noqa: ANN401 - a Bicep value
    """`value.name`. Raises `BicepError` where Bicep would."""
    match value:
        case Resource():
            if name == "id":
                return value.id
            return Part(value, value.body, value.name).part(name)
        case Part() | Runtime():
            return value.part(name)
        case Module():
            if name == "outputs":
                return dict(value.outputs)
            if name == "name":
                return value.name
        case Mapping() if name in value:
            return value[name]
    raise BicepError(f"no member {name!r} in {value!r}")


def _unique_string(*seeds: str) -> str:
    digest = hashlib.sha256("\0".join(seeds).encode()).digest()
    return "".join("abcdefghijklmnopqrstuvwxyz234567"[byte % 32] for byte in digest[:13])


def _union(*parts: Any) -> Any:  # noqa: ANN401 - objects or arrays
    if all(isinstance(part, Mapping) for part in parts):
        return {name: value for part in parts for name, value in part.items()}
    return list(dict.fromkeys(item for part in parts for item in part))


def _text(value: Any) -> str:  # noqa: ANN401 - a Bicep value
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value)


def _concat(*parts: Any) -> Any:  # noqa: ANN401 - texts or arrays
    if all(isinstance(part, str) for part in parts):
        return "".join(parts)
    return [item for part in parts for item in part]


SUBSCRIPTION: Final = "/subscriptions/00000000-0000-0000-0000-000000000000"

FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "concat": _concat,
    "contains": lambda box, item: item in box,
    "empty": lambda value: value is None or len(value) == 0,
    "environment": lambda: {"suffixes": {"storage": "core.windows.net"}},
    "guid": lambda *seeds: str(uuid.uuid5(uuid.NAMESPACE_URL, "\0".join(seeds))),
    "items": lambda box: [{"key": key, "value": box[key]} for key in sorted(box)],
    "json": json.loads,
    "last": lambda items: items[-1],
    "length": len,
    "max": max,
    "min": min,
    "replace": lambda text, old, new: text.replace(old, new),
    "split": lambda text, by: text.split(by),
    "string": _text,
    "subscription": lambda: {"id": SUBSCRIPTION, "subscriptionId": SUBSCRIPTION.split("/")[2]},
    "subscriptionResourceId": lambda kind, name: f"{SUBSCRIPTION}/providers/{kind}/{name}",
    "take": lambda items, count: items[:count],
    "toLower": str.lower,
    "toUpper": str.upper,
    "union": _union,
    "uniqueString": _unique_string,
}
"""The functions that need no file. Names and ids that Azure would make are stand-ins, the same each time."""
