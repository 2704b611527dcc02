"""The change feed: each document once, as it is now, in the order of its last change; or all versions and deletes."""

import sqlite3
from collections.abc import Iterable
from datetime import UTC
from email.utils import parsedate_to_datetime

from local_azure.cosmos import charge
from local_azure.cosmos.account import Account
from local_azure.cosmos.errors import bad_request
from local_azure.cosmos.message import Reply, Request
from local_azure.cosmos.query.run import MAX_PAGE_BYTES
from local_azure.cosmos.routes import documents, feeds
from local_azure.cosmos.routes.scope import conditions, range_of
from local_azure.cosmos.store import versions
from local_azure.cosmos.store.catalog import Container


async def change_feed(account: Account, request: Request) -> Reply:
    """A page of changes after the LSN in `if-none-match`; 304 when there is none.

    The etag of the answer is where the next page starts. "*" starts now, `if-modified-since` at a time.
    """
    container = account.container_of(request)
    match (request.header("a-im") or "").lower():
        case "incremental feed":
            table = container.table
        case "full-fidelity feed":
            table = await _versions(account, request, container)
        case other:
            raise bad_request(f"The change feed mode {other[:40]!r} is not known.")
    after = _start(request, container)
    rows = _rows(account.database.writer, _select(container, request, table), request, after)
    headers = documents.session(container, part=range_of(container, request))
    if not rows:
        end = max(after, container.last_lsn)
        return Reply(304, "", charge.METADATA, {**headers, "etag": f'"{end}"'})
    size_bytes = sum(len(body) for _, body in rows)
    reply = feeds.envelope(
        "docs", container.resource.rid, [body for _, body in rows], charge_ru=charge.feed(len(rows), size_bytes)
    )
    reply.headers.update(headers)
    reply.headers["etag"] = f'"{rows[-1][0]}"'
    return reply


def _start(request: Request, container: Container) -> int:
    start = request.header("if-none-match")
    if start == "*":
        return container.last_lsn
    if start is None:
        return 0
    text = start.strip('"')
    if not text.isdecimal() or len(text) > 18:
        raise bad_request(f"The change feed can not continue from {start[:60]!r}.")
    return int(text)


async def _versions(account: Account, request: Request, container: Container) -> str:
    """The table of all versions, which are kept from the first time that somebody asks for them."""
    if request.header("if-none-match") is None:
        raise bad_request("The feed of all versions and deletes starts now or from a continuation.")
    if not container.keeps_versions:
        await documents.write(account, lambda: versions.keep(account.database.writer, container))
        container.keeps_versions = True
    return f"(SELECT *, NULL AS expires_at_s FROM {versions.table_of(container)})"


def _rows(
    connection: sqlite3.Connection, selected: tuple[str, dict[str, str | int]], request: Request, after: int
) -> list[tuple[int, str]]:
    """(LSN, document) of one page. A transaction's changes share an LSN and are never parted."""
    select, bound = selected
    first = " AND d.lsn > :after ORDER BY d.lsn, d.seq LIMIT :count"
    rows = _within_page(
        connection.execute(select + first, {**bound, "after": after, "count": feeds.page_size(request)})
    )
    if not rows:
        return []
    last, last_seq, _ = rows[-1]
    rest = " AND d.lsn = :last AND d.seq > :last_seq ORDER BY d.seq"
    rows += connection.execute(select + rest, {**bound, "last": last, "last_seq": last_seq}).fetchall()
    return [(lsn, body) for lsn, _, body in rows]


def _select(container: Container, request: Request, table: str) -> tuple[str, dict[str, str | int]]:
    sql, bound = conditions(container, request, range_of(container, request))
    since = request.header("if-modified-since")
    if since is not None and request.header("if-none-match") is None:
        sql.append("json_extract(d.body, '$._ts') >= :since")
        bound["since"] = _timestamp(since)
    where = " AND ".join(["1", *sql])
    return f"SELECT d.lsn, d.seq, d.body FROM {table} AS d WHERE {where}", bound


def _within_page(found: Iterable[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """No more is read than is given: a hundred documents may be hundreds of megabytes."""
    rows: list[tuple[int, int, str]] = []
    size_bytes = 0
    for row in found:
        size_bytes += len(row[2])
        if rows and size_bytes > MAX_PAGE_BYTES:
            break
        rows.append(row)
    return rows


def _timestamp(date: str) -> int:
    try:
        return int(parsedate_to_datetime(date).replace(tzinfo=UTC).timestamp())
    except (TypeError, ValueError) as error:
        raise bad_request(f"The if-modified-since header is not an RFC 1123 date: {date[:60]!r}.") from error
