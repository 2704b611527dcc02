"""A file with its modules, evaluated to the list of resources that it would make."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import tree_sitter_bicep
from tree_sitter import Language, Node, Parser

from deploy.bicep.expressions import Expressions, children, text_of
from deploy.bicep.start import late_parts
from deploy.bicep.values import SUBSCRIPTION, BicepError, Module, Resource

_PARSER: Final = Parser(Language(tree_sitter_bicep.language()))
_TYPES: Final[Mapping[str, type]] = {"string": str, "int": int, "bool": bool, "array": list, "object": dict}


_LIMITS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "allowed": lambda value, bound: value in bound,
    "minValue": lambda value, bound: value >= bound,
    "maxValue": lambda value, bound: value <= bound,
    "minLength": lambda value, bound: len(value) >= bound,
    "maxLength": lambda value, bound: len(value) <= bound,
}


@dataclass(slots=True)
class Deployment:
    """Everything that a deployment makes, in the order of the files, and what its entry point puts out."""

    resources: list[Resource] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)

    def of_type(self, kind: str) -> list[Resource]:
        """The resources of a type, e.g. `Microsoft.App/containerApps`."""
        return [resource for resource in self.resources if resource.type == kind]


def evaluate(path: Path, params: Mapping[str, Any], scope: str = SUBSCRIPTION) -> Deployment:
    """What the file makes with these parameters. Raises `BicepError` naming file and line."""
    return _File(path, params, scope).run()


def read_params(path: Path, environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The parameters of a `.bicepparam` file."""
    source = re.sub(r"^using .*$", "", path.read_text(), flags=re.MULTILINE)
    params = re.findall(r"^param (\w+)", source, flags=re.MULTILINE)
    source = re.sub(r"^param ", "var ", source, flags=re.MULTILINE)
    file = _File(path, {}, SUBSCRIPTION, source=source, environ=os.environ if environ is None else environ)
    return {name: file.lookup(name) for name in params}


class _File:
    """One file: its declarations are evaluated when first asked for, and each once."""

    def __init__(
        self,
        path: Path,
        params: Mapping[str, Any],
        scope: str,
        *,
        source: str | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._path = path
        self._params = params
        self._scope = scope
        self._values: dict[str, Any] = {}
        self._made: list[Resource] = []
        self._expressions = Expressions(self.lookup, path.parent, environ or {})
        self.declared: dict[str, tuple[Node, list[Node]]] = {}
        self._outputs: list[Node] = []
        self._collect(_PARSER.parse((source or path.read_text()).encode()).root_node)

    def _collect(self, root: Node) -> None:
        if root.has_error:
            raise BicepError(f"{self._path}: can't be parsed")
        decorators: list[Node] = []
        for node in children(root):
            if node.type == "decorators":
                decorators = children(node)
                continue
            if node.type == "output_declaration":
                self._outputs.append(node)
            elif node.type.endswith("_declaration"):
                self.declared[text_of(children(node)[0])] = (node, decorators)
            decorators = []

    def run(self) -> Deployment:
        """Evaluates all declarations."""
        unknown = set(self._params) - {n for n, (node, _) in self.declared.items() if node.type.startswith("param")}
        if unknown:
            raise BicepError(f"{self._path}: has no parameter {', '.join(sorted(unknown))}")
        for name in self.declared:
            self.lookup(name)
        outputs = {
            text_of(children(node)[0]): self._expressions.worth(children(node)[-1], {}) for node in self._outputs
        }
        return Deployment(self._made, outputs)

    def lookup(self, name: str) -> Any:  # noqa: ANN401 - a Bicep value
        """What a name of this file stands for."""
        if name not in self._values:
            if name not in self.declared:
                raise BicepError(f"{self._path}: the name {name} is not declared")
            node, decorators = self.declared[name]
            self._values[name] = self._declaration(name, node, decorators)
        return self._values[name]

    def _declaration(self, name: str, node: Node, decorators: list[Node]) -> Any:  # noqa: ANN401
        for part in late_parts(node, lambda known: self.declared.get(known, (None, []))[0]):
            raise BicepError(f"{self._path}:{node.start_point[0] + 1}: {name} needs {part} before it can be known")
        try:
            match node.type:
                case "parameter_declaration":
                    return self._parameter(name, node, decorators)
                case "variable_declaration":
                    return self._expressions.worth(children(node)[-1], {})
                case "resource_declaration":
                    return self._each(node, lambda body, names: self._resource(node, body, names))
                case "module_declaration":
                    return self._each(node, lambda body, names: self._module(node, body, names))
        except (TypeError, KeyError, AttributeError, ValueError) as error:
            raise BicepError(f"{self._path}:{node.start_point[0] + 1}: {name}: {error}") from error
        raise BicepError(f"{self._path}:{node.start_point[0] + 1}: {node.type} is not known here")

    def _parameter(self, name: str, node: Node, decorators: list[Node]) -> Any:  # noqa: ANN401
        _, kind, *default = children(node)
        if name in self._params:
            value = self._params[name]
        elif default:
            value = self._expressions.worth(default[0], {})
        else:
            raise BicepError(f"the parameter {name} is missing")
        wanted = _TYPES[text_of(kind)]
        if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
            raise BicepError(f"the parameter {name} is {value!r}, not {text_of(kind)}")
        for decorator in decorators:
            self._check(name, value, children(decorator)[0])
        return value

    def _check(self, name: str, value: Any, decorator: Node) -> None:  # noqa: ANN401
        function, arguments = decorator.named_children[0], decorator.named_children[1]
        bound = self._expressions.worth(children(arguments)[0], {})
        limit = _LIMITS.get(text_of(function))
        if limit and not limit(value, bound):
            raise BicepError(f"the parameter {name} is {value!r}, against {text_of(decorator)}")

    def _each(self, node: Node, make: Callable[[Node, Mapping[str, Any]], Any]) -> Any:  # noqa: ANN401
        """Makes a resource or module once, in a loop, or not at all."""
        body = children(node)[-1]
        if body.type == "for_statement":
            rounds = self._expressions.rounds(body, {})
            return [make(inner, names) for inner, names in rounds if inner is not None]
        inner = self._expressions.guarded(body, {})
        return None if inner is None else make(inner, {})

    def _resource(self, node: Node, body: Node, names: Mapping[str, Any]) -> Resource:
        kind, _, version = str(self._expressions.worth(children(node)[1], {})).partition("@")
        written = self._expressions.worth(body, names)
        parent, scope = written.pop("parent", None), written.pop("scope", None)
        written.pop("dependsOn", None)
        place = scope.id if scope is not None else self._scope
        if parent is not None:
            identity = f"{parent.id}/{kind.rsplit('/', 1)[1]}/{written['name']}"
        elif kind == "Microsoft.Resources/resourceGroups":
            identity = f"{place}/resourceGroups/{written['name']}"
        else:
            identity = f"{place}/providers/{kind}/{written['name']}"
        existing = any(child.type == "existing" or text_of(child) == "existing" for child in node.children)
        resource = Resource(kind, version, identity, written, existing, scope.id if scope is not None else "")
        if not existing:
            self._made.append(resource)
        return resource

    def _module(self, node: Node, body: Node, names: Mapping[str, Any]) -> Module:
        written = self._expressions.worth(body, names)
        path = self._path.parent / str(self._expressions.worth(children(node)[1], {}))
        scope = written["scope"].id if "scope" in written else self._scope
        inner = evaluate(path, written.get("params", {}), scope)
        self._made.extend(inner.resources)
        return Module(written["name"], inner.outputs)
