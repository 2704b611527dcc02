"""The addresses that links name: hubs, partitions, consumer groups and the broker's own nodes."""

from enum import StrEnum
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from local_azure.eventhubs.errors import AmqpLinkError, Condition


class Node(StrEnum):
    """The nodes that answer requests."""

    CBS = "$cbs"
    MANAGEMENT = "$management"


class Address(NamedTuple):
    """What an address says; a hub or a node is always there."""

    path: str
    """Lower case, without host and outer slashes: what claims are compared with."""
    hub: str = ""
    group: str | None = None
    partition: str | None = None
    node: Node | None = None


def parse_address(address: object) -> Address | None:
    """Read an address, absolute or relative; None stands for no address, as an anonymous relay has.

    Raises:
        AmqpLinkError: it names nothing that an Event Hubs namespace has.
    """
    if address is None or address == "":
        return None
    text = address.decode(errors="replace") if isinstance(address, bytes) else str(address)
    path = (_path_of_url(text) if "://" in text else text).strip("/")
    parts = [unquote(part) for part in path.split("/")]
    key = path.casefold()
    if parts[-1].casefold() in list(Node) and len(parts) <= 2:
        return Address(key, hub=parts[0] if len(parts) == 2 else "", node=Node(parts[-1].casefold()))
    match [part.casefold() if index % 2 else part for index, part in enumerate(parts)]:
        case [hub]:
            return Address(key, hub)
        case [hub, "partitions", partition]:
            return Address(key, hub, partition=partition)
        case [hub, "consumergroups", group, "partitions", partition]:
            return Address(key, hub, group, partition)
    raise AmqpLinkError(Condition.NOT_FOUND, f"The messaging entity '{text}' could not be found.")


def _path_of_url(text: str) -> str:
    try:
        return urlsplit(text).path
    except ValueError:
        raise AmqpLinkError(Condition.INVALID_FIELD, f"'{text}' is no address.") from None
