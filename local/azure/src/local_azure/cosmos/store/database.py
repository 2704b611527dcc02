"""The SQLite file: its settings, its transactions, and connections that read beside the one that writes."""

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from local_azure.cosmos.errors import CosmosError

_log = logging.getLogger(__name__)
_MINIMUM_SQLITE = (3, 38, 0)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS resources(
  rid TEXT PRIMARY KEY, kind TEXT NOT NULL, parent TEXT NOT NULL, id TEXT NOT NULL,
  number INTEGER NOT NULL, body TEXT NOT NULL, UNIQUE(parent, kind, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counters(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""


class Database:
    """One writing connection, used on the event loop's thread, and as many readers as are asked for."""

    def __init__(
        self, path: Path, *, cache_mb: int, sync_each_commit: bool, prepare: Callable[[sqlite3.Connection], None]
    ) -> None:
        if sqlite3.sqlite_version_info < _MINIMUM_SQLITE:
            raise RuntimeError(f"SQLite {sqlite3.sqlite_version} is too old: its JSON operators come with 3.38")
        self._path = path
        self._prepare = prepare
        self._cache_mb = cache_mb
        self._synchronous = "FULL" if sync_each_commit else "NORMAL"
        self.writer = self.connect()
        self.writer.executescript(_SCHEMA)

    def connect(self) -> sqlite3.Connection:
        """A connection of its own, with the query language's functions; may move between threads."""
        connection = sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False, cached_statements=512, timeout=30
        )
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={self._synchronous}")
        connection.execute(f"PRAGMA cache_size=-{self._cache_mb * 1024}")
        connection.execute("PRAGMA temp_store=FILE")
        connection.execute("PRAGMA journal_size_limit=67108864")
        self._prepare(connection)
        return connection

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing; durable against the death of the process when it returns.

        Raises CosmosError 503 when the disk is full, with nothing written.
        """
        self.writer.execute("BEGIN IMMEDIATE")
        try:
            yield self.writer
            self.writer.execute("COMMIT")
        except BaseException as error:
            if self.writer.in_transaction:
                self.writer.execute("ROLLBACK")
            if isinstance(error, sqlite3.OperationalError) and "full" in str(error):
                raise CosmosError(503, f"The server's disk is full: {error}.") from error
            raise

    def next_number(self, name: str) -> int:
        """The next value, from 1, of a counter that survives restarts and never goes back."""
        row = self.writer.execute(
            "INSERT INTO counters VALUES (?, 1) ON CONFLICT DO UPDATE SET value = value + 1 RETURNING value", (name,)
        ).fetchone()
        return int(row[0])

    def close(self) -> None:
        """Fold the log into the file, unless the disk is full: then it is read at the next start. Let go of both."""
        try:
            self.writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.OperationalError as error:
            _log.warning("the log of %s stays beside it: %s", self._path, error)
        self.writer.close()
