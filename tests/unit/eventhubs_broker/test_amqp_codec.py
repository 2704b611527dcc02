"""The AMQP type system and frames."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_azure.eventhubs import codec
from local_azure.eventhubs.codec import (
    Array,
    Byte,
    DecodeError,
    Described,
    Float,
    Int,
    Long,
    Opaque,
    Short,
    Symbol,
    Timestamp,
    UByte,
    UInt,
    ULong,
    UShort,
)
from local_azure.eventhubs.errors import AmqpConnectionError
from local_azure.eventhubs.framing import FrameCutter, TransferFramer, frame
from local_azure.eventhubs.performatives import Attach, Error, Flow, Open, Source, Transfer

_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(0, 2**8 - 1).map(UByte),
    st.integers(0, 2**16 - 1).map(UShort),
    st.integers(0, 2**32 - 1).map(UInt),
    st.integers(0, 2**64 - 1).map(ULong),
    st.integers(-(2**7), 2**7 - 1).map(Byte),
    st.integers(-(2**15), 2**15 - 1).map(Short),
    st.integers(-(2**31), 2**31 - 1).map(Int),
    st.integers(-(2**63), 2**63 - 1).map(Long),
    st.integers(-(2**63), 2**63 - 1).map(Timestamp),
    st.floats(allow_nan=False),
    st.floats(allow_nan=False, width=32).map(Float),
    st.binary(max_size=300),
    st.text(max_size=300),
    st.text(st.characters(max_codepoint=127), max_size=300).map(Symbol),
    st.uuids(version=4),
    st.binary(min_size=16, max_size=16).map(lambda raw: Opaque(0x94, raw)),
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=6),
        st.dictionaries(st.text(max_size=8), inner, max_size=6),
        st.lists(st.text(max_size=8), max_size=5).map(Array),
        st.lists(st.integers(0, 2**32 - 1).map(UInt), max_size=5).map(Array),
        st.builds(Described, st.integers(0, 2**64 - 1).map(ULong), inner),
    ),
    max_leaves=20,
)


@given(_VALUES)
def test_what_is_encoded_decodes_to_the_same_value_and_type(value: object) -> None:
    """A value comes back equal, of the same type, from bytes that are used up, and is skipped as a whole."""
    raw = codec.encode(value)
    decoded, end = codec.decode(raw)
    assert (decoded, type(decoded), end) == (value, type(value), len(raw))
    assert codec.skip(raw, 0) == len(raw)


@given(st.binary(max_size=200))
def test_any_bytes_decode_or_are_refused(raw: bytes) -> None:
    """Decoding garbage ends in a value within the bytes or in a DecodeError, never in anything else."""
    try:
        _, end = codec.decode(raw)
    except DecodeError:
        return
    assert 0 < end <= len(raw)


@given(_VALUES, st.data())
def test_no_value_decodes_from_a_part_of_its_bytes(value: object, data: st.DataObject) -> None:
    """Every strict prefix of a value is refused: a cut is always noticed."""
    raw = codec.encode(value)
    cut = data.draw(st.integers(0, len(raw) - 1))
    with pytest.raises(DecodeError):
        codec.decode(raw[:cut])


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"\x00" * 5000, id="descriptors without end"),
        pytest.param(b"\xf0\x00\x00\x00\x05\xff\xff\xff\xff\x40", id="array of four billion nulls"),
        pytest.param(b"\xd0\x00\x00\x00\x04\xff\xff\xff\xff", id="list of four billion values in no bytes"),
        pytest.param(b"\xc1\x04\x03\x40\x40\x40", id="map with an odd number of items"),
        pytest.param(b"\xc1\x04\x02\x45\x40\x40", id="map with a list for a key"),
        pytest.param(b"\xa1\x01\xff", id="text that is no UTF-8"),
        pytest.param(b"\x3f", id="no constructor"),
    ],
)
def test_hostile_values_are_refused(raw: bytes) -> None:
    """Values made to exhaust memory or the stack are refused as quickly as others."""
    with pytest.raises(DecodeError):
        codec.decode(raw)


def test_performatives_keep_their_trailing_nulls() -> None:
    """Every field is written although it is null: the Python SDK reads fields by their index."""
    raw = Transfer(0, 1).encode()
    described, _ = codec.decode(raw)
    assert len(described.value) == len(Transfer.WIRES)
    described, _ = codec.decode(Error("amqp:not-found").encode())
    assert described.value == ["amqp:not-found", None, None]


def test_symbolic_descriptors_are_understood() -> None:
    """A performative may be described by its name instead of its code."""
    named = Described(Symbol("amqp:open:list"), ["me", "host"])
    raw = codec.encode(named)
    size = (len(raw) + 8).to_bytes(4, "big")
    cutter = FrameCutter(1000)
    cutter.feed(size + b"\x02\x00\x00\x00" + raw)
    received = cutter.next_frame()
    assert received is not None
    assert received.performative == Open("me", "host")


@given(st.lists(st.integers(1, 40), min_size=1, max_size=30))
def test_frames_are_cut_alike_however_the_network_splits_them(sizes: list[int]) -> None:
    """The same frames come out whatever the chunks they arrive in."""
    sent = [
        Open("me", max_frame_size=512),
        Flow(1, 2, 3, 4),
        Attach("link", 1, True, source=Source("address")),
    ]
    raw = b"".join(frame(channel, performative) for channel, performative in enumerate(sent))
    cutter = FrameCutter(1000)
    found = []
    while raw:
        size = sizes[len(found) % len(sizes)]
        cutter.feed(raw[:size])
        raw = raw[size:]
        while (one := cutter.next_frame()) is not None:
            found.append(one)
    assert [one.performative for one in found] == sent
    assert [one.channel for one in found] == [0, 1, 2]


@pytest.mark.parametrize("size", [0, 7, 1001, 2**32 - 1])
def test_frames_of_impossible_size_are_refused(size: int) -> None:
    """A size under a frame's own head or over the limit is a framing error, seen before the bytes arrive."""
    cutter = FrameCutter(1000)
    cutter.feed(size.to_bytes(4, "big") + b"\x02\x00\x00\x00")
    with pytest.raises(AmqpConnectionError, match="framing-error"):
        cutter.next_frame()


@given(st.binary(max_size=5000), st.integers(512, 2000))
def test_a_message_is_split_into_frames_that_join_to_it(payload: bytes, max_frame_size: int) -> None:
    """No frame passes the limit, all but the last say `more`, and the payloads join to the message."""
    cutter = FrameCutter(max_frame_size)
    found = []
    for raw in TransferFramer(3, 700, max_frame_size).frames(70_000, payload):
        cutter.feed(raw)
        one = cutter.next_frame()
        assert one is not None
        assert isinstance(one.performative, Transfer)
        assert (one.channel, one.performative.handle, one.performative.delivery_id) == (3, 700, 70_000)
        found.append((one.performative.more, one.payload))
    assert b"".join(part for _, part in found) == payload
    assert [more for more, _ in found] == [True] * (len(found) - 1) + [False]


def test_a_uuid_keeps_its_type() -> None:
    """A correlation id is answered in the type it came with, so a uuid must stay one."""
    raw = codec.encode(UUID(int=5))
    assert raw[0] == 0x98
    assert codec.decode(raw)[0] == UUID(int=5)
