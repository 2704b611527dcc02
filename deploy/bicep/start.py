"""What must be known when a deployment starts: names, conditions, and what loops run over.

Azure lays out the whole deployment first and only then makes anything, so there Bicep refuses what a module puts out
and what Azure tells of a resource once it is made (BCP120, BCP177, BCP178, BCP182). A parameter is known, even one that
another module's output was passed for: each module is a deployment of its own, and starts later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from typing import Final

from tree_sitter import Node

from deploy.bicep.expressions import children, text_of

Declared = Callable[[str], Node | None]
"""The declaration of a name of this file, None where there is none."""

_KNOWN: Final = {
    "resource_declaration": ("id", "name", "type", "apiVersion"),
    "module_declaration": ("name",),
}


def late_parts(declaration: Node, declared: Declared) -> Iterator[str]:
    """What a declaration needs at the start and nobody knows by then, each as it is written."""
    *_, body = children(declaration)
    for loop in _loops(body):
        yield from _late(children(loop)[1], declared)
    if declaration.type == "variable_declaration":
        for loop in _loops(body):
            yield from _late(children(loop)[2], declared, _variables(loop))
    if declaration.type not in _KNOWN:
        return
    own: Set[str] = set()
    if body.type == "for_statement":
        own = _variables(body)
        body = children(body)[2]
    if body.type == "if_statement":
        condition, body = children(body)
        yield from _late(condition, declared, own)
    for entry in children(body):
        key, value = children(entry)
        if text_of(key) == "name":
            yield from _late(value, declared, own)


def _loops(node: Node) -> Iterator[Node]:
    if node.type == "for_statement":
        yield node
    for child in children(node):
        yield from _loops(child)


def _variables(loop: Node) -> Set[str]:
    head = children(loop)[0]
    return {text_of(name) for name in (children(head) if head.type == "for_loop_parameters" else [head])}


def _late(node: Node, declared: Declared, own: Set[str] = frozenset()) -> Iterator[str]:
    """The late parts of an expression, and of the variables in it; `own` are names of a loop around it."""
    if node.type == "identifier":
        declaration = None if text_of(node) in own else declared(text_of(node))
        if declaration is not None and declaration.type == "variable_declaration":
            yield from _late(children(declaration)[-1], declared)
    elif node.type == "member_expression" and not _known(node, declared, own):
        yield text_of(node)
    else:
        values = children(node)[-1:] if node.type == "object_property" else children(node)
        for child in values:
            yield from _late(child, declared, own)


def _known(member: Node, declared: Declared, own: Set[str]) -> bool:
    """Whether `box.name` is anything but what only the making of a resource or module tells."""
    box, name = children(member)
    while box.type == "subscript_expression":
        box = children(box)[0]
    if box.type != "identifier" or text_of(box) in own:
        return True
    declaration = declared(text_of(box))
    return declaration is None or text_of(name) in _KNOWN.get(declaration.type, (text_of(name),))
