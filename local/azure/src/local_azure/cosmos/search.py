"""Vector and full-text policies of a container: held to the service's rules, though nothing here searches by them."""

from local_azure.cosmos.errors import bad_request
from local_azure.cosmos.jsontext import Json

_DATA_TYPES = ("float32", "float16", "int8", "uint8")
_DISTANCES = ("euclidean", "cosine", "dotproduct")
_INDEX_TYPES = ("flat", "quantizedFlat", "diskANN")
_MAX_DIMENSIONS = 4096
_MAX_QUANTIZATION_BYTES = 512
_SEARCH_LIST_SIZES = (25, 500)
_LANGUAGES = ("en-US", "de-DE", "es-ES", "fr-FR", "it-IT", "pt-PT", "pt-BR")


def check_vectors(definition: dict[str, Json]) -> None:
    """Raises CosmosError 400 for an embedding or a vector index that the service would not take."""
    embeddings = {str(entry.get("path")): entry for entry in _embeddings(definition)}
    for entry in embeddings.values():
        _check_embedding(entry)
    for index in _indexes(definition, "vectorIndexes"):
        path = index.get("path")
        if path not in embeddings:
            raise bad_request(f"The Vector Indexing Policy's path::{path} not matching in Embedding's path.")
        _check_index(index, embeddings[path]["dimensions"])


def check_full_text(definition: dict[str, Json]) -> None:
    """Raises CosmosError 400 for a full-text path, language or index that the service would not take."""
    policy = definition.get("fullTextPolicy")
    paths = _list(policy, "fullTextPaths")
    languages = [*([policy.get("defaultLanguage")] if policy else []), *(entry.get("language") for entry in paths)]
    for language in languages:
        if language is not None and language not in _LANGUAGES:
            raise bad_request(f"The Full Text Policy has an unsupported language: {language}.")
    for entry in paths:
        if not _is_path(entry.get("path")):
            raise bad_request(f"The Full Text Policy contains an invalid Path: {entry.get('path')}.")
    declared = {entry["path"] for entry in paths}
    for index in _indexes(definition, "fullTextIndexes"):
        if index.get("path") not in declared:
            raise bad_request(f"The full-text index path '{index.get('path')}' is not in the full text policy.")


def check_vector_replacement(old: dict[str, Json], new: dict[str, Json]) -> None:
    """What is embedded and indexed may grow and not change. Raises CosmosError 400."""
    for kind, before, after in (
        ("vector indexing", _indexes(old, "vectorIndexes"), _indexes(new, "vectorIndexes")),
        ("embedding", _embeddings(old), _embeddings(new)),
    ):
        known = {str(entry.get("path")): entry for entry in before}
        if any(known.get(str(entry.get("path")), entry) != entry for entry in after):
            raise bad_request(f"Paths in existing {kind} policy cannot be modified in Collection Replace.")


def _check_embedding(entry: dict[str, Json]) -> None:
    if not _is_path(entry.get("path")):
        raise bad_request(f"The Vector Embedding Policy has an invalid Path:{entry.get('path')}.")
    if entry.get("dataType") not in _DATA_TYPES:
        raise bad_request(f"The Vector Embedding Policy has an invalid DataType:{entry.get('dataType')}.")
    dimensions = entry.get("dimensions")
    if not isinstance(dimensions, int) or dimensions < 1:
        raise bad_request(f"The Vector Embedding Policy has Dimensions:{dimensions} which is less than 1.")
    if dimensions > _MAX_DIMENSIONS:
        raise bad_request(
            f"The Vector Embedding Policy has Dimensions:{dimensions} which is more than the maximum supported value "
            f"{_MAX_DIMENSIONS}."
        )
    distance = entry.get("distanceFunction")
    if distance not in _DISTANCES:
        raise bad_request(f"The Vector Embedding Policy has an invalid DistanceFunction:{distance}.")


def _check_index(index: dict[str, Json], dimensions: int) -> None:
    if index.get("type") not in _INDEX_TYPES:
        raise bad_request(f"The Vector Indexing Policy's Index Type::{index.get('type')} is invalid.")
    _check_range(index, "quantizationByteSize", 1, min(dimensions, _MAX_QUANTIZATION_BYTES))
    _check_range(index, "indexingSearchListSize", *_SEARCH_LIST_SIZES)
    shards = index.get("vectorIndexShardKey")
    if shards is None:
        return
    if not isinstance(shards, list):
        raise bad_request("One of the specified inputs is invalid: vectorIndexShardKey is a list of paths.")
    if len(shards) > 1:
        raise bad_request(
            f"The number of shard paths defined in the Vector Indexing Policy: {len(shards)} exceeds the maximum: 1."
        )
    for shard in shards:
        if not _is_path(shard):
            raise bad_request(f"The Vector Indexing Policy has an invalid Shard Path: {shard}.")


def _check_range(index: dict[str, Json], name: str, least: int, most: int) -> None:
    value = index.get(name)
    if value is not None and not (isinstance(value, int) and least <= value <= most):
        raise bad_request(
            f"The Vector Indexing Policy parameter {name[0].upper()}{name[1:]} value :: {value} is out of range. "
            f"The allowed range is between {least} and {most}."
        )


def _embeddings(definition: dict[str, Json]) -> list[dict[str, Json]]:
    return _list(definition.get("vectorEmbeddingPolicy"), "vectorEmbeddings")


def _indexes(definition: dict[str, Json], name: str) -> list[dict[str, Json]]:
    return _list(definition["indexingPolicy"], name)


def _list(policy: Json, name: str) -> list[dict[str, Json]]:
    """The objects in a list of a policy, which may lack the list or be absent itself."""
    if policy is None:
        return []
    entries = policy.get(name, []) if isinstance(policy, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise bad_request(f"One of the specified inputs is invalid: {name} is a list of objects.")
    return entries


def _is_path(path: Json) -> bool:
    return isinstance(path, str) and path.startswith("/") and len(path) > 1
