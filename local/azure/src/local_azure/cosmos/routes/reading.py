"""Reading many documents: queries, the plain feed, and the change feed."""

from dataclasses import dataclass, replace

from local_azure.cosmos import charge
from local_azure.cosmos.account import Account
from local_azure.cosmos.errors import bad_request
from local_azure.cosmos.jsontext import Json
from local_azure.cosmos.message import Reply, Request
from local_azure.cosmos.query import ast, run
from local_azure.cosmos.query.parser import parse
from local_azure.cosmos.query.run import Page
from local_azure.cosmos.query.translate import Statement, translate
from local_azure.cosmos.routes import documents, feeds, metrics
from local_azure.cosmos.routes.changes import change_feed
from local_azure.cosmos.routes.planning import answer_plan, check_servable, target_of
from local_azure.cosmos.routes.scope import is_scoped, range_of, reach
from local_azure.cosmos.store import indexes
from local_azure.cosmos.store.catalog import Container, Range

_ALL = "SELECT * FROM c"
_RANGE_MARK = "|"


async def read_feed(account: Account, request: Request) -> Reply:
    """GET on the documents: all of them, or their changes."""
    if request.header("a-im"):
        return await change_feed(account, request)
    return await _answer(account, request, _ALL, {})


async def query(account: Account, request: Request) -> Reply:
    """POST of a query, or of a request for a query's plan."""
    text, given = feeds.query_of(request)
    parsed = parse(text)
    if request.flag("x-ms-cosmos-is-query-plan-request"):
        return answer_plan(account, request, parsed, given)
    if not is_scoped(request):
        container = account.container_of(request)
        translate(parsed, given, target_of(account, container))
        check_servable(container, request, parsed, given)
    return await _answer(account, request, text, given)


@dataclass(frozen=True)
class _Asked:
    """A query on its way through the pages of one answer."""

    account: Account
    container: Container
    request: Request
    text: str
    given: dict[str, Json]

    @property
    def query(self) -> ast.Query:
        return parse(self.text)

    async def page(self, part: Range | None, token: str | None) -> Page:
        """One page, of one range or of all that the request's headers leave in view."""
        statement = self._statement(part)
        await self._ensure_index(statement)
        page_size, timeout_s = feeds.page_size(self.request), self.account.settings.query_timeout_s
        return await self.account.aside(
            lambda connection: run.fetch_page(
                connection,
                statement,
                fingerprint=self.text,
                token=token,
                page_size=page_size,
                timeout_s=timeout_s,
            )
        )

    def _statement(self, part: Range | None) -> Statement:
        query = self.query
        statement = translate(query, self.given, target_of(self.account, self.container))
        return reach(statement, self.container, self.request, part) if query.sources else statement

    async def _ensure_index(self, statement: Statement) -> None:
        names_key = self.request.header("x-ms-documentdb-partitionkey") is not None
        by_partition, members = names_key or statement.fixes_partition, statement.index_members
        if not indexes.is_wanted(self.container, members, by_partition=by_partition):
            return
        async with self.account.writing:
            await self.account.aside(
                lambda connection: indexes.create(connection, self.container, members, by_partition=by_partition)
            )


async def _answer(account: Account, request: Request, text: str, given: dict[str, Json]) -> Reply:
    container = account.container_of(request)
    asked = _Asked(account, container, request, text, given)
    part, token = range_of(container, request), request.header("x-ms-continuation")
    if len(container.ranges) > 1 and not is_scoped(request) and asked.query.sources:
        page = await _range_by_range(asked, token)
    else:
        page = await asked.page(part, token)
    charge_ru = charge.query(len(page.values), page.size_bytes)
    reply = feeds.envelope("docs", container.resource.rid, page.values, charge_ru=charge_ru, token=page.continuation)
    reply.headers.update(documents.session(container, part=part))
    reply.headers.update(metrics.headers(request, container, asked.query, page, charge_ru))
    return reply


async def _range_by_range(asked: _Asked, continuation: str | None) -> Page:
    """A page of one range; the ranges follow each other, as the service's gateway strings them together."""
    ranges = asked.container.ranges
    number, token = _split_token(continuation, len(ranges))
    page = await asked.page(ranges[number], token)
    if page.continuation:
        return replace(page, continuation=f"{number}{_RANGE_MARK}{page.continuation}")
    return replace(page, continuation=f"{number + 1}{_RANGE_MARK}" if number + 1 < len(ranges) else None)


def _split_token(token: str | None, ranges: int) -> tuple[int, str | None]:
    number, _, rest = (token or f"0{_RANGE_MARK}").partition(_RANGE_MARK)
    if not number.isdecimal() or len(number) > 6 or int(number) >= ranges:
        raise bad_request("Invalid continuation token.")
    return int(number), rest or None
