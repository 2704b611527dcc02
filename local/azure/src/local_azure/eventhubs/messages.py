"""Messages as the broker sees them: sections to be kept, annotations to be added.

A stored event is what a consumer is sent: header and delivery annotations if any (the service keeps them too), message
annotations with the broker's own first, then the sender's other sections untouched. Only section descriptors that are
not in the short form are rewritten, since the Python SDK cannot read those.

Reference: OASIS AMQP 1.0 part 3, section 2.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from local_azure.eventhubs import codec
from local_azure.eventhubs.codec import DecodeError, Described, Int, Symbol
from local_azure.eventhubs.errors import AmqpLinkError, Condition

BATCH_FORMAT = 0x80013700
"""Message format of a publication that holds many events, one in each data section."""

HEADER = 0x70
DELIVERY_ANNOTATIONS = 0x71
MESSAGE_ANNOTATIONS = 0x72
PROPERTIES = 0x73
APPLICATION_PROPERTIES = 0x74
DATA = 0x75
SEQUENCE = 0x76
VALUE = 0x77
FOOTER = 0x78

PARTITION_KEY = "x-opt-partition-key"
_SEQUENCE_NUMBER_EPOCH = "x-opt-sequence-number-epoch"
_SEQUENCE_NUMBER = "x-opt-sequence-number"
_OFFSET = "x-opt-offset"
_ENQUEUED_TIME = "x-opt-enqueued-time"
_OWN_ANNOTATIONS = {PARTITION_KEY, _SEQUENCE_NUMBER_EPOCH, _SEQUENCE_NUMBER, _OFFSET, _ENQUEUED_TIME}

_SYMBOLIC_SECTIONS = {
    "amqp:header:list": HEADER,
    "amqp:delivery-annotations:map": DELIVERY_ANNOTATIONS,
    "amqp:message-annotations:map": MESSAGE_ANNOTATIONS,
    "amqp:properties:list": PROPERTIES,
    "amqp:application-properties:map": APPLICATION_PROPERTIES,
    "amqp:data:binary": DATA,
    "amqp:amqp-sequence:list": SEQUENCE,
    "amqp:amqp-value:*": VALUE,
    "amqp:footer:map": FOOTER,
}


class Section(NamedTuple):
    """Where one section of a message lies."""

    code: int
    start: int
    """First byte, of its descriptor."""
    value_start: int
    end: int


def sections(message: bytes) -> Iterator[Section]:
    """Yield the sections of an encoded message in the order they come.

    Raises:
        DecodeError: the bytes are no message.
    """
    pos = 0
    while pos < len(message):
        start = pos
        if message[pos : pos + 2] == b"\x00\x53" and pos + 2 < len(message):
            code, value_start = message[pos + 2], pos + 3
        else:
            code, value_start = _long_descriptor(message, pos)
        if not HEADER <= code <= FOOTER:
            raise DecodeError(f"0x{code:x} describes no section of a message")
        pos = codec.skip(message, value_start)
        yield Section(code, start, value_start, pos)


def _long_descriptor(message: bytes, pos: int) -> tuple[int, int]:
    if message[pos] != 0:
        raise DecodeError(f"a section starts with 0x{message[pos]:02x}, not with a descriptor")
    descriptor, end = codec.decode(message, pos + 1)
    if isinstance(descriptor, str):
        descriptor = _SYMBOLIC_SECTIONS.get(descriptor)
    if not isinstance(descriptor, int):
        raise DecodeError("a section has no known descriptor")
    return descriptor, end


class Event(NamedTuple):
    """An event that waits for its place in a partition."""

    head: bytes
    """Header and delivery annotations, encoded."""
    annotations: dict[Any, Any]
    """The sender's, without those that the broker writes."""
    rest: bytes
    partition_key: str | None
    prefix: bytes
    """The annotations that don't depend on the place, encoded."""

    def stamp(self, sequence_number: int, offset: int, enqueued_ms: int) -> bytes:
        """Return the event as it is stored and delivered."""
        entries = b"".join(
            (
                self.prefix,
                _SEQUENCE_NUMBER_KEY,
                codec.encode_long(sequence_number),
                _OFFSET_KEY,
                codec.encode_string(str(offset)),
                _ENQUEUED_TIME_KEY,
                codec.encode_timestamp(enqueued_ms),
                *map(codec.encode, (item for pair in self.annotations.items() for item in pair)),
            )
        )
        count = 8 + 2 * len(self.annotations) + (2 if self.partition_key is not None else 0)
        return b"".join((self.head, _annotations_section(entries, count), self.rest))


_SEQUENCE_NUMBER_KEY = codec.encode_symbol(_SEQUENCE_NUMBER)
_OFFSET_KEY = codec.encode_symbol(_OFFSET)
_ENQUEUED_TIME_KEY = codec.encode_symbol(_ENQUEUED_TIME)
_EPOCH_ENTRY = codec.encode_symbol(_SEQUENCE_NUMBER_EPOCH) + codec.encode(Int(-1))
_PARTITION_KEY_KEY = codec.encode_symbol(PARTITION_KEY)


def _annotations_section(entries: bytes, count: int) -> bytes:
    if len(entries) < 255 and count < 256:
        return b"".join((b"\x00\x53\x72\xc1", bytes((len(entries) + 1, count)), entries))
    size = (len(entries) + 4).to_bytes(4, "big")
    return b"".join((b"\x00\x53\x72\xd1", size, count.to_bytes(4, "big"), entries))


def read_event(message: bytes, partition_key: str | None = None) -> Event:
    """Read one encoded message; `partition_key` is that of the publication around it.

    Raises:
        DecodeError: the bytes are no message.
    """
    header = delivery_annotations = b""
    annotations: dict[Any, Any] = {}
    rest: list[bytes] = []
    for section in sections(message):
        if section.code == MESSAGE_ANNOTATIONS:
            annotations = _map_at(message, section)
        elif section.code == HEADER:
            header = _normal_form(message, section)
        elif section.code == DELIVERY_ANNOTATIONS:
            delivery_annotations = _normal_form(message, section)
        else:
            rest.append(_normal_form(message, section))
    if not rest:
        raise DecodeError("a message has no body")
    key = _key_in(annotations) or partition_key
    kept = {name: value for name, value in annotations.items() if name not in _OWN_ANNOTATIONS}
    prefix = _EPOCH_ENTRY
    if key is not None:
        prefix = _PARTITION_KEY_KEY + codec.encode_string(key) + _EPOCH_ENTRY
    return Event(header + delivery_annotations, kept, b"".join(rest), key, prefix)


def read_publication(message: bytes, message_format: int) -> tuple[str | None, list[Event]]:
    """Read what a producer sent in one delivery: its partition key and its events.

    Raises:
        AmqpLinkError: the payload is no message, or a batch without events.
    """
    try:
        if message_format != BATCH_FORMAT:
            event = read_event(message)
            return event.partition_key, [event]
        return _read_batch(message)
    except DecodeError as problem:
        raise AmqpLinkError(Condition.DECODE_ERROR, f"The message cannot be decoded: {problem}.") from problem


def _read_batch(message: bytes) -> tuple[str | None, list[Event]]:
    partition_key: str | None = None
    bodies: list[bytes] = []
    for section in sections(message):
        if section.code == MESSAGE_ANNOTATIONS:
            partition_key = _key_in(_map_at(message, section))
        elif section.code == DATA:
            body, _ = codec.decode(message, section.value_start)
            if not isinstance(body, bytes):
                raise DecodeError("a data section holds no bytes")
            bodies.append(body)
    if not bodies:
        raise DecodeError("a batch holds no events")
    return partition_key, [read_event(body, partition_key) for body in bodies]


def _map_at(message: bytes, section: Section) -> dict[Any, Any]:
    value, _ = codec.decode(message, section.value_start)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise DecodeError("an annotations section holds no map")
    return value


def _key_in(annotations: dict[Any, Any]) -> str | None:
    key = annotations.get(PARTITION_KEY)
    if isinstance(key, bytes):
        return key.decode(errors="replace")
    return None if key is None else str(key)


def _normal_form(message: bytes, section: Section) -> bytes:
    if section.value_start - section.start == 3:
        return message[section.start : section.end]
    return bytes((0x00, 0x53, section.code)) + message[section.value_start : section.end]


def with_delivery_annotations(stored: bytes, annotations: dict[Symbol, Any]) -> bytes:
    """Add delivery annotations to those that the sender gave, where the specification wants them: after the header."""
    header_end = rest_start = 0
    for section in sections(stored):
        if section.code == HEADER:
            header_end = rest_start = section.end
        elif section.code == DELIVERY_ANNOTATIONS:
            annotations = {**_map_at(stored, section), **annotations}
            rest_start = section.end
        else:
            break
    return stored[:header_end] + encode_section(DELIVERY_ANNOTATIONS, annotations) + stored[rest_start:]


def encode_section(code: int, value: codec.AmqpValue) -> bytes:
    """Encode one section of a message."""
    return codec.encode_described(code, codec.encode(value))


class Request(NamedTuple):
    """A message to one of the broker's own nodes."""

    message_id: codec.AmqpValue
    to: str | None
    reply_to: str | None
    properties: dict[str, Any]
    """Application properties."""
    body: codec.AmqpValue


def read_request(message: bytes) -> Request:
    """Read a message to `$cbs` or `$management`.

    Raises:
        DecodeError: the bytes are no message.
    """
    fields: list[Any] = []
    properties: dict[str, Any] = {}
    body: Any = None
    for section in sections(message):
        value, _ = codec.decode(message, section.value_start)
        if section.code == PROPERTIES and isinstance(value, list):
            fields = value
        elif section.code == APPLICATION_PROPERTIES and isinstance(value, dict):
            properties = {_text(name) or "": item for name, item in value.items()}
        elif section.code in (DATA, VALUE):
            body = value
    fields += [None] * (5 - len(fields))
    return Request(fields[0], _text(fields[2]), _text(fields[4]), properties, body)


def _text(value: codec.AmqpValue) -> str | None:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return None if value is None or isinstance(value, Described) else str(value)


def encode_response(correlation_id: codec.AmqpValue, properties: dict[str, Any], body: codec.AmqpValue) -> bytes:
    """Encode the answer to a request; the correlation id keeps the type it came with."""
    fields = [None, None, None, None, None, correlation_id, *[None] * 7]
    return b"".join(
        (
            encode_section(PROPERTIES, fields),
            encode_section(APPLICATION_PROPERTIES, properties),
            encode_section(VALUE, body),
        )
    )
