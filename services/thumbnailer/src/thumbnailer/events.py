"""BlobCreated and BlobDeleted as a storage queue delivers them. Pure.

Understood are the Event Grid schema, CloudEvents 1.0, and what an operator writes: the message that Functions puts
into a poison queue, moved back, and `{"Replay": "PREFIX"}`; each as plain JSON or in base64, alone or in an array.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final

import msgspec

from heliograph.wire import UNREADABLE

CREATED: Final = "Microsoft.Storage.BlobCreated"
DELETED: Final = "Microsoft.Storage.BlobDeleted"
FUNCTION_ID: Final = "thumbnailer"

_SUBJECT = "/blobServices/default/containers/{container}/blobs/{name}"
_SUBJECT_HEAD = "/blobServices/default/containers/"


class MalformedEventError(ValueError):
    """A queue message that no blob can be read from; the text says why."""


@dataclass(frozen=True, slots=True)
class BlobEvent:
    """Something happened to a blob. What exactly is looked up, since events come late, twice and out of order."""

    container: str
    name: str
    force: bool = False
    """Work even if the receipt says that it was done: an operator asked for it."""


@dataclass(frozen=True, slots=True)
class Replay:
    """An operator asks for all photos again whose names begin so; `token` leads to the page that is next."""

    prefix: str
    token: str = ""


def parse_events(content: str) -> list[BlobEvent | Replay]:
    """The blob events and wishes of a queue message; other kinds of event are left out. Raises
    `MalformedEventError`."""
    document = _json(content)
    return [event for item in _items(document) if (event := _event(item)) is not None]


def _json(content: str) -> object:
    raw = content.strip().encode()
    if raw[:1] not in (b"{", b"["):
        try:
            raw = base64.b64decode(raw, validate=True)
        except binascii.Error as error:
            raise MalformedEventError(f"the message is neither JSON nor base64: {content[:60]!r}") from error
    try:
        return msgspec.json.decode(raw)
    except UNREADABLE as error:
        raise MalformedEventError(f"the message is no JSON: {error}") from error


def _items(document: object) -> list[dict[str, Any]]:
    items: list[Any] = document if isinstance(document, list) else [document]
    for item in items:
        if not isinstance(item, dict):
            raise MalformedEventError(f"an event is an object, not {type(item).__name__}")
    return items


def _event(item: dict[str, Any]) -> BlobEvent | Replay | None:
    if "Replay" in item:
        return Replay(_parse_prefix(item["Replay"]), str(item.get("Token") or ""))
    if item.get("ContainerName") and item.get("BlobName"):
        return BlobEvent(str(item["ContainerName"]), str(item["BlobName"]), force=True)
    kind = item.get("type") if "specversion" in item else item.get("eventType")
    if kind is None:
        raise MalformedEventError("the event has neither eventType nor CloudEvents' specversion and type")
    if kind not in (CREATED, DELETED):
        return None
    return BlobEvent(*_parse_subject(item.get("subject")))


def _parse_prefix(prefix: object) -> str:
    if not isinstance(prefix, str) or not prefix:
        raise MalformedEventError(f"Replay is {prefix!r}, not the beginning of photos' names")
    return prefix


def _parse_subject(subject: object) -> tuple[str, str]:
    if not isinstance(subject, str) or not subject.startswith(_SUBJECT_HEAD):
        raise MalformedEventError(f"the event's subject is {subject!r}, not {_SUBJECT}")
    container, separator, name = subject.removeprefix(_SUBJECT_HEAD).partition("/blobs/")
    if not (container and separator and name):
        raise MalformedEventError(f"the event's subject is {subject!r}, not {_SUBJECT}")
    return container, name


def created_message(container: str, name: str, etag: str, size: int, at: datetime) -> str:
    """The message that Event Grid would have sent for a blob; what the scan feeds the queue with."""
    return _message(CREATED, container, name, at, {"eTag": etag, "contentLength": size})


def deleted_message(container: str, name: str, at: datetime) -> str:
    """The message that Event Grid would have sent for a blob that went away."""
    return _message(DELETED, container, name, at, {})


def _message(kind: str, container: str, name: str, at: datetime, facts: dict[str, object]) -> str:
    event = {
        "id": f"scan-{blake2b(f'{kind}{name}{at}'.encode(), digest_size=12).hexdigest()}",
        "topic": "",
        "subject": _SUBJECT.format(container=container, name=name),
        "eventType": kind,
        "eventTime": at.isoformat(),
        "data": {"api": "Scan", "blobType": "BlockBlob", **facts},
        "dataVersion": "",
        "metadataVersion": "1",
    }
    return msgspec.json.encode(event).decode()


def replay_message(prefix: str, token: str = "", **facts: object) -> str:
    """The message by which all photos are asked for again whose names begin so, from a page of the listing on."""
    return msgspec.json.encode({"Replay": prefix, "Token": token, **facts}).decode()


def poison_message(event: BlobEvent, etag: str, reason: str, detail: str, tries: int) -> str:
    """What Functions puts into a poison queue for a blob, with the reason added."""
    message = {
        "Type": "BlobTrigger",
        "FunctionId": FUNCTION_ID,
        "BlobType": "BlockBlob",
        "ContainerName": event.container,
        "BlobName": event.name,
        "ETag": f'"{etag}"' if etag else "",
        "Reason": reason,
        "Detail": detail[:2000],
        "DequeueCount": tries,
    }
    return msgspec.json.encode(message).decode()
