"""`$management`: what clients may ask about hubs and partitions."""

from collections.abc import Callable
from typing import Any

from local_azure.eventhubs.codec import Array, Int, Long, Symbol, Timestamp
from local_azure.eventhubs.errors import AmqpError, AmqpLinkError, Condition
from local_azure.eventhubs.hub import Hub, Partition
from local_azure.eventhubs.messages import Request, encode_response
from local_azure.eventhubs.service import FAILURES, Service, failure_of

HUB_TYPE = "com.microsoft:eventhub"
PARTITION_TYPE = "com.microsoft:partition"
NO_TIME_MS = -62_135_596_800_000
"""The service's stand-in for "never": the first of January of the year 1."""

_STATUS = {
    Condition.NOT_FOUND: 404,
    Condition.UNAUTHORIZED_ACCESS: 401,
    Condition.SERVER_BUSY: 503,
    Condition.OPERATION_TIMEOUT: 408,
    Condition.INTERNAL_ERROR: 500,
}


def read(service: Service, allowed: Callable[[str], bool], request: Request) -> bytes:
    """Answer a READ for those whose claims cover the hub."""
    name = str(request.properties.get("name") or "")
    try:
        body = _read(service, allowed, name, request.properties)
    except AmqpError as refusal:
        properties = {
            "status-code": Int(_STATUS.get(refusal.condition, 400)),
            "status-description": refusal.description,
            "error-condition": Symbol(refusal.condition),
        }
        return encode_response(request.message_id, properties, None)
    return encode_response(request.message_id, {"status-code": Int(200), "status-description": "OK"}, body)


def _read(service: Service, allowed: Callable[[str], bool], name: str, properties: dict[str, Any]) -> dict[str, Any]:
    if properties.get("operation") != "READ":
        raise AmqpLinkError(Condition.NOT_IMPLEMENTED, "READ is the only operation of this node.")
    path = name.casefold()
    if not (allowed(path) or allowed(f"{path}/$management")):
        raise AmqpLinkError(Condition.UNAUTHORIZED_ACCESS, f"Unauthorized access to '{name}'.")
    fault = service.take_fault("management", *FAILURES, hub=name)
    if fault is not None:
        raise failure_of(fault)
    hub = service.namespace.hub(name)
    kind = properties.get("type")
    if kind == HUB_TYPE:
        return _describe_hub(hub)
    if kind == PARTITION_TYPE:
        return _describe_partition(hub, hub.partition(str(properties.get("partition"))))
    raise AmqpLinkError(Condition.ARGUMENT_ERROR, f"'{kind}' is no type of this node.")


def _describe_hub(hub: Hub) -> dict[str, Any]:
    return {
        "name": hub.name,
        "type": HUB_TYPE,
        "created_at": Timestamp(hub.created_ms),
        "partition_count": Int(len(hub.partitions)),
        "partition_ids": Array(partition.id for partition in hub.partitions),
        "georeplication_factor": Int(1),
    }


def _describe_partition(hub: Hub, partition: Partition) -> dict[str, Any]:
    log = partition.log
    empty = log.is_empty
    return {
        "name": hub.name,
        "type": PARTITION_TYPE,
        "partition": partition.id,
        "begin_sequence_number_epoch": Int(-1),
        "begin_sequence_number": Long(-1 if empty else log.first_sequence_number),
        **last_enqueued(partition),
        "is_partition_empty": empty,
    }


def last_enqueued(partition: Partition) -> dict[str, Any]:
    """Return what is known of the last event of a partition, under the names that the service uses."""
    log = partition.log
    return {
        "last_enqueued_sequence_number_epoch": Int(-1),
        "last_enqueued_sequence_number": Long(log.next_sequence_number - 1),
        "last_enqueued_offset": str(log.last_offset),
        "last_enqueued_time_utc": Timestamp(log.last_enqueued_ms or NO_TIME_MS),
    }
