"""A container's definition: checked, completed with the service's defaults, and read once."""

from dataclasses import dataclass

from local_azure.cosmos import indexing, jsontext, partition, search
from local_azure.cosmos.errors import bad_request
from local_azure.cosmos.jsontext import Json
from local_azure.cosmos.query.computed import Computed, parse_computed

_FORBIDDEN_IN_IDS = frozenset("/\\?#")
MAX_NAME_LENGTH = 255
_MAX_ID_LENGTH = 1023
_MAX_HIERARCHY = 3
_IMMUTABLE = ("partitionKey", "uniqueKeyPolicy")


@dataclass(frozen=True)
class Definition:
    """What the rest of the server asks of a container.

    `default_ttl_s`: None = items never expire; -1 = only those with a `ttl` of their own do.
    """

    partition_paths: tuple[tuple[str, ...], ...]
    hierarchical: bool
    hash_version: int
    default_ttl_s: int | None
    unique_keys: tuple[tuple[tuple[str, ...], ...], ...]
    indexing: indexing.IndexingPolicy
    computed: Computed

    def key_of(self, document: Json) -> list[Json]:
        """The partition key's components in a document, {} for each one missing."""
        return [partition.component(document, path) for path in self.partition_paths]


def check_id(identifier: Json, longest: int = _MAX_ID_LENGTH) -> str:
    """The id of a resource: a document's, or a shorter name. Raises CosmosError 400 for what the service refuses."""
    if not isinstance(identifier, str) or not identifier:
        raise bad_request("The input content is invalid because the required properties - 'id; ' - are missing.")
    if len(identifier) > longest:
        bound = longest if longest == MAX_NAME_LENGTH else longest + 1
        raise bad_request(
            f"The input name '{identifier[:20]}…' is invalid: {len(identifier)} characters. "
            f"Ensure to provide a unique non-empty string less than '{bound}' characters."
        )
    if _FORBIDDEN_IN_IDS & set(identifier) or identifier.endswith(" "):
        raise bad_request(f"Id contains illegal chars: {identifier!r}.")
    return identifier


def complete(body: Json) -> dict[str, Json]:
    """The definition as the service stores and returns it."""
    if not isinstance(body, dict):
        raise bad_request("A container's definition is a JSON object.")
    check_id(body.get("id"), MAX_NAME_LENGTH)
    key = body.get("partitionKey") or {"paths": ["/_partitionKey"], "kind": "Hash", "version": 2, "systemKey": True}
    completed = {
        "id": body["id"],
        "indexingPolicy": indexing.complete(body.get("indexingPolicy")),
        "partitionKey": _complete_key(key),
        "uniqueKeyPolicy": body.get("uniqueKeyPolicy") or {"uniqueKeys": []},
        "conflictResolutionPolicy": body.get("conflictResolutionPolicy")
        or {"mode": "LastWriterWins", "conflictResolutionPath": "/_ts", "conflictResolutionProcedure": ""},
        "geospatialConfig": body.get("geospatialConfig") or {"type": "Geography"},
    }
    rest = {name: value for name, value in body.items() if name not in completed and not name.startswith("_")}
    return {**completed, **rest}


def _complete_key(key: Json) -> dict[str, Json]:
    if not isinstance(key, dict) or not isinstance(key.get("paths"), list) or not key["paths"]:
        raise bad_request("The partition key definition has no paths.")
    if not all(isinstance(path, str) for path in key["paths"]):
        raise bad_request("The partition key definition's paths are not strings.")
    return {**key, "kind": key.get("kind", "Hash")}


def parse(completed: dict[str, Json]) -> Definition:
    """Read a completed definition. Raises CosmosError 400 naming what is wrong in it."""
    key = completed["partitionKey"]
    hierarchical = key["kind"] == "MultiHash"
    limit = _MAX_HIERARCHY if hierarchical else 1
    if key["kind"] not in ("Hash", "MultiHash") or len(key["paths"]) > limit:
        raise bad_request(f"Too many partition key paths or an unknown kind: {len(key['paths'])}, {key['kind']}.")
    search.check_vectors(completed)
    search.check_full_text(completed)
    ttl = completed.get("defaultTtl")
    if ttl is not None:
        check_ttl(ttl)
    return Definition(
        partition_paths=tuple(partition.parse_path(path) for path in key["paths"]),
        hierarchical=hierarchical,
        hash_version=2 if hierarchical else int(key.get("version") or 1),
        default_ttl_s=ttl,
        unique_keys=_unique_keys(completed["uniqueKeyPolicy"]),
        indexing=indexing.parse_policy(completed["indexingPolicy"]),
        computed=parse_computed(completed.get("computedProperties")),
    )


def check_ttl(ttl: Json) -> int:
    """Seconds to live, or -1 for ever. Raises CosmosError 400."""
    if not isinstance(ttl, int) or isinstance(ttl, bool) or ttl == 0 or ttl < -1 or ttl >= 2**31:
        raise bad_request(f"The ttl {jsontext.dumps(ttl)[:40]} is neither -1 nor a positive whole number of seconds.")
    return ttl


def _unique_keys(policy: Json) -> tuple[tuple[tuple[str, ...], ...], ...]:
    keys = policy.get("uniqueKeys") if isinstance(policy, dict) else None
    if not isinstance(keys, list) or not all(isinstance(key, dict) and key.get("paths") for key in keys):
        raise bad_request("The unique key policy could not be read: each key has a list of paths.")
    return tuple(tuple(partition.parse_path(path) for path in key["paths"]) for key in keys)


def check_replacement(old: dict[str, Json], new: dict[str, Json]) -> None:
    """A container's keys are for ever. Raises CosmosError 400 when a replacement changes one."""
    if old["id"] != new["id"]:
        raise bad_request("Replacing a container can not change its id.")
    for name in _IMMUTABLE:
        if _comparable(old[name]) != _comparable(new[name]):
            raise bad_request(f"Replacing '{name}' of an existing container is not supported.")
    search.check_vector_replacement(old, new)


def _comparable(value: dict[str, Json]) -> dict[str, Json]:
    return {"version": 1, **value} if "paths" in value else value
