"""AST back to query text: what a query plan hands to the client to send to each range."""

import json

from local_azure.cosmos.query import ast

_WORDS = frozenset({"AND", "OR"})


def render(query: ast.Query) -> str:
    """The text of a query; parsing it gives the same AST."""
    parts = ["SELECT"]
    if query.distinct:
        parts.append("DISTINCT")
    if query.top is not None:
        parts.append(f"TOP {expression(query.top)}")
    parts.append(_selection(query.selection))
    if query.sources:
        parts.append("FROM " + "\nJOIN ".join(_source(source) for source in query.sources))
    if query.where is not None:
        parts.append(f"WHERE {expression(query.where)}")
    if query.group_by:
        parts.append(f"GROUP BY {', '.join(expression(key) for key in query.group_by)}")
    if query.order_by:
        parts.append(f"ORDER BY {', '.join(_order_item(item) for item in query.order_by)}")
    if query.offset is not None and query.limit is not None:
        parts.append(f"OFFSET {expression(query.offset)} LIMIT {expression(query.limit)}")
    return "\n".join(parts)


def _selection(selection: ast.SelectStar | ast.SelectValue | ast.SelectList) -> str:
    match selection:
        case ast.SelectValue(value):
            return f"VALUE {expression(value)}"
        case ast.SelectList(items):
            return ", ".join(_item(name, value) for name, value in items)
    return "*"


def _item(name: str, value: ast.Expression) -> str:
    is_implied = isinstance(value, ast.Property) and value.key == ast.Literal(name)
    is_numbered = name.startswith("$") and name[1:].isdigit()
    return expression(value) if is_implied or is_numbered else f"{expression(value)} AS {name}"


def _source(source: ast.Source) -> str:
    if isinstance(source.origin, ast.Query):
        return f"({render(source.origin)})" + (f" AS {source.alias}" if source.alias else "")
    origin = expression(source.origin)
    return (
        f"{source.alias} IN {origin}" if source.iterated else f"{origin} AS {source.alias}" if source.alias else origin
    )


def _order_item(item: ast.OrderItem) -> str:
    return f"{expression(item.value)} {'DESC' if item.descending else 'ASC'}"


def expression(value: ast.Expression) -> str:  # noqa: C901, PLR0911, PLR0912 - one line for each kind of expression
    """The text of an expression, in parentheses wherever precedence could matter."""
    match value:
        case ast.Literal(constant):
            return json.dumps(constant)
        case ast.Undefined():
            return "undefined"
        case ast.Parameter(name) | ast.Name(name):
            return name
        case ast.Property(base, key):
            return f"{expression(base)}[{expression(key)}]"
        case ast.Unary(operator, operand):
            return f"({operator} {expression(operand)})"
        case ast.Binary(operator, _, _) if operator in _WORDS:
            return f"({f' {operator} '.join(expression(part) for part in ast.flatten(operator, value))})"
        case ast.Binary(operator, left, right):
            return f"({expression(left)} {operator} {expression(right)})"
        case ast.Ternary(condition, then, otherwise):
            return f"({expression(condition)} ? {expression(then)} : {expression(otherwise)})"
        case ast.InList(operand, choices):
            return f"({expression(operand)} IN ({_list(choices)}))"
        case ast.Like(operand, pattern, escape):
            suffix = f" ESCAPE {json.dumps(escape)}" if escape else ""
            return f"({expression(operand)} LIKE {expression(pattern)}{suffix})"
        case ast.Call(function, arguments):
            return f"{function}({_list(arguments)})"
        case ast.UserCall(function, arguments):
            return f"udf.{function}({_list(arguments)})"
        case ast.ArrayOf(elements):
            return f"[{_list(elements)}]"
        case ast.ObjectOf(members):
            return "{" + ", ".join(f"{json.dumps(name)}: {expression(member)}" for name, member in members) + "}"
        case ast.Exists(query):
            return f"EXISTS({render(query)})"
        case ast.ArrayQuery(query):
            return f"ARRAY({render(query)})"
        case ast.ScalarQuery(query):
            return f"({render(query)})"
    raise AssertionError(f"no text for {value!r}")


def _list(values: tuple[ast.Expression, ...]) -> str:
    return ", ".join(expression(value) for value in values)
