"""The worth of an expression in a scope of names."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tree_sitter import Node

from deploy.bicep.values import FUNCTIONS, BicepError, Part, Runtime, member

Lookup = Callable[[str], Any]

_ESCAPES: Final = {"\\n": "\n", "\\r": "\r", "\\t": "\t", "\\'": "'", "\\\\": "\\", "\\$": "$"}
_TIGHT: Final = ("member_expression", "subscript_expression", "call_expression", "binary_expression")
_LOOSE: Final = ("binary_expression", "ternary_expression", "unary_expression")
"""tree-sitter's grammar reads `a && b.c == d.e` as `((a && b.c) == d).e`: such a line must have parentheses."""
_BINARY: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.floordiv,
    "%": operator.mod,
}


def text_of(node: Node) -> str:
    """The source of a node."""
    return (node.text or b"").decode()


def children(node: Node) -> list[Node]:
    """The named children that are no comments."""
    return [child for child in node.named_children if child.type not in ("comment", "diagnostic_comment")]


class Expressions:
    """Evaluates the expressions of one file; `lookup` gives what a name stands for."""

    def __init__(self, lookup: Lookup, folder: Path, environ: Mapping[str, str]) -> None:
        self._lookup = lookup
        self._folder = folder
        self._environ = environ

    def worth(self, node: Node, names: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a Bicep value
        """The value of an expression; `names` are those of the loops around it."""
        handler = getattr(self, f"_{node.type}", None)
        if handler is None:
            raise BicepError(f"line {node.start_point[0] + 1}: {node.type} is not known here")
        if node.type in _TIGHT and any(child.type in _LOOSE for child in node.named_children):
            raise BicepError(f"line {node.start_point[0] + 1}: put parentheses: the grammar misreads {text_of(node)}")
        return handler(node, names)

    def _null(self, _node: Node, _names: Mapping[str, Any]) -> None:
        return None

    def _boolean(self, node: Node, _names: Mapping[str, Any]) -> bool:
        return text_of(node) == "true"

    def _number(self, node: Node, _names: Mapping[str, Any]) -> int:
        return int(text_of(node))

    def _identifier(self, node: Node, names: Mapping[str, Any]) -> Any:  # noqa: ANN401
        name = text_of(node)
        return names[name] if name in names else self._lookup(name)

    def _parenthesized_expression(self, node: Node, names: Mapping[str, Any]) -> Any:  # noqa: ANN401
        return self.worth(children(node)[0], names)

    def _array(self, node: Node, names: Mapping[str, Any]) -> list[Any]:
        return [self.worth(child, names) for child in children(node)]

    def _object(self, node: Node, names: Mapping[str, Any]) -> dict[str, Any]:
        pairs = (children(entry) for entry in children(node))
        return {self.key(key, names): self.worth(value, names) for key, value in pairs}

    def key(self, node: Node, names: Mapping[str, Any]) -> str:
        """The name of a property, written bare or as a string."""
        return text_of(node) if node.type == "identifier" else str(self.worth(node, names))

    def _string(self, node: Node, names: Mapping[str, Any]) -> str:
        """By its bytes, since the grammar gives no node to the blanks after an interpolation."""
        source = node.text or b""
        quote = 3 if source.startswith(b"'''") else 1
        parts: list[str] = []
        at, end = node.start_byte + quote, node.end_byte - quote
        for child in node.named_children:
            if child.type not in ("interpolation", "escape_sequence"):
                continue
            parts.append(source[at - node.start_byte : child.start_byte - node.start_byte].decode())
            if child.type == "interpolation":
                parts.append(FUNCTIONS["string"](self.worth(children(child)[0], names)))
            else:
                parts.append(_ESCAPES[text_of(child)])
            at = child.end_byte
        parts.append(source[at - node.start_byte : end - node.start_byte].decode())
        return "".join(parts)

    def _member_expression(self, node: Node, names: Mapping[str, Any]) -> Any:  # noqa: ANN401
        box, name = children(node)
        return member(self.worth(box, names), text_of(name))

    def _subscript_expression(self, node: Node, names: Mapping[str, Any]) -> Any:  # noqa: ANN401
        box, index = (self.worth(child, names) for child in children(node))
        if isinstance(box, Part | Runtime):
            return box.part(index)
        try:
            return box[index]
        except (KeyError, IndexError) as error:
            raise BicepError(f"line {node.start_point[0] + 1}: no {index!r} in {box!r}") from error

    def _ternary_expression(self, node: Node, names: Mapping[str, Any]) -> Any:  # noqa: ANN401
        condition, then, otherwise = children(node)
        return self.worth(then if self.worth(condition, names) else otherwise, names)

    def _unary_expression(self, node: Node, names: Mapping[str, Any]) -> Any:  # noqa: ANN401
        value = self.worth(children(node)[0], names)
        return not value if text_of(node).startswith("!") else -value

    def _binary_expression(self, node: Node, names: Mapping[str, Any]) -> Any:  # noqa: ANN401
        left, right = children(node)
        sign = next(text_of(child) for child in node.children if not child.is_named)
        first = self.worth(left, names)
        if sign == "&&":
            return first and self.worth(right, names)
        if sign == "||":
            return first or self.worth(right, names)
        if sign == "??":
            return self.worth(right, names) if first is None else first
        return _BINARY[sign](first, self.worth(right, names))

    def _call_expression(self, node: Node, names: Mapping[str, Any]) -> Any:  # noqa: ANN401
        function, arguments = node.named_children[0], node.named_children[1]
        name = text_of(function)
        given = [self.worth(child, names) for child in children(arguments)]
        if name == "loadJsonContent":
            return json.loads((self._folder / given[0]).read_text())
        if name == "readEnvironmentVariable":
            return self._environment_variable(*given)
        if name not in FUNCTIONS:
            raise BicepError(f"line {node.start_point[0] + 1}: the function {name} is not known here")
        return FUNCTIONS[name](*given)

    def _environment_variable(self, name: str, otherwise: str | None = None) -> str:
        value = self._environ.get(name, otherwise)
        if value is None:
            raise BicepError(f"the environment variable {name} is not set")
        return value

    def _for_statement(self, node: Node, names: Mapping[str, Any]) -> list[Any]:
        return [self.worth(body, inner) for body, inner in self.rounds(node, names) if body is not None]

    def rounds(self, node: Node, names: Mapping[str, Any]) -> Iterator[tuple[Node | None, dict[str, Any]]]:
        """The body of a loop, or None where its condition fails, with the names of each round."""
        head, items, body = children(node)
        variables = [text_of(child) for child in (children(head) if head.type == "for_loop_parameters" else [head])]
        for index, item in enumerate(self.worth(items, names)):
            inner = {**names, **dict(zip(variables, (item, index), strict=False))}
            yield self.guarded(body, inner), inner

    def guarded(self, body: Node, names: Mapping[str, Any]) -> Node | None:
        """The body of `if (…) body`, None where the condition does not hold; any other node as it is."""
        if body.type != "if_statement":
            return body
        condition, inner = children(body)
        return inner if self.worth(condition, names) else None
