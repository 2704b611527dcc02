"""Partition keys: where a document's lies, how it is spelt, and how a client names one."""

from local_azure.cosmos import jsontext
from local_azure.cosmos.errors import PARTITION_KEY_MISMATCH, bad_request
from local_azure.cosmos.jsontext import Json

MAX_KEY_BYTES = 2048


def parse_path(path: str) -> tuple[str, ...]:
    """`/a/"b/c"/d` as ("a", "b/c", "d"). Raises CosmosError 400 for anything else."""
    if not path.startswith("/") or path == "/":
        raise bad_request(f"The partition key component definition path '{path}' could not be accepted.")
    tokens, rest = [], path
    while rest:
        if rest[0] != "/":
            raise bad_request(f"The path '{path}' could not be read near '{rest}'.")
        if (quote := rest[1:2]) in ('"', "'"):
            end = rest.find(quote, 2)
            if end < 0:
                raise bad_request(f"The path '{path}' has an open quotation mark.")
            tokens.append(rest[2:end])
            rest = rest[end + 1 :]
        else:
            token, _, tail = rest[1:].partition("/")
            tokens.append(token)
            rest = f"/{tail}" if tail else ""
    return tuple(tokens)


def component(document: Json, path: tuple[str, ...]) -> Json:
    """The scalar at `path`, or {} when there is none: the service's spelling of "no value"."""
    value = document
    for token in path:
        if not isinstance(value, dict) or token not in value:
            return {}
        value = value[token]
    if isinstance(value, dict | list):
        return {}
    return value


def spell(components: list[Json]) -> str:
    """The key's one spelling, a JSON array: what is stored and compared."""
    text = jsontext.dumps(components)
    if len(text.encode()) > MAX_KEY_BYTES + 4:
        raise bad_request(f"Partition key provided is longer than the maximum of {MAX_KEY_BYTES} bytes.")
    return text


def parse_header(header: str, paths: int) -> list[Json]:
    """The components in an `x-ms-documentdb-partitionkey` header; may be fewer than `paths` (a prefix)."""
    try:
        components = jsontext.loads(header)
    except ValueError as error:
        raise bad_request(f"Partition key {header[:100]} is invalid.") from error
    if not isinstance(components, list):
        raise bad_request(f"Partition key {header[:100]} is invalid: not an array.")
    if not components:
        return [{}] * paths
    if len(components) > paths or any(isinstance(c, list) or (isinstance(c, dict) and c) for c in components):
        raise bad_request(f"Partition key {header[:100]} is invalid.", PARTITION_KEY_MISMATCH)
    return components
