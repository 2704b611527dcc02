"""The partition that a request, or the document in it, names."""

from local_azure.cosmos import partition
from local_azure.cosmos.definition import Definition
from local_azure.cosmos.errors import PARTITION_KEY_MISMATCH, bad_request
from local_azure.cosmos.jsontext import Json
from local_azure.cosmos.message import Request


def key_for(request: Request, definition: Definition) -> list[Json] | None:
    """The components in the request's partition key header, None without one."""
    header = request.header("x-ms-documentdb-partitionkey")
    return None if header is None else partition.parse_header(header, len(definition.partition_paths))


def full_key(request: Request, definition: Definition) -> str:
    """The one partition that a point operation is about. Raises CosmosError 400."""
    components = key_for(request, definition)
    if components is None:
        raise bad_request("PartitionKey value must be supplied for this operation.")
    if len(components) != len(definition.partition_paths):
        raise bad_request(
            "Partition key provided either doesn't correspond to definition in the collection or doesn't match "
            "partition key field values specified in the document.",
            PARTITION_KEY_MISMATCH,
        )
    return partition.spell(components)


def key_of_document(definition: Definition, document: dict[str, Json], declared: str | None) -> str:
    """The document's own key, held against the one the client declared. Raises CosmosError 400/1001."""
    own = partition.spell(definition.key_of(document))
    if declared is not None and declared != own:
        raise bad_request(
            "PartitionKey extracted from document doesn't match the one specified in the header.",
            PARTITION_KEY_MISMATCH,
        )
    return own
