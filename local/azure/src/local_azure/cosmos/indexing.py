"""An indexing policy: which paths the service would index, and which orders a query may ask for."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from local_azure.cosmos.errors import bad_request
from local_azure.cosmos.jsontext import Json
from local_azure.cosmos.partition import parse_path

Path = tuple[str, ...]
DEFAULT_POLICY: dict[str, Json] = {
    "indexingMode": "consistent",
    "automatic": True,
    "includedPaths": [{"path": "/*"}],
    "excludedPaths": [{"path": '/"_etag"/?'}],
}
_ELEMENT = "[]"


@dataclass(frozen=True)
class CompositePath:
    """One member of a composite index."""

    path: Path
    descending: bool


@dataclass(frozen=True)
class IndexingPolicy:
    """A policy in a form that can be asked questions.

    Rules are (tokens, whether everything below is meant, whether it includes), the most precise first.
    """

    enabled: bool
    rules: tuple[tuple[Path, bool, bool], ...]
    composites: tuple[tuple[CompositePath, ...], ...]

    def includes(self, path: Path) -> bool:
        """Whether a scalar at `path` (array elements spelt "[]") is indexed."""
        return self.enabled and _decide(self.rules, path)

    def explicit_paths(self) -> Iterator[Path]:
        """Paths named one by one, without wildcard or array: those worth a SQL index from the start."""
        for tokens, below, includes in self.rules:
            if self.enabled and includes and not below and tokens and _ELEMENT not in tokens:
                yield tokens

    def allows_order(self, order: tuple[CompositePath, ...]) -> bool:
        """Whether a composite index serves ORDER BY on these members, in this or the opposite direction."""
        opposite = tuple(CompositePath(member.path, not member.descending) for member in order)
        return any(composite in (order, opposite) for composite in self.composites)


@lru_cache(maxsize=16384)
def _decide(rules: tuple[tuple[Path, bool, bool], ...], path: Path) -> bool:
    for tokens, below, includes in rules:
        if path[: len(tokens)] == tokens and (below or len(path) == len(tokens)):
            return includes
    return False


def complete(policy: Json) -> dict[str, Json]:
    """The policy as the service stores it: what the client left out filled in."""
    if policy is None:
        return dict(DEFAULT_POLICY)
    if not isinstance(policy, dict):
        raise bad_request("The indexing policy is not a JSON object.")
    mode = str(policy.get("indexingMode", "consistent")).lower()
    if mode not in ("consistent", "lazy", "none"):
        raise bad_request(f"The indexing mode '{mode}' is not one of consistent, lazy, none.")
    included, excluded = policy.get("includedPaths") or [], policy.get("excludedPaths") or []
    if not isinstance(included, list) or not isinstance(excluded, list):
        raise bad_request("The included and excluded paths of an indexing policy are lists.")
    included = [_modern(entry) for entry in included]
    if mode == "none":
        return {**policy, "indexingMode": mode, "automatic": bool(policy.get("automatic", False))}
    if not included and not excluded:
        included = DEFAULT_POLICY["includedPaths"]
    named = {entry.get("path") for entry in [*included, *excluded] if isinstance(entry, dict)}
    if '/"_etag"/?' not in named:
        excluded = [*excluded, {"path": '/"_etag"/?'}]
    return {
        **policy,
        "indexingMode": mode,
        "automatic": bool(policy.get("automatic", True)),
        "includedPaths": included,
        "excludedPaths": excluded,
    }


def _modern(entry: Json) -> Json:
    """An included path without the kinds and precisions of old index versions, which the service drops."""
    if not isinstance(entry, dict):
        return entry
    kept = {name: value for name, value in entry.items() if name != "indexes"}
    return {**kept, "path": "/*"} if entry.get("path") == "/" else kept


def parse_policy(policy: dict[str, Json]) -> IndexingPolicy:
    """Read a completed policy. Raises CosmosError 400 where the service would refuse it."""
    included = [_rule(entry, includes=True) for entry in policy.get("includedPaths", ())]
    excluded = [_rule(entry, includes=False) for entry in policy.get("excludedPaths", ())]
    rules = [*included, *excluded]
    if rules and policy["indexingMode"] != "none" and not any(not tokens and below for tokens, below, _ in rules):
        raise bad_request("The special mandatory indexing path '/' is not provided in any of the path type sets.")
    rules.sort(key=lambda rule: (-len(rule[0]), rule[1]))
    return IndexingPolicy(
        enabled=policy["indexingMode"] != "none",
        rules=tuple(rules),
        composites=tuple(_composite(members) for members in policy.get("compositeIndexes", ())),
    )


def _rule(entry: Json, *, includes: bool) -> tuple[Path, bool, bool]:
    path = entry.get("path") if isinstance(entry, dict) else None
    if not isinstance(path, str) or not path.startswith("/"):
        raise bad_request(f"The indexing path '{path}' could not be accepted.")
    if path == "/":
        return (), True, includes
    tokens = parse_path(path)
    if tokens[-1] not in ("*", "?"):
        raise bad_request(
            f"The indexing path '{path}' could not be accepted, failed near position '{len(path)}'. "
            "Please ensure that the path ends with '/?' or '/*'."
        )
    return tokens[:-1], tokens[-1] == "*", includes


def _composite(members: Json) -> tuple[CompositePath, ...]:
    if not isinstance(members, list) or len(members) < 2:
        raise bad_request("A composite index has at least two paths.")
    return tuple(_member(member) for member in members)


def _member(member: Json) -> CompositePath:
    path = member.get("path") if isinstance(member, dict) else None
    if not isinstance(path, str):
        raise bad_request("A composite index path is missing.")
    return CompositePath(parse_path(path), str(member.get("order", "ascending")).lower() == "descending")


def leaf_paths(value: Json, prefix: Path = ()) -> Iterator[Path]:
    """The path of each scalar in a document, array elements spelt "[]"."""
    if isinstance(value, dict):
        for name, child in value.items():
            yield from leaf_paths(child, (*prefix, name))
    elif isinstance(value, list):
        for child in value:
            yield from leaf_paths(child, (*prefix, _ELEMENT))
    else:
        yield prefix
