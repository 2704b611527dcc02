"""The tree of resources above documents: databases, containers, offers, users, permissions, scripts.

It is small, so all of it is in memory; each change is written through before it is seen.
"""

from dataclasses import dataclass, field
from uuid import uuid4

from local_azure.cosmos import definition, jsontext, rids
from local_azure.cosmos.errors import OWNER_NOT_FOUND, CosmosError, conflict, not_found
from local_azure.cosmos.jsontext import Json
from local_azure.cosmos.store.database import Database

ROOT = ""
"""The parent of databases and offers."""


@dataclass
class Resource:
    """One node of the tree; `body` is what the client gets."""

    rid: str
    kind: str
    parent: str
    id: str
    number: int
    body: dict[str, Json]

    @property
    def etag(self) -> str:
        """Version, in the quotation marks in which it travels."""
        return str(self.body["_etag"])


@dataclass(frozen=True)
class Range:
    """A partition key range: the part of the key space, [start, end), that one physical partition would hold."""

    id: str
    start: str
    end: str


@dataclass
class Container:
    """A container: its node, its definition as read, and the numbers its documents take."""

    resource: Resource
    definition: definition.Definition
    ranges: tuple[Range, ...] = ()
    last_lsn: int = 0
    last_seq: int = 0
    sql_indexes: set[str] = field(default_factory=set)
    keeps_versions: bool = False

    @property
    def table(self) -> str:
        """Its table of documents."""
        return f"docs_{self.resource.number}"


def new_etag() -> str:
    """A version that was never used before."""
    return f'"{uuid4()}"'


class Catalog:
    """Finds, makes, changes and removes the resources above documents."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._by_rid: dict[str, Resource] = {}
        self._by_name: dict[tuple[str, str, str], Resource] = {}
        rows = database.writer.execute("SELECT rid, kind, parent, id, number, body FROM resources")
        for rid, kind, parent, identifier, number, body in rows:
            self._remember(Resource(rid, kind, parent, identifier, number, jsontext.loads(body)))

    def _remember(self, resource: Resource) -> None:
        self._by_rid[resource.rid] = resource
        self._by_name[resource.parent, resource.kind, resource.id] = resource

    def find(self, kind: str, parent: str, name: str) -> Resource:
        """By id, else by rid. Raises CosmosError 404."""
        found = self._by_name.get((parent, kind, name))
        if found is None:
            found = self._by_rid.get(name)
            if found is None or found.kind != kind or found.parent != parent:
                raise not_found(f"{kind} '{name}'")
        return found

    def get(self, kind: str, parent: str, name: str) -> Resource | None:
        """By id only."""
        return self._by_name.get((parent, kind, name))

    def owner(self, kind: str, parent: str, name: str) -> Resource:
        """As `find`, for something on the way: its 404 says that the owner is missing."""
        try:
            return self.find(kind, parent, name)
        except CosmosError as error:
            raise not_found(f"owner {kind} '{name}'", OWNER_NOT_FOUND) from error

    def by_rid(self, rid: str) -> Resource | None:
        """Whatever has this rid."""
        return self._by_rid.get(rid)

    def children(self, kind: str, parent: str) -> list[Resource]:
        """In the order in which they were made."""
        found = [r for r in self._by_rid.values() if r.kind == kind and r.parent == parent]
        return sorted(found, key=lambda resource: resource.number)

    def create(self, kind: str, parent: str, body: dict[str, Json], now_s: int) -> Resource:
        """Make one. Raises CosmosError 409 when its id is taken."""
        identifier = body["id"]
        if (parent, kind, identifier) in self._by_name:
            raise conflict(f"{kind} '{identifier}'")
        with self._database.transaction():
            number = self._database.next_number(kind)
            rid = self._rid(kind, parent, number)
            resource = Resource(rid, kind, parent, identifier, number, {})
            resource.body = self._stamped(resource, body, now_s)
            self._write(resource)
        self._remember(resource)
        return resource

    def replace(self, resource: Resource, body: dict[str, Json], now_s: int) -> Resource:
        """Give it a new body (and, for scripts and users, perhaps a new id)."""
        if body["id"] != resource.id and (resource.parent, resource.kind, body["id"]) in self._by_name:
            raise conflict(f"{resource.kind} '{body['id']}'")
        changed = Resource(resource.rid, resource.kind, resource.parent, body["id"], resource.number, {})
        changed.body = self._stamped(changed, body, now_s)
        with self._database.transaction():
            self._write(changed)
        del self._by_name[resource.parent, resource.kind, resource.id]
        self._remember(changed)
        return changed

    def remove(self, resource: Resource) -> None:
        """Forget it and everything below it, in the transaction that is open."""
        for child in [r for r in self._by_rid.values() if r.parent == resource.rid]:
            self.remove(child)
        self._database.writer.execute("DELETE FROM resources WHERE rid = ?", (resource.rid,))
        if resource.kind == "colls":
            for table in (f"docs_{resource.number}", f"docs_{resource.number}_versions"):
                self._database.writer.execute(f"DROP TABLE IF EXISTS {table}")
        self._by_rid.pop(resource.rid, None)
        self._by_name.pop((resource.parent, resource.kind, resource.id), None)

    def link(self, resource: Resource) -> str:
        """Its `_self`: the path of rids from the root, ending in `/`."""
        parent = self._by_rid.get(resource.parent)
        return f"{self.link(parent) if parent else ''}{resource.kind}/{resource.rid}/"

    def _write(self, resource: Resource) -> None:
        self._database.writer.execute(
            "INSERT OR REPLACE INTO resources VALUES (?, ?, ?, ?, ?, ?)",
            (resource.rid, resource.kind, resource.parent, resource.id, resource.number, jsontext.dumps(resource.body)),
        )

    def _stamped(self, resource: Resource, body: dict[str, Json], now_s: int) -> dict[str, Json]:
        system = {"_rid": resource.rid, "_self": self.link(resource), "_etag": new_etag(), "_ts": now_s}
        return {**body, **system, **_child_links(resource.kind)}

    def _rid(self, kind: str, parent: str, number: int) -> str:
        if kind == "dbs":
            return rids.database_rid(number)
        if kind == "offers":
            return rids.offer_rid(number)
        if kind == "colls":
            return rids.container_rid(self._by_rid[parent].number, number)
        if kind == "users":
            return rids.user_rid(self._by_rid[parent].number, number)
        return rids.child_rid(parent, number, kind)


def _child_links(kind: str) -> dict[str, str]:
    if kind == "dbs":
        return {"_colls": "colls/", "_users": "users/"}
    if kind == "colls":
        names = ("docs", "sprocs", "triggers", "udfs", "conflicts")
        return {f"_{name}": f"{name}/" for name in names}
    return {"_permissions": "permissions/"} if kind == "users" else {}
