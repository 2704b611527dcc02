"""The query's abstract syntax, as frozen values: equal expressions compare equal."""

from dataclasses import dataclass

from local_azure.cosmos.jsontext import Json


@dataclass(frozen=True)
class Expression:
    """Anything that has a value, which may be undefined."""


@dataclass(frozen=True)
class Literal(Expression):
    """A scalar constant: None, bool, number or string."""

    value: bool | int | float | str | None


@dataclass(frozen=True)
class Undefined(Expression):
    """The constant `undefined`."""


@dataclass(frozen=True)
class Parameter(Expression):
    """`@name`, spelt with its sign."""

    name: str


@dataclass(frozen=True)
class Name(Expression):
    """An alias of FROM or JOIN."""

    name: str


@dataclass(frozen=True)
class Property(Expression):
    """`base.key`, `base["key"]`, `base[0]` or `base[expression]`."""

    base: Expression
    key: Expression


@dataclass(frozen=True)
class Unary(Expression):
    """NOT, -, + or ~."""

    operator: str
    operand: Expression


@dataclass(frozen=True)
class Binary(Expression):
    """A two-sided operator; words in capitals, `<>` spelt `!=`."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True)
class Ternary(Expression):
    """`condition ? then : otherwise`."""

    condition: Expression
    then: Expression
    otherwise: Expression


@dataclass(frozen=True)
class InList(Expression):
    """`operand IN (choices)`."""

    operand: Expression
    choices: tuple[Expression, ...]


@dataclass(frozen=True)
class Like(Expression):
    """`operand LIKE pattern ESCAPE escape`."""

    operand: Expression
    pattern: Expression
    escape: str


@dataclass(frozen=True)
class Call(Expression):
    """A function by its name in capitals."""

    function: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True)
class UserCall(Expression):
    """`udf.name(…)`, by its name without the prefix."""

    function: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True)
class ArrayOf(Expression):
    """`[a, b]`."""

    elements: tuple[Expression, ...]


@dataclass(frozen=True)
class ObjectOf(Expression):
    """`{"a": x}`."""

    members: tuple[tuple[str, Expression], ...]


@dataclass(frozen=True)
class Exists(Expression):
    """`EXISTS(query)`."""

    query: "Query"


@dataclass(frozen=True)
class ArrayQuery(Expression):
    """`ARRAY(query)`."""

    query: "Query"


@dataclass(frozen=True)
class ScalarQuery(Expression):
    """`(query)`: its first value."""

    query: "Query"


@dataclass(frozen=True)
class SelectStar:
    """`SELECT *`."""


@dataclass(frozen=True)
class SelectValue:
    """`SELECT VALUE expression`."""

    value: Expression


@dataclass(frozen=True)
class SelectList:
    """`SELECT a, b AS c`, each with the name it gets in the answer."""

    items: tuple[tuple[str, Expression], ...]


@dataclass(frozen=True)
class Source:
    """One member of FROM: an expression or a query, iterated (`x IN …`, a query) or taken as it is."""

    alias: str
    origin: "Expression | Query"
    iterated: bool


@dataclass(frozen=True)
class OrderItem:
    """One member of ORDER BY."""

    value: Expression
    descending: bool


@dataclass(frozen=True)
class Query:
    """A whole SELECT. `top`, `offset` and `limit` are numbers or parameters."""

    selection: SelectStar | SelectValue | SelectList
    distinct: bool = False
    top: Expression | None = None
    sources: tuple[Source, ...] = ()
    where: Expression | None = None
    group_by: tuple[Expression, ...] = ()
    order_by: tuple[OrderItem, ...] = ()
    offset: Expression | None = None
    limit: Expression | None = None


AGGREGATES = frozenset({"COUNT", "SUM", "AVG", "MIN", "MAX", "COUNTIF", "MAKELIST", "MAKESET"})


def children(expression: Expression) -> tuple[Expression, ...]:  # noqa: PLR0911 - one case for each kind
    """The expressions directly inside; not those of sub-queries, which have a scope of their own."""
    match expression:
        case Property(base, key):
            return base, key
        case Unary(_, operand):
            return (operand,)
        case Binary(_, left, right):
            return left, right
        case Ternary(condition, then, otherwise):
            return condition, then, otherwise
        case InList(operand, choices):
            return operand, *choices
        case Like(operand, pattern, _):
            return operand, pattern
        case Call(_, arguments) | UserCall(_, arguments):
            return arguments
        case ArrayOf(elements):
            return elements
        case ObjectOf(members):
            return tuple(value for _, value in members)
        case _:
            return ()


def is_aggregate(expression: Expression) -> bool:
    """Whether it is the call of an aggregate."""
    return isinstance(expression, Call) and expression.function in AGGREGATES


def aggregates_in(expression: Expression) -> list[Call]:
    """Each call of an aggregate in it, from left to right."""
    if isinstance(expression, Call) and is_aggregate(expression):
        return [expression]
    return [call for child in children(expression) for call in aggregates_in(child)]


def selected(query: Query) -> tuple[Expression, ...]:
    """The expressions of the selection."""
    match query.selection:
        case SelectValue(value):
            return (value,)
        case SelectList(items):
            return tuple(value for _, value in items)
        case _:
            return ()


def root_alias(query: Query) -> str:
    """The name by which the query calls the container's documents."""
    return query.sources[0].alias if query.sources else ""


def constant(value: Json) -> Expression:
    """A decoded JSON value as an expression."""
    if isinstance(value, list):
        return ArrayOf(tuple(constant(element) for element in value))
    if isinstance(value, dict):
        return ObjectOf(tuple((name, constant(member)) for name, member in value.items()))
    return Literal(value)


def flatten(operator: str, expression: Expression) -> list[Expression]:
    """The operands of a chain of one operator, from left to right, however long the chain is."""
    parts: list[Expression] = []
    pending = [expression]
    while pending:
        part = pending.pop()
        if isinstance(part, Binary) and part.operator == operator:
            pending += [part.right, part.left]
        else:
            parts.append(part)
    return parts
