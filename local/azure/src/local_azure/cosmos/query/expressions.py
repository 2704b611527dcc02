"""Expressions to SQL.

A value is SQL text that yields JSON text, or NULL for undefined. A condition is SQL text that yields 1, 0 or NULL
(undefined), so that SQL's own three-valued AND, OR and NOT are the language's. Constants are bound as named
parameters; only property paths stand in the SQL itself, quoted, because SQLite finds an expression index by its text.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from local_azure.cosmos import jsontext
from local_azure.cosmos.errors import bad_request
from local_azure.cosmos.jsonpath import json_path
from local_azure.cosmos.jsontext import Json
from local_azure.cosmos.query import ast
from local_azure.cosmos.query.computed import ComputedProperty, Vocabulary
from local_azure.cosmos.query.functions import FUNCTIONS, PREFIX
from local_azure.cosmos.query.numbers import OPERATOR_NAMES, UNARY_NAMES
from local_azure.cosmos.query.parser import refuse
from local_azure.cosmos.query.semantics import (
    ARRAY_RANK,
    NUMBER_RANK,
    STRING_RANK,
    UNDEFINED,
    rank,
)

_COMPARISONS = frozenset({"=", "!=", "<", "<=", ">", ">="})
_FLIPPED = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_RANKS = (
    "CASE json_type({body}, {path}) WHEN 'null' THEN 1 WHEN 'false' THEN 2 WHEN 'true' THEN 3 WHEN 'integer' THEN 4 "
    "WHEN 'real' THEN 4 WHEN 'text' THEN 5 WHEN 'array' THEN 6 WHEN 'object' THEN 7 ELSE 0 END"
)
_TYPE_CHECKS = {
    "IS_NULL": "({0} = 'null')",
    "IS_BOOL": "({0} IN ('true', 'false'))",
    "IS_STRING": "(substr({0}, 1, 1) = '\"')",
    "IS_ARRAY": "(substr({0}, 1, 1) = '[')",
    "IS_OBJECT": "(substr({0}, 1, 1) = '{{')",
    "IS_NUMBER": "(substr({0}, 1, 1) BETWEEN '-' AND '9')",
    "IS_PRIMITIVE": "(substr({0}, 1, 1) NOT IN ('[', '{{'))",
}
_CHUNK = 60
_MAX_DEPTH = 120

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Binding:
    """What an alias stands for: the SQL of its JSON text, and of the part of it that has properties."""

    json: str
    container: str
    document: str = ""
    """Alias of the documents' table, when it stands for a whole document or for a `path` in one."""
    path: Path = ()
    computed: bool = False
    """Whether it is a computed property."""


@dataclass
class Parameters:
    """The values bound to a statement, and the query's own parameters."""

    given: dict[str, Json]
    bound: dict[str, str | int | float | None] = field(default_factory=dict)

    def bind(self, value: str | int | float | None) -> str:
        """The placeholder of a value."""
        name = f"v{len(self.bound)}"
        self.bound[name] = value
        return f":{name}"

    def lookup(self, name: str) -> Json:
        """A query parameter's value. Raises CosmosError 400 when it was not sent."""
        if name not in self.given:
            raise bad_request(f"The query parameter '{name}' has no value.")
        return self.given[name]


def rank_of(document: str, path: Path) -> str:
    """SQL of the place of a property's type in the order of types, 0 when it is undefined."""
    return _RANKS.format(body=f"{document}body", path=json_path(path))


def plain_of(document: str, path: Path) -> str:
    """SQL of a property as a plain SQL value, comparable among values of one rank."""
    return f"json_extract({document}body, {json_path(path)})"


def is_plain_path(path: Path) -> bool:
    """Whether SQLite's path syntax can spell it (it has no escapes)."""
    return not any(isinstance(step, str) and ('"' in step or "\\" in step or "\0" in step) for step in path)


@dataclass(frozen=True)
class Scope:
    """The aliases that an expression may use; translates expressions in it."""

    parameters: Parameters
    names: dict[str, Binding]
    subquery: Callable[["Scope", ast.Query], "str"]
    """Gives the SQL of a sub-query that yields its values in a column `v`."""
    vocabulary: Vocabulary = field(default_factory=Vocabulary)
    depth: int = 0

    def with_names(self, names: dict[str, Binding]) -> "Scope":
        """This scope with more aliases."""
        return replace(self, names={**self.names, **names})

    # --- constants and paths -----------------------------------------------------------------------

    def constant(self, expression: ast.Expression) -> Json:
        """The value of a literal or parameter; UNDEFINED for anything else."""
        if isinstance(expression, ast.Literal):
            return expression.value
        if isinstance(expression, ast.Parameter):
            return self.parameters.lookup(expression.name)
        if isinstance(expression, ast.Unary) and expression.operator == "-":
            value = self.constant(expression.operand)
            return -value if rank(value) == NUMBER_RANK else UNDEFINED
        return UNDEFINED

    def resolve(self, expression: ast.Expression) -> Binding | None:
        """Name or property with a constant path, as a binding; None for any other expression."""
        if isinstance(expression, ast.Name):
            if expression.name not in self.names:
                refuse(f"Identifier '{expression.name}' could not be resolved.", code="SC2001")
            return self.names[expression.name]
        if not isinstance(expression, ast.Property):
            return None
        base, key = self.resolve(expression.base), self.constant(expression.key)
        if base is None or rank(key) not in (NUMBER_RANK, STRING_RANK):
            return None
        step = key if isinstance(key, str) else _array_index(key)
        if base.document and not base.path and step in self.vocabulary.computed:
            return self._compute(self.vocabulary.computed[str(step)], base)
        return None if step is None or not is_plain_path((step,)) else _step_into(base, step)

    def _compute(self, definition: ComputedProperty, document: Binding) -> Binding:
        json = replace(self._deeper(), names={definition.alias: document}, vocabulary=Vocabulary()).value(
            definition.value
        )
        return Binding(json, json, computed=True)

    def _document_path(self, expression: ast.Expression) -> tuple[str, Path] | None:
        """(table alias, path) when it is a property of a stored document."""
        binding = self.resolve(expression)
        return (binding.document, binding.path) if binding and binding.document and binding.path else None

    # --- values --------------------------------------------------------------------------------------

    def value(self, expression: ast.Expression) -> str:  # noqa: C901, PLR0911, PLR0912 - one case for each kind
        """SQL that yields its JSON text, NULL when undefined."""
        deeper = self._deeper()
        binding = self.resolve(expression)
        if binding is not None:
            return binding.json
        match expression:
            case ast.Literal() | ast.Parameter():
                return self.parameters.bind(jsontext.dumps(self.constant(expression)))
            case ast.Undefined():
                return "NULL"
            case ast.Property(base, key):
                return f"{PREFIX}element({deeper.value(base)}, {deeper.value(key)})"
            case ast.ArrayOf(elements):
                return deeper._array(elements)
            case ast.ObjectOf(members):
                return deeper.object(members)
            case ast.ScalarQuery(query):
                return f"(SELECT v FROM ({deeper.subquery(deeper, query)}) LIMIT 1)"
            case ast.ArrayQuery(query):
                return f"(SELECT '[' || COALESCE(group_concat(v), '') || ']' FROM ({deeper.subquery(deeper, query)}))"
            case ast.Ternary(condition, then, otherwise):
                return deeper._choice(condition, then, otherwise)
            case ast.Unary(operator, operand) if operator in UNARY_NAMES:
                return f"{PREFIX}{UNARY_NAMES[operator]}({deeper.value(operand)})"
            case ast.Binary("??", left, right):
                return f"COALESCE({deeper.value(left)}, {deeper.value(right)})"
            case ast.Binary(operator, left, right) if operator in OPERATOR_NAMES:
                return f"{PREFIX}{OPERATOR_NAMES[operator]}({deeper.value(left)}, {deeper.value(right)})"
            case ast.Call(function, arguments) if not _is_check(function):
                return deeper._call(function, arguments)
            case ast.UserCall(function, arguments):
                return deeper._user_call(function, arguments)
        return f"(CASE {self.condition(expression)} WHEN 1 THEN 'true' WHEN 0 THEN 'false' END)"

    def object(self, members: tuple[tuple[str, ast.Expression], ...]) -> str:
        """SQL that yields an object of those members that are defined."""
        pairs = [f"{self._name(name)}, {self.value(value)}" for name, value in members]
        return _chunked("object", pairs, "'{}'")

    def _name(self, name: str) -> str:
        return self.parameters.bind(jsontext.dumps(name))

    def _array(self, elements: tuple[ast.Expression, ...]) -> str:
        return _chunked("array", [self.value(element) for element in elements], "'[]'")

    def _choice(self, condition: ast.Expression, then: ast.Expression, otherwise: ast.Expression) -> str:
        return f"(CASE WHEN {self.condition(condition)} THEN {self.value(then)} ELSE {self.value(otherwise)} END)"

    def _call(self, name: str, arguments: tuple[ast.Expression, ...]) -> str:
        if name in ast.AGGREGATES:
            return self._aggregate(name, arguments)
        if name == "IIF" and len(arguments) == 3:
            return self._choice(*arguments)
        function = FUNCTIONS.get(name)
        if function is None:
            refuse(f"'{name}' is not a recognized built-in function name.", code="SC2005")
        if not function.least <= len(arguments) <= function.most:
            refuse(f"The {name} function requires {function.least} to {function.most} argument(s).", code="SC2050")
        return f"{PREFIX}{name.lower()}({', '.join(self.value(argument) for argument in arguments)})"

    def _user_call(self, name: str, arguments: tuple[ast.Expression, ...]) -> str:
        source = self.vocabulary.find_function(name)
        if source is None:
            refuse(f"'udf.{name}' is not a recognized user-defined function name.", code="SC2005")
        return f"{PREFIX}user_function({', '.join([self.parameters.bind(source), *map(self.value, arguments)])})"

    def _aggregate(self, name: str, arguments: tuple[ast.Expression, ...]) -> str:
        if len(arguments) != 1:
            refuse(f"The {name} function requires 1 argument(s).", code="SC2050")
        if ast.aggregates_in(arguments[0]):
            refuse("Cannot perform an aggregate function on an expression containing an aggregate.", code="SC2106")
        if name == "COUNTIF":
            return f"CAST(COALESCE(SUM({self.condition(arguments[0])}), 0) AS TEXT)"
        if name == "COUNT":
            counted = "*" if isinstance(arguments[0], ast.Literal) else self.value(arguments[0])
            return f"CAST(count({counted}) AS TEXT)"
        if name in ("MAKELIST", "MAKESET"):
            distinct = "DISTINCT " if name == "MAKESET" else ""
            return f"'[' || COALESCE(group_concat({distinct}{self.value(arguments[0])}), '') || ']'"
        return f"{PREFIX}{name.lower()}({self.value(arguments[0])})"

    # --- conditions ----------------------------------------------------------------------------------

    def condition(self, expression: ast.Expression) -> str:  # noqa: C901, PLR0911 - one case for each kind
        """SQL that yields 1, 0, or NULL when it is undefined or not a Boolean."""
        deeper = self._deeper()
        match expression:
            case ast.Literal(bool(value)):
                return "1" if value else "0"
            case ast.Binary("AND" | "OR" as operator, _, _):
                return _balanced(operator, [deeper.condition(part) for part in ast.flatten(operator, expression)])
            case ast.Unary("NOT", operand):
                return f"(NOT {deeper.condition(operand)})"
            case ast.Binary(operator, left, right) if operator in _COMPARISONS:
                return deeper._comparison(operator, left, right)
            case ast.InList(operand, choices):
                return _balanced("OR", [deeper._comparison("=", operand, choice) for choice in choices])
            case ast.Like(operand, pattern, escape):
                text, wanted = deeper.value(operand), deeper.value(pattern)
                return _truth(f"{PREFIX}like({text}, {wanted}, {self._name(escape)})")
            case ast.Exists(query):
                return f"EXISTS(SELECT 1 FROM ({deeper.subquery(deeper, query)}) WHERE v IS NOT NULL)"
            case ast.Call("IS_DEFINED", (argument,)):
                return f"({deeper.value(argument)} IS NOT NULL)"
            case ast.Call(function, (argument,)) if function in _TYPE_CHECKS:
                return f"COALESCE({_TYPE_CHECKS[function].format(deeper.value(argument))}, 0)"
        if _is_check(getattr(expression, "function", "")):
            refuse(f"The {getattr(expression, 'function', '')} function requires 1 argument(s).", code="SC2050")
        if _yields_condition(expression):
            refuse("The expression could not be read.", code="SC1001")
        return _truth(deeper.value(expression))

    def filter(self, expression: ast.Expression) -> str:
        """SQL true exactly when the expression is; free to say 0 for undefined, so that an index can serve it."""
        deeper = self._deeper()
        match expression:
            case ast.Binary("AND" | "OR" as operator, _, _):
                return _balanced(operator, [deeper.filter(part) for part in ast.flatten(operator, expression)])
            case ast.InList(operand, choices):
                return _balanced("OR", [deeper.filter(ast.Binary("=", operand, choice)) for choice in choices])
            case ast.Binary(operator, left, right) if operator in _COMPARISONS and operator != "!=":
                indexed = deeper._indexable(operator, left, right) or deeper._indexable(_FLIPPED[operator], right, left)
                if indexed:
                    return indexed
        return self.condition(expression)

    def _indexable(self, operator: str, left: ast.Expression, right: ast.Expression) -> str | None:
        """`property operator constant` over the columns of an index; None when it is not of that form."""
        constant = self.constant(right)
        order = rank(constant)
        at = self._document_path(left)
        if at is None or order not in (NUMBER_RANK, STRING_RANK):
            return None
        document, path = at
        if path == ("id",):
            return f"({document}id {operator} {self.parameters.bind(constant)})" if order == STRING_RANK else "0"
        placeholder = self.parameters.bind(constant)
        return f"({rank_of(document, path)} = {order} AND {plain_of(document, path)} {operator} {placeholder})"

    def _comparison(self, operator: str, left: ast.Expression, right: ast.Expression) -> str:
        a, b = self.value(left), self.value(right)
        if operator in ("=", "!="):
            scalar = any(
                0 < rank(self.constant(side)) < ARRAY_RANK and not _is_huge(self.constant(side))
                for side in (left, right)
            )
            same = f"({a} = {b})" if scalar else f"{PREFIX}equal({a}, {b})"
            return same if operator == "=" else f"(NOT {same})"
        return f"({PREFIX}compare({a}, {b}) {operator} 0)"

    def _deeper(self) -> "Scope":
        if self.depth > _MAX_DEPTH:
            raise bad_request("The query is nested too deeply.")
        return replace(self, depth=self.depth + 1)


def _balanced(operator: str, parts: list[str]) -> str:
    """A chain as a balanced tree: SQLite limits an expression's depth, not its size."""
    while len(parts) > 1:
        pairs = [f"({left} {operator} {right})" for left, right in zip(parts[::2], parts[1::2], strict=False)]
        parts = [*pairs, parts[-1]] if len(parts) % 2 else pairs
    return parts[0]


def _chunked(function: str, parts: list[str], empty: str) -> str:
    chunks = [
        f"{PREFIX}{function}({', '.join(parts[start : start + _CHUNK])})" for start in range(0, len(parts), _CHUNK)
    ]
    if len(chunks) > _CHUNK * 2:
        raise bad_request("An object or array in the query has too many members.")
    return empty if not chunks else chunks[0] if len(chunks) == 1 else f"{PREFIX}merge({', '.join(chunks)})"


def _step_into(base: Binding, step: str | int) -> Binding:
    path = (*base.path, step)
    if base.document:
        body = f"{base.document}body"
        json = f"({body} -> {json_path(path)})"
        return Binding(json, json, base.document, path)
    json = f"({base.container} -> {json_path(path)})"
    return Binding(json, base.container, path=path)


def _array_index(number: int | float) -> int | None:
    return int(number) if float(number).is_integer() and 0 <= number < 2**31 else None


def _truth(value: str) -> str:
    return f"(CASE {value} WHEN 'true' THEN 1 WHEN 'false' THEN 0 END)"


def _is_check(function: str) -> bool:
    return function == "IS_DEFINED" or function in _TYPE_CHECKS


def _yields_condition(expression: ast.Expression) -> bool:
    """Whether `value` would ask `condition` for it."""
    match expression:
        case ast.Unary(operator, _):
            return operator not in UNARY_NAMES
        case ast.Binary(operator, _, _):
            return operator != "??" and operator not in OPERATOR_NAMES
        case ast.InList() | ast.Like() | ast.Exists():
            return True
    return False


def _is_huge(value: Json) -> bool:
    """Whether a number has more than one spelling as JSON text."""
    return rank(value) == NUMBER_RANK and abs(value) >= 2**53
