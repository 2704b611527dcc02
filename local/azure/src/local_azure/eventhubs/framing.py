"""Frames: cutting the byte stream of a connection into them, and making them.

offset 0      4      5      6         8            4·doff
       ┌──────┬──────┬──────┬─────────┬ ─ ─ ─ ─ ─ ─┬──────────────┬─────────┐
       │ size │ doff │ type │ channel │  extended  │ performative │ payload │
       └──────┴──────┴──────┴─────────┴ ─ ─ ─ ─ ─ ─┴──────────────┴─────────┘
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from local_azure.eventhubs import codec
from local_azure.eventhubs.errors import AmqpConnectionError, Condition
from local_azure.eventhubs.performatives import Composite, FieldError, Transfer, from_described

AMQP_HEADER = b"AMQP\x00\x01\x00\x00"
SASL_HEADER = b"AMQP\x03\x01\x00\x00"
HEADER_LENGTH = 8
AMQP_TYPE = 0
SASL_TYPE = 1
MIN_MAX_FRAME_SIZE = 512
EMPTY_FRAME = b"\x00\x00\x00\x08\x02\x00\x00\x00"
"""A heartbeat."""

_head = struct.Struct(">IBBH")


class Frame(NamedTuple):
    """One frame; a heartbeat has no performative."""

    kind: int
    channel: int
    performative: Composite | None
    payload: bytes


class FrameCutter:
    """Collects what the network brings and yields protocol headers and whole frames."""

    def __init__(self, max_frame_size: int) -> None:
        """Refuse frames over `max_frame_size` bytes."""
        self._max_frame_size = max_frame_size
        self._data = b""
        self._pos = 0
        self._arrived: list[bytes] = []
        """Chunks that follow `_data`, joined to it only when a whole frame is there."""
        self._unread_bytes = 0

    def feed(self, data: bytes) -> None:
        """Take bytes from the network."""
        self._arrived.append(data)
        self._unread_bytes += len(data)

    def protocol_header(self) -> bytes | None:
        """Take the protocol header that opens each layer, or None while it is incomplete."""
        if not self._holds(HEADER_LENGTH):
            return None
        start = self._pos
        self._pos += HEADER_LENGTH
        self._unread_bytes -= HEADER_LENGTH
        return self._data[start : self._pos]

    def next_frame(self) -> Frame | None:
        """Take one frame, or None while it is incomplete.

        Raises:
            AmqpConnectionError: the bytes are no frame.
        """
        if not self._holds(HEADER_LENGTH):
            return None
        size, data_offset, kind, channel = _head.unpack_from(self._data, self._pos)
        body_start = data_offset * 4
        if not HEADER_LENGTH <= size <= self._max_frame_size or not HEADER_LENGTH <= body_start <= size:
            raise AmqpConnectionError(
                Condition.FRAMING_ERROR,
                f"A frame of {size} bytes with its body at {body_start} is outside the {HEADER_LENGTH} to "
                f"{self._max_frame_size} bytes that are allowed.",
            )
        if not self._holds(size):
            return None
        start = self._pos + body_start
        end = self._pos + size
        performative, payload_start = (None, end) if start == end else _parse_body(self._data, start)
        if payload_start > end:
            raise AmqpConnectionError(Condition.DECODE_ERROR, "A frame's body passes the frame's end.")
        self._pos = end
        self._unread_bytes -= size
        return Frame(kind, channel, performative, self._data[payload_start:end])

    def _holds(self, count: int) -> bool:
        """Tell whether `count` unread bytes are there, bringing them together if so."""
        if self._unread_bytes < count:
            return False
        if len(self._data) - self._pos < count:
            self._data = b"".join((self._data[self._pos :], *self._arrived))
            self._arrived.clear()
            self._pos = 0
        return True


def _parse_body(data: bytes, pos: int) -> tuple[Composite, int]:
    try:
        described, end = codec.decode(data, pos)
        return from_described(described), end
    except codec.DecodeError as problem:
        raise AmqpConnectionError(Condition.DECODE_ERROR, f"A frame cannot be decoded: {problem}.") from problem
    except FieldError as problem:
        raise AmqpConnectionError(Condition.INVALID_FIELD, f"A frame is invalid: {problem}.") from problem


def frame(channel: int, performative: Composite, kind: int = AMQP_TYPE) -> bytes:
    """Make one frame without payload."""
    body = performative.encode()
    return _head.pack(len(body) + HEADER_LENGTH, 2, kind, channel) + body


class TransferFramer:
    """Makes the settled transfers of one link: only the delivery id and `more` differ from one to the next."""

    _LIST_HEAD = b"\x00\x53\x14\xc0"
    _AFTER_MORE = b"\x40\x40\x42\x42\x41"
    """No receiver mode and no state; not resumed, not aborted, batchable."""

    def __init__(self, channel: int, handle: int, max_frame_size: int) -> None:
        """Frame for `handle` on `channel`, no frame over `max_frame_size` bytes."""
        self._channel = channel
        self._handle = codec.encode_uint(handle)
        overhead = HEADER_LENGTH + len(self._performative(0xFFFFFFFF, False))
        self._payload_limit = max_frame_size - overhead

    def frames(self, delivery_id: int, payload: bytes) -> Iterator[bytes]:
        """Yield the frames that carry one message, in order."""
        limit = self._payload_limit
        start = 0
        while len(payload) - start > limit:
            yield self._frame(delivery_id, True, payload[start : start + limit])
            start += limit
        yield self._frame(delivery_id, False, payload[start:] if start else payload)

    def _frame(self, delivery_id: int, more: bool, payload: bytes) -> bytes:
        performative = self._performative(delivery_id, more)
        size = HEADER_LENGTH + len(performative) + len(payload)
        return b"".join((_head.pack(size, 2, AMQP_TYPE, self._channel), performative, payload))

    def _performative(self, delivery_id: int, more: bool) -> bytes:
        fields = b"".join(
            (
                self._handle,
                codec.encode_uint(delivery_id),
                b"\xa0\x00\x43\x41",  # empty tag, message format 0, settled
                b"\x41" if more else b"\x42",
                self._AFTER_MORE,
            )
        )
        return self._LIST_HEAD + bytes((len(fields) + 1, len(Transfer.WIRES))) + fields
