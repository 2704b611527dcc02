"""All versions and deletes of a container's documents, kept by triggers once a client has asked for that feed.

An entry is what the feed gives: the document as it became, and what was done to it. A delete has the document as it
was, and says so when a time to live was over.
"""

import sqlite3

from local_azure.cosmos.store.catalog import Container

DEFAULT_RETENTION_S = 7 * 24 * 3600
_COLUMNS = "lsn, pk, epk, at_s, body"


def table_of(container: Container) -> str:
    """The table of entries, in the order of `seq`."""
    return f"{container.table}_versions"


def are_kept(connection: sqlite3.Connection, container: Container) -> bool:
    """Whether entries are being written."""
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table_of(container),))
    return found.fetchone() is not None


def keep(connection: sqlite3.Connection, container: Container) -> None:
    """Write entries from now on, in the transaction that is open."""
    versions = table_of(container)
    connection.execute(
        f"CREATE TABLE {versions}(seq INTEGER PRIMARY KEY, lsn INTEGER NOT NULL, pk TEXT NOT NULL, "
        "epk TEXT NOT NULL, at_s INTEGER NOT NULL, body TEXT NOT NULL)"
    )
    connection.execute(f"CREATE INDEX {versions}_lsn ON {versions}(lsn)")
    now = "CAST(strftime('%s', 'now') AS INTEGER)"
    last_lsn = f"(SELECT value FROM counters WHERE name = '{container.table}.lsn')"
    expired = f"json(CASE WHEN OLD.expires_at_s <= {now} THEN 'true' ELSE 'false' END)"
    gone = f"'id', OLD.id, 'partitionKey', json(OLD.pk), 'previousImageLSN', OLD.lsn, 'timeToLiveExpired', {expired}"
    for event, operation, row, lsn, current, more in (
        ("INSERT", "create", "NEW", "NEW.lsn", "json(NEW.body)", ""),
        ("UPDATE OF lsn", "replace", "NEW", "NEW.lsn", "json(NEW.body)", ", 'previousImageLSN', OLD.lsn"),
        ("DELETE", "delete", "OLD", last_lsn, "json('{}')", f", {gone}"),
    ):
        previous = ", 'previous', json(OLD.body)" if operation == "delete" else ""
        metadata = f"json_object('operationType', '{operation}', 'lsn', {lsn}, 'crts', {now}{more})"
        connection.execute(
            f"CREATE TRIGGER {versions}_{operation} AFTER {event} ON {container.table} BEGIN "
            f"INSERT INTO {versions}({_COLUMNS}) VALUES ({lsn}, {row}.pk, {row}.epk, {now}, "
            f"json_object('current', {current}, 'metadata', {metadata}{previous})); END"
        )


def forget_old(connection: sqlite3.Connection, container: Container, now_s: int) -> None:
    """Drop the entries that are older than the container's policy keeps them."""
    policy = container.resource.body.get("changeFeedPolicy")
    minutes = policy.get("retentionDuration") if isinstance(policy, dict) else None
    retention_s = minutes * 60 if isinstance(minutes, int) and minutes > 0 else DEFAULT_RETENTION_S
    connection.execute(f"DELETE FROM {table_of(container)} WHERE at_s < ?", (now_s - retention_s,))
