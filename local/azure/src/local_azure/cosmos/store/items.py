"""Documents: one table a container, the JSON as the client gets it, and the columns it is found by.

`seq` is the order of creation and gives the `_rid`; `lsn` is the order of the last change and is what the
change feed runs on; `epk` is the place in the key space; `expires_at_s` is NULL for what lives for ever.
"""

import sqlite3
from dataclasses import dataclass
from itertools import pairwise

from local_azure.cosmos import jsontext, partition, rids
from local_azure.cosmos.definition import Definition, check_id, check_ttl
from local_azure.cosmos.effective_key import boundaries, effective_key
from local_azure.cosmos.errors import CosmosError, bad_request, conflict, not_found, precondition_failed, too_large
from local_azure.cosmos.jsonpath import json_path
from local_azure.cosmos.jsontext import Json
from local_azure.cosmos.patch import apply_patch
from local_azure.cosmos.store import indexes, versions
from local_azure.cosmos.store.catalog import Container, Range, new_etag
from local_azure.cosmos.store.database import Database

MAX_ITEM_BYTES = 2 * 1024 * 1024
SYSTEM_PROPERTIES = ("_rid", "_self", "_etag", "_attachments", "_ts")
_COLUMNS = "seq, lsn, expires_at_s, body"
_SWEEP = 500


@dataclass(frozen=True)
class Item:
    """A stored document; `body` is its JSON text, system properties included."""

    seq: int
    lsn: int
    expires_at_s: int | None
    body: str

    @property
    def etag(self) -> str:
        """Its version, in the quotation marks in which it travels."""
        return str(self.document["_etag"])

    @property
    def document(self) -> dict[str, Json]:
        """Decoded anew at each call."""
        decoded: dict[str, Json] = jsontext.loads(self.body)
        return decoded


@dataclass(frozen=True)
class Condition:
    """The etags of a conditional request; "*" means any."""

    if_match: str | None = None
    if_none_match: str | None = None

    def check(self, item: Item | None) -> None:
        """Raises CosmosError 412 when a write must not go ahead."""
        if self.if_match not in (None, "*") and item is not None and item.etag != self.if_match:
            raise precondition_failed()


def create_table(connection: sqlite3.Connection, container: Container, range_count: int) -> None:
    """The table of a new container, with the indexes that every container has."""
    table = container.table
    connection.execute("INSERT INTO counters VALUES (?, ?)", (f"{table}.ranges", range_count))
    connection.execute(
        f"CREATE TABLE {table}(seq INTEGER PRIMARY KEY, pk TEXT NOT NULL, id TEXT NOT NULL, epk TEXT NOT NULL, "
        "lsn INTEGER NOT NULL, expires_at_s INTEGER, body TEXT NOT NULL, UNIQUE(pk, id))"
    )
    connection.execute(f"CREATE INDEX {table}_lsn ON {table}(lsn)")
    connection.execute(f"CREATE INDEX {table}_epk ON {table}(epk)")
    connection.execute(f"CREATE INDEX {table}_expiry ON {table}(expires_at_s) WHERE expires_at_s IS NOT NULL")
    for number, paths in enumerate(container.definition.unique_keys):
        columns = ", ".join(f"COALESCE(body -> {json_path(path)}, 'null')" for path in paths)
        connection.execute(f"CREATE UNIQUE INDEX {table}_unique_{number} ON {table}(pk, {columns})")
    indexes.create_declared(connection, container)


def open_container(connection: sqlite3.Connection, container: Container) -> Container:
    """Read back where the container's numbers stand."""
    table = container.table
    row = connection.execute(f"SELECT COALESCE(MAX(seq), 0), COALESCE(MAX(lsn), 0) FROM {table}").fetchone()
    counted = dict(connection.execute("SELECT name, value FROM counters WHERE name LIKE ?", (f"{table}.%",)))
    container.last_seq = max(row[0], counted.get(f"{table}.seq", 0))
    container.last_lsn = max(row[1], counted.get(f"{table}.lsn", 0))
    container.sql_indexes = indexes.known(connection, container)
    container.keeps_versions = versions.are_kept(connection, container)
    edges = boundaries(counted.get(f"{table}.ranges", 1), container.definition.hash_version)
    container.ranges = tuple(Range(str(number), start, end) for number, (start, end) in enumerate(pairwise(edges)))
    return container


class Items:
    """The documents of one container, through the connection that writes.

    One instance serves one transaction: all that it changes gets one log sequence number.
    """

    def __init__(self, database: Database, container: Container, self_link: str) -> None:
        self._connection = database.writer
        self._container = container
        self._table = container.table
        self._self_link = self_link
        self._lsn: int | None = None

    @property
    def definition(self) -> Definition:
        """The container's definition."""
        return self._container.definition

    def read(self, key: str, identifier: str, now_s: int) -> Item:
        """The live document. Raises CosmosError 404."""
        found = self._find(key, identifier, now_s)
        if found is None:
            raise not_found(f"document '{identifier}' with partition key {key[:100]}")
        return found

    def create(self, key: str, document: dict[str, Json], now_s: int) -> Item:
        """Insert. Raises CosmosError 409 when the id, or a unique key's value, is taken."""
        identifier = check_id(document.get("id"))
        self._container.last_seq += 1
        item = self._compose(self._container.last_seq, document, now_s)
        epk = effective_key(key, self.definition.hierarchical, self.definition.hash_version)
        values = (item.seq, key, identifier, epk, item.lsn, item.expires_at_s, item.body)
        self._guarded(f"INSERT INTO {self._table} VALUES (?, ?, ?, ?, ?, ?, ?)", values, identifier, now_s)
        return item

    def upsert(self, key: str, document: dict[str, Json], condition: Condition, now_s: int) -> tuple[Item, bool]:
        """Insert or replace; also says whether it was new. Raises CosmosError 409, 412."""
        existing = self._find(key, check_id(document.get("id")), now_s)
        if existing is None:
            return self.create(key, document, now_s), True
        condition.check(existing)
        if condition.if_none_match == "*":
            raise conflict(f"document '{document['id']}'")
        return self._overwrite(existing, document, now_s), False

    def replace(
        self, key: str, identifier: str, document: dict[str, Json], condition: Condition, now_s: int
    ) -> tuple[Item, Item]:
        """The old and the new, which may have another id. Raises CosmosError 404, 409, 412."""
        existing = self.read(key, identifier, now_s)
        condition.check(existing)
        check_id(document.get("id"))
        return existing, self._overwrite(existing, document, now_s)

    def patch(
        self, key: str, identifier: str, patch: dict[str, Json], condition: Condition, now_s: int
    ) -> tuple[Item, Item]:
        """The old and the new. Raises CosmosError 400 for a wrong patch, 404, 409; 412 for a condition not met."""
        existing = self.read(key, identifier, now_s)
        condition.check(existing)
        changed = apply_patch(self._connection, existing.body, patch)
        if partition.spell(self.definition.key_of(changed)) != key:
            raise bad_request("A patch can not change the partition key.")
        return existing, self._overwrite(existing, changed, now_s)

    def delete(self, key: str, identifier: str, condition: Condition, now_s: int) -> Item:
        """The document that is gone. Raises CosmosError 404, 412."""
        existing = self.read(key, identifier, now_s)
        condition.check(existing)
        self._next_lsn()
        self._connection.execute(f"DELETE FROM {self._table} WHERE seq = ?", (existing.seq,))
        return existing

    def delete_partition(self, key: str) -> None:
        """Everything under one partition key."""
        self._next_lsn()
        self._connection.execute(f"DELETE FROM {self._table} WHERE pk = ?", (key,))

    def sweep(self, now_s: int) -> int:
        """Remove a few of the documents whose time is over; how many."""
        expired = f"SELECT seq FROM {self._table} WHERE expires_at_s <= ? LIMIT {_SWEEP}"
        if self._container.keeps_versions:
            versions.forget_old(self._connection, self._container, now_s)
            if self._connection.execute(expired, (now_s,)).fetchone():
                self._next_lsn()
        return self._connection.execute(f"DELETE FROM {self._table} WHERE seq IN ({expired})", (now_s,)).rowcount

    def restamp_expiry(self) -> None:
        """Work out anew when each document ends, after the container's TTL changed."""
        ttl = self.definition.default_ttl_s
        own = "json_extract(body, '$.ttl')"
        ends = f"json_extract(body, '$._ts') + COALESCE({own}, ?)"
        rule = f"CASE WHEN COALESCE({own}, ?) > 0 THEN {ends} END" if ttl is not None else "NULL"
        self._connection.execute(
            f"UPDATE {self._table} SET expires_at_s = {rule}", (ttl, ttl) if ttl is not None else ()
        )

    def _find(self, key: str, identifier: str, now_s: int) -> Item | None:
        find = f"SELECT {_COLUMNS} FROM {self._table} WHERE pk = ? AND "
        row = self._connection.execute(f"{find} id = ?", (key, identifier)).fetchone()
        if row is None and (seq := rids.number_of_child(self._container.resource.rid, identifier)) is not None:
            row = self._connection.execute(f"{find} seq = ?", (key, seq)).fetchone()
        if row is None:
            return None
        item = Item(*row)
        # Whose time is over is left to the sweeper: a read waits for nobody who writes, and needs no room on the disk.
        return item if item.expires_at_s is None or item.expires_at_s > now_s else None

    def _overwrite(self, existing: Item, document: dict[str, Json], now_s: int) -> Item:
        item = self._compose(existing.seq, document, now_s)
        statement = f"UPDATE {self._table} SET id = ?, lsn = ?, expires_at_s = ?, body = ? WHERE seq = ?"
        values = (document["id"], item.lsn, item.expires_at_s, item.body, item.seq)
        self._guarded(statement, values, document["id"], now_s)
        return item

    def _compose(self, seq: int, document: dict[str, Json], now_s: int) -> Item:
        expires_at_s = self._expiry(document, now_s)
        own = {name: value for name, value in document.items() if name not in SYSTEM_PROPERTIES}
        rid = rids.child_rid(self._container.resource.rid, seq)
        system = {
            "_rid": rid,
            "_self": f"{self._self_link}docs/{rid}/",
            "_etag": new_etag(),
            "_attachments": "attachments/",
            "_ts": now_s,
        }
        body = jsontext.dumps({**own, **system})
        if len(body) > MAX_ITEM_BYTES // 4 and len(body.encode()) > MAX_ITEM_BYTES:
            raise too_large(f"Request size is too large: the item is over {MAX_ITEM_BYTES} bytes.")
        return Item(seq, self._next_lsn(), expires_at_s, body)

    def _expiry(self, document: dict[str, Json], now_s: int) -> int | None:
        own = document.get("ttl")
        if "ttl" in document:
            check_ttl(own)
        if self.definition.default_ttl_s is None:
            return None
        ttl: int = own if own is not None else self.definition.default_ttl_s
        return None if ttl == -1 else now_s + ttl

    def _next_lsn(self) -> int:
        if self._lsn is None:
            self._container.last_lsn += 1
            self._lsn = self._container.last_lsn
        self._connection.execute(
            "INSERT OR REPLACE INTO counters VALUES (?, ?), (?, ?)",
            (
                f"{self._table}.lsn",
                self._lsn,
                f"{self._table}.seq",
                self._container.last_seq,
            ),
        )
        return self._lsn

    def _guarded(self, statement: str, values: tuple[object, ...], identifier: str, now_s: int) -> None:
        try:
            self._connection.execute(statement, values)
        except sqlite3.IntegrityError:
            while self.sweep(now_s):
                pass
            try:
                self._connection.execute(statement, values)
            except sqlite3.IntegrityError as error:
                raise conflict(f"document '{identifier}' ({error})") from error


def require_document(body: Json) -> dict[str, Json]:
    """A document is an object. Raises CosmosError 400."""
    if not isinstance(body, dict):
        raise CosmosError(400, "The request body is not a JSON object.")
    return body
