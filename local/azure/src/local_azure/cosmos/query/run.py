"""Pages of a query's result. A page starts after the sort key of the last row of the page before (not at a count of
rows), so rows written or removed meanwhile move nothing."""

import base64
import binascii
import sqlite3
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from local_azure.cosmos import jsontext
from local_azure.cosmos.errors import CosmosError, bad_request
from local_azure.cosmos.jsontext import Json
from local_azure.cosmos.query.translate import SortKey, Statement
from local_azure.cosmos.scripts.functions import take_failure

MAX_PAGE_BYTES = 4 * 1024 * 1024
_STEPS_BETWEEN_CLOCK_LOOKS = 10_000


@dataclass(frozen=True)
class Position:
    """Where the next page starts: the last row's sort key, and what is left of OFFSET and LIMIT."""

    after: tuple[Json, ...]
    limit: int | None


@dataclass(frozen=True)
class Page:
    """Values as JSON text, and the token of the next page if there is one."""

    values: list[str]
    size_bytes: int
    continuation: str | None


def fetch_page(
    connection: sqlite3.Connection,
    statement: Statement,
    *,
    fingerprint: str,
    token: str | None,
    page_size: int,
    timeout_s: float,
) -> Page:
    """One page of at most `page_size` values and 4 MB.

    Raises CosmosError 400 for a token that is not this query's, 408 when it takes longer than `timeout_s`.
    """
    position = _read_token(token, fingerprint) if token else None
    remaining = position.limit if position else statement.limit
    wanted = page_size if remaining is None else min(page_size, remaining)
    sql = _page_sql(statement, position, wanted + 1)
    values, size_bytes, last = _take(connection, sql, statement, wanted, timeout_s)
    left = None if remaining is None else remaining - len(values)
    more = last is not None and not statement.single and left != 0
    return Page(values, size_bytes, _write_token(Position(last or (), left), fingerprint) if more else None)


def _take(
    connection: sqlite3.Connection, sql: str, statement: Statement, wanted: int, timeout_s: float
) -> tuple[list[str], int, tuple[Json, ...] | None]:
    """Values of a page, their size, and the last one's sort key if more rows follow."""
    deadline = time.monotonic() + timeout_s
    connection.set_progress_handler(lambda: int(time.monotonic() > deadline), _STEPS_BETWEEN_CLOCK_LOOKS)
    try:
        return _fill(connection.execute(sql, statement.parameters.bound), wanted)
    except sqlite3.OperationalError as error:
        if "interrupted" in str(error):
            raise CosmosError(408, f"The query took longer than {timeout_s:g} s.") from error
        raise bad_request(f"The query can not be served: {take_failure() or error}.") from error
    finally:
        connection.set_progress_handler(None, 0)


def _fill(rows: Iterator[tuple[Json, ...]], wanted: int) -> tuple[list[str], int, tuple[Json, ...] | None]:
    values: list[str] = []
    size_bytes = 0
    last: tuple[Json, ...] = ()
    for text, *key in rows:
        if len(values) == wanted or (values and size_bytes + len(text or "") > MAX_PAGE_BYTES):
            return values, size_bytes, last if values else None
        last = tuple(key)
        if text is not None:
            values.append(text)
            size_bytes += len(text)
    return values, size_bytes, None


def _page_sql(statement: Statement, position: Position | None, rows: int) -> str:
    columns = [statement.value, *(key.sql for key in statement.order)]
    conditions = list(statement.conditions)
    having = ""
    if position is not None:
        start = _after(statement, position.after)
        if statement.group:
            having = f" HAVING {start}"
        else:
            conditions.append(start)
    sql = (
        f"SELECT {', '.join(f'{column} AS c{number}' for number, column in enumerate(columns))} FROM {statement.source}"
    )
    if conditions:
        sql += f" WHERE {' AND '.join(conditions)}"
    if statement.group:
        sql += f" GROUP BY {', '.join(statement.group)}{having}"
    if statement.order:
        sql += f" ORDER BY {', '.join(key.sql + (' DESC' if key.descending else '') for key in statement.order)}"
    return f"{sql} LIMIT {rows} OFFSET {0 if position else statement.skip}"


def _after(statement: Statement, last: tuple[Json, ...]) -> str:
    """The condition that a row comes after `last` in the statement's order (NULL sorts first)."""
    bind = statement.parameters.bind
    order = statement.order
    if len(last) != len(order):
        raise bad_request("Invalid continuation token: not of this query.")
    if len({key.descending for key in order}) == 1 and None not in last:
        columns, values = ", ".join(key.sql for key in order), ", ".join(bind(value) for value in last)
        return f"({columns}) {'<' if order[0].descending else '>'} ({values})"
    alternatives: list[str] = []
    equal: list[str] = []
    for key, value in zip(order, last, strict=True):
        alternatives.append(" AND ".join([*equal, _beyond(key, value, bind(value))]))
        equal.append(f"{key.sql} IS {bind(value)}")
    return "(" + " OR ".join(f"({alternative})" for alternative in alternatives) + ")"


def _beyond(key: SortKey, value: Json, placeholder: str) -> str:
    if value is None:
        return "0" if key.descending else f"{key.sql} IS NOT NULL"
    if key.descending:
        return f"({key.sql} < {placeholder} OR {key.sql} IS NULL)"
    return f"{key.sql} > {placeholder}"


def _write_token(position: Position, fingerprint: str) -> str:
    content = jsontext.dumps([_checksum(fingerprint), position.limit, *position.after])
    return base64.urlsafe_b64encode(content.encode()).decode()


def _read_token(token: str, fingerprint: str) -> Position:
    try:
        content = jsontext.loads(base64.urlsafe_b64decode(token).decode())
        checksum, limit, *after = content
    except (ValueError, TypeError, binascii.Error) as error:
        raise bad_request("Invalid continuation token.") from error
    scalars = all(value is None or isinstance(value, int | float | str) for value in after)
    if checksum != _checksum(fingerprint) or not scalars or not (limit is None or isinstance(limit, int)):
        raise bad_request("Invalid continuation token: not of this query.")
    return Position(tuple(after), limit)


def _checksum(fingerprint: str) -> int:
    return zlib.crc32(fingerprint.encode())
