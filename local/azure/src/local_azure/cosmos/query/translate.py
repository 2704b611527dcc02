"""A query's AST to one SQL statement over the documents of a container."""

from dataclasses import dataclass, field
from typing import TypeGuard

from local_azure.cosmos import jsontext
from local_azure.cosmos.errors import bad_request
from local_azure.cosmos.indexing import CompositePath, IndexingPolicy
from local_azure.cosmos.jsontext import Json
from local_azure.cosmos.query import ast
from local_azure.cosmos.query.computed import Vocabulary
from local_azure.cosmos.query.expressions import (
    Binding,
    Parameters,
    Path,
    Scope,
    plain_of,
    rank_of,
)
from local_azure.cosmos.query.parser import refuse
from local_azure.cosmos.query.semantics import STRING_RANK, rank

DOCUMENTS = "d."
_ELEMENT = (
    "CASE {0}.type WHEN 'object' THEN {0}.value WHEN 'array' THEN {0}.value WHEN 'text' THEN json_quote({0}.value) "
    "WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' WHEN 'null' THEN 'null' "
    "WHEN 'integer' THEN CAST({0}.value AS TEXT) ELSE cosmos_number({0}.value) END"
)


@dataclass(frozen=True)
class SortKey:
    """One column of the order, in SQL."""

    sql: str
    descending: bool = False


@dataclass(frozen=True)
class Statement:
    """What `run` needs to fetch pages: the value, where it comes from, and the order that pages follow.

    `grouped`: rows come from GROUP BY `group`, so that a page's start is a HAVING and not a WHERE.
    `single`: an aggregate without GROUP BY, one row in all.
    """

    value: str
    source: str
    conditions: tuple[str, ...]
    order: tuple[SortKey, ...]
    parameters: Parameters
    group: tuple[str, ...] = ()
    single: bool = False
    skip: int = 0
    limit: int | None = None
    index_members: tuple[CompositePath, ...] = ()
    """The paths that an index should have to sort, or else to find, these rows."""
    fixes_partition: bool = False


@dataclass(frozen=True)
class Target:
    """The documents a query runs on: a table expression with columns `seq`, `id`, `pk`, `body`.

    `partition_path` is the path of a container's only partition key component: a query that fixes it needs to
    look at one partition. `policy` is None for lists of other resources.
    """

    table: str
    policy: IndexingPolicy | None = None
    partition_path: tuple[str, ...] | None = None
    vocabulary: Vocabulary = field(default_factory=Vocabulary)


def translate(query: ast.Query, given: dict[str, Json], target: Target) -> Statement:
    """The statement of a query. Raises CosmosError 400 for what the service, or this server, refuses."""
    try:
        return _Translator(query, Parameters(given), target).statement()
    except RecursionError as error:
        raise bad_request("The query is nested too deeply.") from error


class _Translator:
    def __init__(self, query: ast.Query, parameters: Parameters, target: Target) -> None:
        self._query = query
        self._target = target
        self._parameters = parameters
        self._names = 0
        self._outer = Scope(parameters, {}, self._subquery, target.vocabulary)

    def statement(self) -> Statement:
        query = self._query
        scope, tables, conditions, ties = self._sources(query, self._outer, top=True)
        partition: list[str] = []
        if query.where is not None:
            _forbid_aggregates(query.where, "WHERE")
            conditions += [scope.filter(part) for part in ast.flatten("AND", query.where)]
            partition = self._partition_condition(scope)
            conditions += partition
        value = self._selection(query, scope)
        grouped = bool(query.group_by)
        single = not grouped and any(ast.aggregates_in(part) for part in ast.selected(query))
        if isinstance(query.selection, ast.SelectValue) and not single and not grouped:
            conditions.append(f"{value} IS NOT NULL")
        order, group = self._order(query, scope, ties, value)
        skip, limit = self._window(query)
        return Statement(
            value=value,
            source=" CROSS JOIN ".join(tables) or "(SELECT 1)",
            conditions=tuple(conditions),
            order=() if single else order,
            parameters=self._parameters,
            group=group,
            single=single,
            skip=skip,
            limit=limit,
            index_members=self._index_members(query, scope),
            fixes_partition=bool(partition),
        )

    # --- FROM ----------------------------------------------------------------------------------------

    def _sources(
        self, query: ast.Query, scope: Scope, *, top: bool
    ) -> tuple[Scope, list[str], list[str], list[SortKey]]:
        tables: list[str] = []
        conditions: list[str] = []
        ties: list[SortKey] = []
        for number, source in enumerate(query.sources):
            if top and number == 0:
                tables.append(f"{self._target.table} AS d")
                ties.append(SortKey("d.seq"))
            binding = self._origin(source, scope, is_root=top and number == 0)
            if source.iterated:
                binding = self._iterate(source, scope, binding, tables, ties)
            elif binding.path:
                conditions.append(f"{binding.json} IS NOT NULL")
            if source.alias:
                if source.alias in scope.names and (not top or number > 0):
                    refuse(f"The input alias '{source.alias}' is specified more than once.", code="SC2012")
                scope = scope.with_names({source.alias: binding})
        return scope, tables, conditions, ties

    def _origin(self, source: ast.Source, scope: Scope, *, is_root: bool) -> Binding:
        if isinstance(source.origin, ast.Query):
            array = scope.value(ast.ArrayQuery(source.origin))
            return Binding(array, array)
        if is_root:
            root = Binding("d.body", "d.body", DOCUMENTS)
            scope = scope.with_names({_base_name(source.origin): root})
        found = scope.resolve(source.origin)
        if found is None:
            json = scope.value(source.origin)
            return Binding(json, json)
        return found

    def _iterate(
        self, source: ast.Source, scope: Scope, binding: Binding, tables: list[str], ties: list[SortKey]
    ) -> Binding:
        self._names += 1
        table = f"j{self._names}"
        if isinstance(source.origin, ast.Query):
            array = binding.json
        else:
            array = f"CASE WHEN substr({binding.json}, 1, 1) = '[' THEN {binding.json} END"
        tables.append(f"json_each({array}) AS {table}")
        ties.append(SortKey(f"{table}.id"))
        json = f"({_ELEMENT.format(table)})"
        container = f"(CASE WHEN {table}.type IN ('object', 'array') THEN {table}.value END)"
        return Binding(json, container)

    def _subquery(self, scope: Scope, query: ast.Query) -> str:
        if not query.sources and isinstance(query.selection, ast.SelectStar):
            refuse("'SELECT *' is only valid with a FROM clause.", code="SC2030")
        inner, tables, conditions, _ = self._sources(query, scope, top=False)
        if query.where is not None:
            conditions.append(inner.filter(query.where))
        value = self._selection(query, inner)
        tables_sql = " CROSS JOIN ".join(tables) or "(SELECT 1)"
        sql = f"SELECT {'DISTINCT ' if query.distinct else ''}{value} AS v FROM {tables_sql}"
        if conditions:
            sql += f" WHERE {' AND '.join(conditions)}"
        if query.group_by:
            sql += f" GROUP BY {', '.join(inner.value(key) for key in query.group_by)}"
        if query.order_by:
            sql += f" ORDER BY {', '.join(_spell(key) for key in self._order_keys(query, inner))}"
        skip, limit = self._window(query)
        return sql if limit is None and not skip else f"{sql} LIMIT {-1 if limit is None else limit} OFFSET {skip}"

    # --- SELECT --------------------------------------------------------------------------------------

    def _selection(self, query: ast.Query, scope: Scope) -> str:
        if query.group_by:
            for value in ast.selected(query):
                _check_grouped(value, query.group_by)
        match query.selection:
            case ast.SelectValue(value):
                return scope.value(value)
            case ast.SelectList(items):
                return scope.object(items)
        if not query.sources:
            refuse("'SELECT *' is not valid if FROM clause is omitted.", code="SC2030")
        if len(query.sources) > 1:
            refuse("'SELECT *' is only valid with a single input set.", code="SC2031")
        if query.group_by:
            refuse("'SELECT *' is not allowed in combination with 'GROUP BY'.", code="SC2104")
        return scope.names[query.sources[0].alias].json

    def _window(self, query: ast.Query) -> tuple[int, int | None]:
        skip = self._count(query.offset, "OFFSET") if query.offset is not None else 0
        limits = [self._count(bound, "LIMIT") for bound in (query.top, query.limit) if bound is not None]
        return skip, min(limits) if limits else None

    def _count(self, expression: ast.Expression, clause: str) -> int:
        value = self._outer.constant(expression)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
            refuse(f"The {clause} value is not a non-negative whole number.", code="SC2062")
        return value

    # --- WHERE, ORDER BY, GROUP BY -------------------------------------------------------------------

    def _partition_condition(self, scope: Scope) -> list[str]:
        """Narrow the search when the query itself fixes the partition key."""
        path = self._target.partition_path
        if path is None or self._query.where is None:
            return []
        for part in ast.flatten("AND", self._query.where):
            if isinstance(part, ast.Binary) and part.operator == "=":
                for side, other in ((part.left, part.right), (part.right, part.left)):
                    binding, value = scope.resolve(side), scope.constant(other)
                    if binding and binding.document and binding.path == path and 0 < rank(value) <= STRING_RANK:
                        return [f"d.pk = {self._parameters.bind(jsontext.dumps([value]))}"]
        return []

    def _order(
        self, query: ast.Query, scope: Scope, ties: list[SortKey], value: str
    ) -> tuple[tuple[SortKey, ...], tuple[str, ...]]:
        if query.group_by:
            if query.order_by:
                refuse("'ORDER BY' is not allowed in combination with 'GROUP BY'.", code="SC2105")
            keys = tuple(f"COALESCE({scope.value(key)}, '')" for key in query.group_by)
            return tuple(SortKey(key) for key in keys), keys
        keys_by_order = self._order_keys(query, scope)
        self._check_order(query, scope)
        if query.distinct:
            firsts = (
                SortKey(f"{'MAX' if key.descending else 'MIN'}({key.sql})", key.descending) for key in keys_by_order
            )
            return (*firsts, SortKey(value)), (value,)
        descending = bool(keys_by_order) and keys_by_order[0].descending
        return (*keys_by_order, *(SortKey(tie.sql, descending) for tie in ties)), ()

    def _order_keys(self, query: ast.Query, scope: Scope) -> list[SortKey]:
        keys: list[SortKey] = []
        for item in query.order_by:
            binding = scope.resolve(item.value)
            if binding and binding.document and binding.path == ("id",):
                keys.append(SortKey("d.id", item.descending))
            elif binding and binding.document and binding.path:
                keys.append(SortKey(rank_of(DOCUMENTS, binding.path), item.descending))
                keys.append(SortKey(plain_of(DOCUMENTS, binding.path), item.descending))
            else:
                json = scope.value(item.value)
                keys.append(SortKey(f"cosmos_rank({json})", item.descending))
                keys.append(SortKey(f"cosmos_sort({json})", item.descending))
        return keys

    def _check_order(self, query: ast.Query, scope: Scope) -> None:
        policy = self._target.policy
        if policy is None or not query.order_by:
            return
        members = []
        for item in query.order_by:
            binding = scope.resolve(item.value)
            if binding is not None and binding.computed and len(query.order_by) == 1:
                return
            if binding is None or not binding.path:
                refuse(
                    "Unsupported ORDER BY clause. ORDER BY item expression could not be mapped to a document path.",
                    code="SC2099",
                )
            members.append(CompositePath(tuple(str(step) for step in binding.path), item.descending))
        if len(members) > 1:
            if not policy.allows_order(tuple(members)):
                raise bad_request(
                    "The order by query does not have a corresponding composite index that it can be served from."
                )
        elif not policy.includes(members[0].path):
            raise bad_request("The index path corresponding to the specified order-by item is excluded.")

    def _index_members(self, query: ast.Query, scope: Scope) -> tuple[CompositePath, ...]:
        """Properties of the document by which an index could order this query, or else find its rows."""
        ordered = [(scope.resolve(item.value), item.descending) for item in query.order_by]
        members = tuple(
            CompositePath(_names(found.path), descending) for found, descending in ordered if _is_indexable(found)
        )
        if members or query.where is None:
            return members
        compared = (
            scope.resolve(side)
            for part in ast.flatten("AND", query.where)
            if isinstance(part, ast.Binary) and part.operator in ("=", "<", "<=", ">", ">=")
            for side in (part.left, part.right)
        )
        return tuple(CompositePath(_names(found.path), False) for found in compared if _is_indexable(found))[:1]


def _is_indexable(found: Binding | None) -> TypeGuard[Binding]:
    """Whether it is a property of a document other than the id, which has its index."""
    names = found.path if found and found.document else ()
    return bool(names) and names != ("id",) and all(isinstance(step, str) for step in names)


def _names(path: Path) -> tuple[str, ...]:
    return tuple(str(step) for step in path)


def _spell(key: SortKey) -> str:
    return f"{key.sql} DESC" if key.descending else key.sql


def _base_name(origin: ast.Expression) -> str:
    while isinstance(origin, ast.Property):
        origin = origin.base
    return origin.name if isinstance(origin, ast.Name) else ""


def _forbid_aggregates(expression: ast.Expression, clause: str) -> None:
    if ast.aggregates_in(expression):
        refuse(f"An aggregate function is not allowed in the {clause} clause.", code="SC2101")


def _check_grouped(value: ast.Expression, keys: tuple[ast.Expression, ...]) -> None:
    if value in keys or ast.is_aggregate(value):
        return
    if isinstance(value, ast.Name | ast.Property):
        refuse(
            "A property reference is invalid in the select list because it is not contained in either an aggregate "
            "function or the GROUP BY clause.",
            code="SC2103",
        )
    for child in ast.children(value):
        _check_grouped(child, keys)
