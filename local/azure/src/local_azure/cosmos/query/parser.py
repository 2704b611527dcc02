"""Query text to AST, by the grammar in `grammar.lark`."""

import json
from functools import lru_cache
from importlib.resources import files
from typing import NoReturn

from lark import Lark, Token, Transformer, UnexpectedInput, v_args
from lark.exceptions import VisitError

from local_azure.cosmos.errors import CosmosError, bad_request
from local_azure.cosmos.jsontext import Json
from local_azure.cosmos.query import ast

MAX_QUERY_CHARACTERS = 512 * 1024
_MAX_NESTING = 200
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


@lru_cache(maxsize=512)
def parse(text: str) -> ast.Query:
    """The query's AST.

    Raises CosmosError 400 in the service's shape, with the place of the mistake.
    """
    if len(text) > MAX_QUERY_CHARACTERS:
        raise bad_request(f"The SQL query text exceeded the maximum limit of {MAX_QUERY_CHARACTERS} characters.")
    _check_nesting(text)
    try:
        return _build(text)
    except UnexpectedInput as error:
        start = error.pos_in_stream or 0
        refuse(f"Syntax error, incorrect syntax near '{text[start : start + 20].partition(' ')[0]}'.", start, len(text))
    except VisitError as error:
        if isinstance(error.orig_exc, CosmosError):
            raise error.orig_exc from error
        raise
    except RecursionError as error:
        raise bad_request("The query is nested too deeply.") from error


def refuse(message: str, start: int = 0, end: int = 0, code: str = "SC1001") -> NoReturn:
    """Raise CosmosError 400 in the shape of the service's compiler."""
    mistake = {"severity": "Error", "location": {"start": start, "end": end}, "code": code, "message": message}
    raise bad_request(f"Message: {json.dumps({'errors': [mistake]})}")


def _check_nesting(text: str) -> None:
    nesting = 0
    for character in text:
        nesting += (character in "([{") - (character in ")]}")
        if nesting > _MAX_NESTING:
            refuse(f"The query exceeded the maximum nesting of {_MAX_NESTING}.", code="SC3051")


@lru_cache(maxsize=1)
def _lark() -> Lark:
    grammar = files("local_azure.cosmos.query").joinpath("grammar.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", lexer="contextual", maybe_placeholders=False)


def _build(text: str) -> ast.Query:
    query: ast.Query = _Builder().transform(_lark().parse(text))
    return query


def _unquote(text: str) -> str:
    result, position, end = [], 1, len(text) - 1
    while position < end:
        character = text[position]
        if character != "\\":
            result.append(character)
            position += 1
            continue
        escape = text[position + 1]
        position += 2
        if escape == "u":
            result.append(_code_unit(text[position : position + 4]))
            position += 4
        else:
            result.append(_ESCAPES.get(escape, escape))
    return "".join(result).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _code_unit(digits: str) -> str:
    try:
        return chr(int(digits, 16))
    except ValueError:
        refuse(f"Invalid escape sequence '\\u{digits}'.")


def _is_name(token: object) -> bool:
    return isinstance(token, Token) and token.type in ("NAME", "PROPERTY")


class _Clause(tuple[str, object]):
    """A clause on its way into the Query: the field's name and value."""

    __slots__ = ()


def _clause(name: str, value: object) -> _Clause:
    return _Clause((name, value))


@v_args(inline=True)
class _Builder(Transformer[Token, ast.Query]):
    """Turns lark's tree into the AST, from the leaves up."""

    def start(self, query: ast.Query) -> ast.Query:
        return query

    def query(self, select: dict[str, Json], *clauses: _Clause) -> ast.Query:
        fields: dict[str, Json] = {**select, **dict(clauses)}
        fields["offset"], fields["limit"] = fields.pop("window", (None, None))
        return ast.Query(**fields)

    # --- clauses ---------------------------------------------------------------------------------

    def select(self, _keyword: Token, *parts: object) -> dict[str, object]:
        clauses = dict(part for part in parts if isinstance(part, _Clause))
        return {**clauses, "selection": parts[-1]}

    def distinct(self, _keyword: Token) -> _Clause:
        return _clause("distinct", True)

    def top(self, _keyword: Token, count: Token) -> _Clause:
        return _clause("top", self._count(count))

    def select_star(self, _star: Token) -> ast.SelectStar:
        return ast.SelectStar()

    def select_value(self, _keyword: Token, value: ast.Expression) -> ast.SelectValue:
        return ast.SelectValue(value)

    def select_list(self, *items: tuple[str | None, ast.Expression]) -> ast.SelectList:
        named, anonymous = [], 0
        for name, value in items:
            if name is None:
                anonymous += 1
            named.append((name or f"${anonymous}", value))
        names = [name for name, _ in named]
        for name in names:
            if names.count(name) > 1:
                refuse(f"Duplicate property name '{name}' in the SELECT clause.", code="SC2009")
        return ast.SelectList(tuple(named))

    def select_item(self, value: ast.Expression, *alias: Token) -> tuple[str | None, ast.Expression]:
        if alias:
            return str(alias[-1]), value
        if isinstance(value, ast.Name):
            return value.name, value
        if isinstance(value, ast.Property) and isinstance(value.key, ast.Literal) and isinstance(value.key.value, str):
            return value.key.value, value
        return None, value

    def from_clause(self, _keyword: Token, *sources: ast.Source) -> _Clause:
        return _clause("sources", sources)

    def join(self, _keyword: Token, source: ast.Source) -> ast.Source:
        return source

    def iterate(self, alias: Token, _keyword: Token, origin: ast.Expression) -> ast.Source:
        return ast.Source(str(alias), origin, iterated=True)

    def derived(self, query: ast.Query, *alias: Token) -> ast.Source:
        return ast.Source(str(alias[-1]) if alias else "", query, iterated=True)

    def plain(self, origin: ast.Expression, *alias: Token) -> ast.Source:
        return ast.Source(str(alias[-1]) if alias else _implied_alias(origin), origin, iterated=False)

    def collection(self, name: Token, *steps: ast.Expression) -> ast.Expression:
        origin: ast.Expression = ast.Name(str(name))
        for step in steps:
            origin = ast.Property(origin, step)
        return origin

    def member(self, name: Token) -> ast.Expression:
        return ast.Literal(str(name))

    def index(self, key: ast.Expression) -> ast.Expression:
        return key

    def where_clause(self, _keyword: Token, condition: ast.Expression) -> _Clause:
        return _clause("where", condition)

    def group_clause(self, _group: Token, _by: Token, *keys: ast.Expression) -> _Clause:
        return _clause("group_by", keys)

    def order_clause(self, _order: Token, _by: Token, *items: ast.OrderItem) -> _Clause:
        return _clause("order_by", items)

    def order_rank(self, *_parts: object) -> _Clause:
        raise bad_request("ORDER BY RANK (full-text and hybrid search) is not served by this server.")

    def order_item(self, value: ast.Expression, *direction: Token) -> ast.OrderItem:
        return ast.OrderItem(value, bool(direction) and direction[0].type == "DESC")

    def offset_clause(self, _offset: Token, offset: Token, _limit: Token, limit: Token) -> _Clause:
        return _clause("window", (self._count(offset), self._count(limit)))

    @staticmethod
    def _count(token: Token) -> ast.Expression:
        if token.type == "PARAMETER":
            return ast.Parameter(str(token))
        if len(token) > 10:
            refuse(f"The number '{token[:20]}' is out of range for TOP, OFFSET and LIMIT.", code="SC2062")
        return ast.Literal(int(token))

    # --- expressions -----------------------------------------------------------------------------

    def ternary(self, condition: ast.Expression, *branches: ast.Expression) -> ast.Expression:
        return ast.Ternary(condition, *branches) if branches else condition

    def coalesce(self, left: ast.Expression, right: ast.Expression) -> ast.Expression:
        return ast.Binary("??", left, right)

    def binary(self, left: ast.Expression, operator: Token, right: ast.Expression) -> ast.Expression:
        spelt = operator.upper()
        return ast.Binary("!=" if spelt == "<>" else spelt, left, right)

    def chain(self, first: ast.Expression, operator: Token, *rest: ast.Expression | Token) -> ast.Expression:
        spelt = operator.upper()
        operands = [first, *(part for part in rest if isinstance(part, ast.Expression))]
        return _balanced(spelt, [each for operand in operands for each in ast.flatten(spelt, operand)])

    def unary(self, operator: Token, operand: ast.Expression) -> ast.Expression:
        return ast.Unary(operator.upper(), operand)

    def between(self, *parts: ast.Expression | Token) -> ast.Expression:
        operand, low, high = (part for part in parts if isinstance(part, ast.Expression))
        inside = ast.Binary("AND", ast.Binary(">=", operand, low), ast.Binary("<=", operand, high))
        return _negated_if_asked(inside, parts)

    def in_list(self, operand: ast.Expression, *parts: ast.Expression | Token) -> ast.Expression:
        choices = tuple(part for part in parts if isinstance(part, ast.Expression))
        return _negated_if_asked(ast.InList(operand, choices), parts)

    def like(self, operand: ast.Expression, *parts: ast.Expression | Token) -> ast.Expression:
        (pattern,) = (part for part in parts if isinstance(part, ast.Expression))
        escapes = [_unquote(part) for part in parts if isinstance(part, Token) and part.type == "STRING"]
        if escapes and len(escapes[0]) != 1:
            refuse("The ESCAPE of LIKE is one character.")
        return _negated_if_asked(ast.Like(operand, pattern, escapes[0] if escapes else ""), parts)

    def property(self, base: ast.Expression, name: Token) -> ast.Expression:
        return ast.Property(base, ast.Literal(str(name)))

    def element(self, base: ast.Expression, key: ast.Expression) -> ast.Expression:
        return ast.Property(base, key)

    def true(self, _token: Token) -> ast.Expression:
        return ast.Literal(True)

    def false(self, _token: Token) -> ast.Expression:
        return ast.Literal(False)

    def null(self, _token: Token) -> ast.Expression:
        return ast.Literal(None)

    def undefined(self, _token: Token) -> ast.Expression:
        return ast.Undefined()

    def number(self, token: Token) -> ast.Expression:
        value = float(token)
        if value == float("inf"):
            refuse(f"The number '{token[:20]}' is out of range.", code="SC1012")
        return ast.Literal(int(value) if value.is_integer() and abs(value) < 2**53 else value)

    def string(self, token: Token) -> ast.Expression:
        return ast.Literal(_unquote(token))

    def parameter(self, token: Token) -> ast.Expression:
        return ast.Parameter(str(token))

    def name(self, token: Token) -> ast.Expression:
        return ast.Name(str(token))

    def call(self, name: Token, arguments: tuple[ast.Expression, ...] = ()) -> ast.Expression:
        return ast.Call(name.upper(), arguments)

    def udf_call(self, _udf: Token, name: Token, arguments: tuple[ast.Expression, ...] = ()) -> ast.Expression:
        return ast.UserCall(str(name), arguments)

    def arguments(self, *arguments: ast.Expression) -> tuple[ast.Expression, ...]:
        return arguments

    def exists(self, _keyword: Token, query: ast.Query) -> ast.Expression:
        return ast.Exists(query)

    def array_query(self, _keyword: Token, query: ast.Query) -> ast.Expression:
        return ast.ArrayQuery(query)

    def scalar_query(self, query: ast.Query) -> ast.Expression:
        return ast.ScalarQuery(query)

    def array(self, elements: tuple[ast.Expression, ...] = ()) -> ast.Expression:
        return ast.ArrayOf(elements)

    def object(self, *members: tuple[str, ast.Expression]) -> ast.Expression:
        return ast.ObjectOf(members)

    def pair(self, name: Token, value: ast.Expression) -> tuple[str, ast.Expression]:
        return (_unquote(name) if name.type == "STRING" else str(name)), value


def _balanced(operator: str, operands: list[ast.Expression]) -> ast.Expression:
    """A chain of AND or OR as a tree of little depth, so that a thousand operands cost no stack."""
    if len(operands) == 1:
        return operands[0]
    middle = len(operands) // 2
    return ast.Binary(operator, _balanced(operator, operands[:middle]), _balanced(operator, operands[middle:]))


def _negated_if_asked(expression: ast.Expression, parts: tuple[ast.Expression | Token, ...]) -> ast.Expression:
    negated = any(isinstance(part, Token) and part.type == "NOT" for part in parts)
    return ast.Unary("NOT", expression) if negated else expression


def _implied_alias(origin: ast.Expression) -> str:
    if isinstance(origin, ast.Name):
        return origin.name
    key = origin.key if isinstance(origin, ast.Property) else None
    return str(key.value) if isinstance(key, ast.Literal) else ""
