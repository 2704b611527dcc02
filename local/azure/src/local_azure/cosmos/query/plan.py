"""Query plans: what a client must merge itself when a query spans partitions, and the query that it sends to each.

The service does not merge sorted, grouped, distinct, counted or cut results of several partitions: it answers
400/1004, and the client asks for a plan. The plan's rewritten query gives each partition's part in a form that can be
merged: sort keys beside the value, averages as sum and count.
"""

from dataclasses import dataclass, replace

from local_azure.cosmos.effective_key import HIGHEST, LOWEST
from local_azure.cosmos.errors import bad_request
from local_azure.cosmos.jsontext import Json
from local_azure.cosmos.query import ast
from local_azure.cosmos.query.render import expression, render

_AGGREGATE_NAMES = {
    "COUNT": "Count",
    "SUM": "Sum",
    "AVG": "Average",
    "MIN": "Min",
    "MAX": "Max",
    "COUNTIF": "CountIf",
    "MAKELIST": "MakeList",
    "MAKESET": "MakeSet",
}
_NEEDED_FEATURE = {"CountIf": "CountIf", "MakeList": "ListAndSetAggregate", "MakeSet": "ListAndSetAggregate"}
ALL_FEATURES = frozenset(
    {
        "Aggregate",
        "CountIf",
        "Distinct",
        "GroupBy",
        "ListAndSetAggregate",
        "MultipleAggregates",
        "MultipleOrderBy",
        "NonValueAggregate",
        "OffsetAndLimit",
        "OrderBy",
        "Top",
    }
)
FULL_RANGE = {"min": LOWEST, "max": HIGHEST, "isMinInclusive": True, "isMaxInclusive": False}


def needs_client(query: ast.Query) -> bool:
    """Whether results of several partitions of it can not simply be strung together."""
    return bool(
        query.distinct
        or query.order_by
        or query.group_by
        or query.top is not None
        or query.limit is not None
        or any(ast.aggregates_in(value) for value in ast.selected(query))
    )


def fixed_keys(query: ast.Query, given: dict[str, Json], paths: tuple[tuple[str, ...], ...]) -> list[list[Json]] | None:
    """The partition keys that WHERE leaves possible, when it fixes each component by `=` (the only one also by IN)."""
    if query.where is None or not query.sources:
        return None
    root = ast.Name(ast.root_alias(query))
    allowed: dict[ast.Expression, list[Json]] = {}
    for part in ast.flatten("AND", query.where):
        match part:
            case ast.Binary("=", left, right):
                for side, other in ((left, right), (right, left)):
                    if _is_constant(other, given):
                        allowed[side] = [_constant(other, given)]
            case ast.InList(operand, choices) if len(paths) == 1 and all(_is_constant(c, given) for c in choices):
                allowed[operand] = [_constant(choice, given) for choice in choices]
    columns = [allowed.get(_property(root, path)) for path in paths]
    if any(column is None or not all(_is_scalar(value) for value in column) for column in columns):
        return None
    first, *rest = [column or [] for column in columns]
    return [[value, *(column[0] for column in rest)] for value in first]


def _property(root: ast.Expression, path: tuple[str, ...]) -> ast.Expression:
    for step in path:
        root = ast.Property(root, ast.Literal(step))
    return root


def _is_constant(value: ast.Expression, given: dict[str, Json]) -> bool:
    return isinstance(value, ast.Literal) or (isinstance(value, ast.Parameter) and value.name in given)


def _constant(value: ast.Expression, given: dict[str, Json]) -> Json:
    return given[value.name] if isinstance(value, ast.Parameter) else getattr(value, "value", None)


def _is_scalar(value: Json) -> bool:
    return not isinstance(value, dict | list)


def plan(
    query: ast.Query, given: dict[str, Json], features: frozenset[str], ranges: list[dict[str, Json]]
) -> dict[str, Json]:
    """The plan's JSON for a client that can merge `features`.

    Raises CosmosError 400 for a query that needs more than the client can.
    """
    planner = _Planner(query, given, features)
    info = planner.info()
    missing = sorted(planner.needed - features)
    if missing:
        raise bad_request(
            "Query contains the following features, which the calling client does not support: " + ", ".join(missing)
        )
    return {"partitionedQueryExecutionInfoVersion": 2, "queryInfo": info, "queryRanges": ranges}


@dataclass
class _Planner:
    query: ast.Query
    given: dict[str, Json]
    features: frozenset[str]

    def __post_init__(self) -> None:
        self.needed: set[str] = set()

    def info(self) -> dict[str, Json]:
        query = self.query
        aggregates = [call for value in ast.selected(query) for call in ast.aggregates_in(value)]
        is_value = isinstance(query.selection, ast.SelectValue)
        self._note_features(aggregates, is_value=is_value)
        grouped = bool(query.group_by) or (bool(aggregates) and not is_value)
        merged = not aggregates and not query.group_by
        order = query.order_by if merged else ()
        return {
            "distinctType": self._distinct_type(),
            "top": self._count(query.top),
            "offset": self._count(query.offset),
            "limit": self._count(query.limit),
            "orderBy": ["Descending" if item.descending else "Ascending" for item in order],
            "orderByExpressions": [expression(item.value) for item in order],
            "groupByExpressions": [expression(key) for key in query.group_by],
            "groupByAliases": self._aliases() if query.group_by else [],
            "aggregates": [_AGGREGATE_NAMES[call.function] for call in aggregates] if is_value else [],
            "groupByAliasToAggregateType": self._types() if grouped and not is_value else {},
            "rewrittenQuery": self._rewritten(order, aggregates),
            "hasSelectValue": is_value,
            "dCountInfo": None,
            "hasNonStreamingOrderBy": False,
        }

    def _note_features(self, aggregates: list[ast.Call], *, is_value: bool) -> None:
        query = self.query
        wanted = {
            "Aggregate": bool(aggregates),
            "Distinct": query.distinct,
            "GroupBy": bool(query.group_by),
            "MultipleOrderBy": len(query.order_by) > 1,
            "NonValueAggregate": bool(aggregates) and not is_value,
            "OffsetAndLimit": query.limit is not None,
            "OrderBy": bool(query.order_by),
            "Top": query.top is not None,
        }
        self.needed |= {feature for feature, is_wanted in wanted.items() if is_wanted}
        names = {_AGGREGATE_NAMES[call.function] for call in aggregates}
        self.needed |= {_NEEDED_FEATURE[name] for name in names if name in _NEEDED_FEATURE}

    def _distinct_type(self) -> str:
        query = self.query
        if not query.distinct:
            return "None"
        is_sorted = isinstance(query.selection, ast.SelectValue) and len(query.order_by) == 1
        return "Ordered" if is_sorted and query.order_by[0].value == ast.selected(query)[0] else "Unordered"

    def _count(self, bound: ast.Expression | None) -> int | None:
        value = self.given.get(bound.name) if isinstance(bound, ast.Parameter) else getattr(bound, "value", None)
        if bound is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
            raise bad_request("The values of TOP, OFFSET and LIMIT are whole numbers.")
        return value

    def _aliases(self) -> list[str]:
        selection = self.query.selection
        return [name for name, _ in selection.items] if isinstance(selection, ast.SelectList) else []

    def _types(self) -> dict[str, str | None]:
        selection = self.query.selection
        if not isinstance(selection, ast.SelectList):
            return {}
        return {
            name: _AGGREGATE_NAMES[value.function] if isinstance(value, ast.Call) and ast.is_aggregate(value) else None
            for name, value in selection.items
        }

    # --- the rewritten query ---------------------------------------------------------------------------

    def _rewritten(self, order: tuple[ast.OrderItem, ...], aggregates: list[ast.Call]) -> str:
        query = self.query
        if query.group_by or aggregates:
            selection = self._grouped() if not self._is_value_aggregate() else self._value_aggregate()
            return render(replace(query, selection=selection, order_by=(), top=None, offset=None, limit=None))
        if query.distinct and order:
            query = replace(query, top=None, offset=None, limit=None)
        if query.limit is not None:
            most = (self._count(query.offset) or 0) + (self._count(query.limit) or 0)
            query = replace(query, offset=ast.Literal(0), limit=ast.Literal(most))
        if not order:
            return render(query)
        payload = self._payload()
        items = ast.ArrayOf(tuple(ast.ObjectOf((("item", item.value),)) for item in order))
        rid = ast.Property(ast.Name(ast.root_alias(query)), ast.Literal("_rid"))
        selection = ast.SelectList((("_rid", rid), ("orderByItems", items), ("payload", payload)))
        return render(replace(query, distinct=False, selection=selection))

    def _is_value_aggregate(self) -> bool:
        return isinstance(self.query.selection, ast.SelectValue) and not self.query.group_by

    def _value_aggregate(self) -> ast.SelectValue:
        return ast.SelectValue(ast.ArrayOf((self._part(ast.selected(self.query)[0]),)))

    def _grouped(self) -> ast.SelectList:
        query = self.query
        keys = ast.ArrayOf(tuple(ast.ObjectOf((("item", key),)) for key in query.group_by))
        if isinstance(query.selection, ast.SelectList):
            parts = (
                (name, self._part(value) if ast.aggregates_in(value) else value)
                for name, value in query.selection.items
            )
            payload: ast.Expression = ast.ObjectOf(tuple(parts))
        else:
            value = ast.selected(query)[0]
            payload = ast.ArrayOf((self._part(value),)) if ast.aggregates_in(value) else value
        grouped = (("groupByItems", keys),) if query.group_by else ()
        return ast.SelectList((*grouped, ("payload", payload)))

    def _part(self, value: ast.Expression) -> ast.Expression:
        """A partition's part of an aggregate, in a form that can be merged."""
        if not isinstance(value, ast.Call) or not ast.is_aggregate(value):
            raise bad_request("Compositions of aggregates and other expressions are not allowed.")
        argument = value.arguments
        count = ast.Call("COUNT", argument)
        if value.function == "AVG":
            return _item(ast.ObjectOf((("sum", ast.Call("SUM", argument)), ("count", count))))
        if value.function in ("MIN", "MAX") and "MultipleAggregates" in self.features:
            both = ast.ObjectOf(((value.function.lower(), value), ("count", count)))
            return ast.ObjectOf((("item", value), ("item2", both)))
        return _item(value)

    def _payload(self) -> ast.Expression:
        match self.query.selection:
            case ast.SelectValue(value):
                return value
            case ast.SelectList(items):
                return ast.ObjectOf(items)
        return ast.Name(ast.root_alias(self.query))


def _item(value: ast.Expression) -> ast.ObjectOf:
    return ast.ObjectOf((("item", value),))
