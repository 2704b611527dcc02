import gzip
import json

import pytest
from azure.eventhub import EventData
from hypothesis import given
from hypothesis import strategies as st

from heliograph import wire
from heliograph.topology import SHARDS, shard_of
from heliograph.wire import MalformedError, readings_codec

GOOD = {
    "v": 1, "plant_id": "p", "source": "s", "observed_at": "2026-06-21T03:00:00Z", "region": "KR-46",
    "capacity_kw": 10.0,
}  # fmt: skip


def encoded(*messages: object) -> bytes:
    return json.dumps(list(messages)).encode()


def test_one_message_or_an_array() -> None:
    """A body holds one message or an array of them."""
    assert readings_codec.decode(json.dumps(GOOD).encode()).messages == readings_codec.decode(encoded(GOOD)).messages


def test_a_bad_message_costs_only_itself() -> None:
    """The good messages of an array pass, the bad one is named by its place, with its bytes and the reason."""
    decoded = readings_codec.decode(encoded(GOOD, GOOD | {"capacity_kw": -3}, GOOD))
    assert len(decoded.messages) == 2
    (rejected,) = decoded.rejected
    assert rejected.index == 1
    assert b"-3" in rejected.original
    assert "$.capacity_kw" in rejected.reason


@pytest.mark.parametrize("body", [b"", b"[", b"nonsense", b"\xff\xfe", b'[{"v":1},', b"[NaN", b'{"v":NaN}'])
def test_a_body_that_is_no_json(body: bytes) -> None:
    """A body that is no JSON as a whole is refused as a whole."""
    with pytest.raises(MalformedError):
        readings_codec.decode(body)


@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused(body: bytes) -> None:
    """Whatever the bytes, decoding ends in messages, rejections or `MalformedError`, never in another error."""
    try:
        decoded = readings_codec.decode(body)
    except MalformedError:
        return
    assert all(rejected.reason for rejected in decoded.rejected)


@pytest.mark.parametrize("compress", [False, True])
def test_body_survives_the_event(*, compress: bool) -> None:
    """What is put into an event comes out of it, gzipped or not."""
    body = encoded(GOOD)
    assert wire.body_of(wire.to_event(body, compress=compress)) == body


def test_broken_gzip_is_refused() -> None:
    """Compression that is cut off, false, a bomb or followed by more is refused with the reason."""
    whole = gzip.compress(b"[" + b" " * 100 + b"]")
    for content, reason in [
        (whole[:-6], "cut off"),
        (b"[]", "no gzip"),
        (whole + whole, f"followed by {len(whole)} bytes"),
        (gzip.compress(b" " * (wire.MAX_BODY_BYTES + 1)), "unfolds to more"),
    ]:
        event = wire.to_event(content)
        event.raw_amqp_message.properties.content_encoding = "gzip"
        with pytest.raises(MalformedError, match=reason):
            wire.body_of(event)


def test_unknown_encoding_is_refused() -> None:
    """An encoding that nobody here speaks is named in the refusal."""
    event = wire.to_event(b"[]")
    event.raw_amqp_message.properties.content_encoding = "br"
    with pytest.raises(MalformedError, match="'br'"):
        wire.body_of(event)


def test_foreign_events_are_read() -> None:
    """An event that another producer sent without properties is read as plain JSON."""
    assert wire.body_of(EventData(b"[]")) == b"[]"


def test_shards_are_stable_and_even() -> None:
    """A plant's shard never changes between releases, and plants spread over all shards."""
    assert [shard_of(f"kr-46-{number:05d}") for number in range(4)] == ["s30", "s09", "s00", "s12"]
    counts = [0] * SHARDS
    for number in range(32_000):
        counts[int(shard_of(f"plant-{number}")[1:])] += 1
    assert min(counts) > 850
    assert max(counts) < 1150
