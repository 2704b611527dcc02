"""JSON on the hubs: an event's body is one message or an array of them, optionally gzipped.

The event's AMQP properties say so: content type `application/json`, content encoding `gzip` or nothing.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

import msgspec
from azure.eventhub import EventData
from azure.eventhub.amqp import AmqpMessageBodyType, AmqpMessageProperties

from heliograph.contracts import Insight, Message, Reading

CONTENT_TYPE = "application/json"
MAX_BODY_BYTES = 16 * 1024 * 1024
"""A gzipped body may unfold to this many bytes; more is refused before it fills the memory."""

T = TypeVar("T", bound=Message)

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that hold no message; the last of them for JSON nested thousands deep."""

_encoder = msgspec.json.Encoder()
_plain_decoder = msgspec.json.Decoder()


class MalformedError(ValueError):
    """A body, or one message of it, that can't be understood; the text says which field and why."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """One message of a body that was refused: its place in the array, its bytes and the reason."""

    index: int
    original: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Decoded(Generic[T]):
    """What a body held: the good messages in their order, and the refused ones."""

    messages: Sequence[T]
    rejected: Sequence[Rejected] = ()


class Codec(Generic[T]):
    """Decodes the bodies of one hub. Whole arrays at once; one by one only where something is wrong."""

    def __init__(self, message_type: Any) -> None:  # noqa: ANN401 - a type form, e.g. a union of structs
        self._many = msgspec.json.Decoder(list[message_type])
        self._one = msgspec.json.Decoder(message_type)
        self._raw = msgspec.json.Decoder(list[msgspec.Raw])

    def decode(self, body: bytes) -> Decoded[T]:
        """All messages of a plain JSON body. Raises `MalformedError` when the body as a whole is no JSON."""
        single = body.lstrip()[:1] != b"["
        try:
            return Decoded([self._one.decode(body)] if single else self._many.decode(body))
        except UNREADABLE as error:
            if single:
                raise MalformedError(str(error)) from error
        return self._decode_one_by_one(body)

    def _decode_one_by_one(self, body: bytes) -> Decoded[T]:
        try:
            raws = self._raw.decode(body)
        except UNREADABLE as error:
            raise MalformedError(str(error)) from error
        good: list[T] = []
        bad: list[Rejected] = []
        for index, raw in enumerate(raws):
            try:
                good.append(self._one.decode(raw))
            except UNREADABLE as error:
                bad.append(Rejected(index, bytes(raw), str(error)))
        return Decoded(good, bad)


readings_codec: Codec[Reading] = Codec(Reading)
insights_codec: Codec[Any] = Codec(Insight)


def encode(messages: Sequence[Message]) -> bytes:
    """The JSON array of the messages."""
    return _encoder.encode(messages)


def spelt_out(message: Message) -> dict[str, Any]:
    """The message for documents and pages: plain values, defaults included, without what only the wire needs."""
    fields = {name: getattr(message, name) for name in message.__struct_fields__ if name != "v"}
    return cast("dict[str, Any]", _plain_decoder.decode(_encoder.encode(fields)))


def to_event(body: bytes, *, compress: bool = False) -> EventData:
    """The event that carries a JSON body, gzipped if asked for."""
    if compress:
        return packed_event(gzip.compress(body, compresslevel=1, mtime=0), encoding="gzip")
    return packed_event(body)


def packed_event(body: bytes, *, encoding: str | None = None) -> EventData:
    """The event that carries a body as it is; `encoding` is `gzip` if it is gzipped already."""
    event = EventData(body)
    event.raw_amqp_message.properties = AmqpMessageProperties(  # type: ignore[no-untyped-call]
        content_type=CONTENT_TYPE, content_encoding=encoding
    )
    return event


def body_of(event: EventData) -> bytes:
    """The plain JSON body of an event. Raises `MalformedError` for other content or broken compression."""
    body = b"".join(_sections(event))
    encoding = _text(getattr(event.raw_amqp_message.properties, "content_encoding", None))
    if encoding in ("", "identity"):
        return body
    if encoding != "gzip":
        raise MalformedError(f"content encoding is {encoding!r}, known is 'gzip'")
    return _gunzip(body)


def original_of(event: EventData) -> bytes:
    """The bytes of an event as they came, for the dead letters; of a body that is not data, its text."""
    try:
        return b"".join(_sections(event))
    except MalformedError:
        return repr(event.body).encode()


def _sections(event: EventData) -> Iterator[bytes]:
    if event.body_type is not AmqpMessageBodyType.DATA:
        raise MalformedError(f"the body is an AMQP {event.body_type.value}, it must be data")
    yield from cast("Iterator[bytes]", event.body)


def _gunzip(body: bytes) -> bytes:
    unzip = zlib.decompressobj(wbits=31)
    try:
        plain = unzip.decompress(body, MAX_BODY_BYTES)
    except zlib.error as error:
        raise MalformedError(f"the body is no gzip: {error}") from error
    if unzip.unconsumed_tail:
        raise MalformedError(f"the body unfolds to more than {MAX_BODY_BYTES} bytes")
    if not unzip.eof:
        raise MalformedError("the gzipped body is cut off")
    if unzip.unused_data:  # another gzip, as writers that append make them
        raise MalformedError(f"the gzipped body is followed by {len(unzip.unused_data)} bytes")
    return plain


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("ascii", "replace").lower()
    return str(value).lower() if value else ""
