"""Whatever comes on a connection: the broker answers it or ends the connection, and never fails."""

import asyncio
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local_azure.eventhubs import messages
from local_azure.eventhubs.codec import Described, Int, Symbol
from local_azure.eventhubs.framing import AMQP_HEADER, SASL_HEADER, frame
from local_azure.eventhubs.performatives import (
    Attach,
    Begin,
    Close,
    Detach,
    End,
    Flow,
    Open,
    Source,
    Target,
    Transfer,
)

_FRAMES = st.one_of(
    st.builds(
        Attach,
        name=st.sampled_from(["a", "b", ""]),
        handle=st.integers(0, 3),
        role=st.booleans(),
        source=st.sampled_from(
            [None, Source(), Source("readings/ConsumerGroups/$Default/Partitions/0"), Source("$cbs")]
        ),
        target=st.sampled_from([None, Target(), Target("readings"), Target("$management"), Target(["odd"])]),
        properties=st.sampled_from([None, {Symbol("com.microsoft:epoch"): Int(1)}, {"com.microsoft:epoch": "x"}]),
    ),
    st.builds(
        Flow,
        st.none() | st.integers(0, 2**32 - 1),
        st.none() | st.integers(0, 2**32 - 1),
        st.integers(0, 5),
        st.integers(0, 5),
        st.none() | st.integers(0, 3),
        st.none() | st.integers(0, 2**32 - 1),
        st.none() | st.integers(0, 2**32 - 1),
        drain=st.booleans(),
        echo=st.booleans(),
    ),
    st.builds(
        Transfer,
        st.integers(0, 3),
        st.none() | st.integers(0, 9),
        st.binary(max_size=4),
        st.sampled_from([None, 0, messages.BATCH_FORMAT]),
        st.booleans(),
        st.booleans(),
        aborted=st.booleans(),
    ),
    st.builds(Detach, st.none() | st.integers(0, 3), st.booleans()),
    st.builds(Begin, st.none(), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)),
    st.sampled_from([End(), Open("again"), Close(), Source("x")]),
)
_PAYLOADS = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [
            messages.encode_section(messages.DATA, b"x"),
            messages.encode_section(messages.VALUE, Described(Symbol("x"), 1)),
            messages.encode_response("id", {"operation": "READ"}, None),
            messages.encode_section(messages.APPLICATION_PROPERTIES, {"operation": "put-token", "name": "sb://x/y"}),
        ]
    ),
)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(_FRAMES, _PAYLOADS, st.integers(0, 2)), max_size=25),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=4),
)
async def test_no_sequence_of_frames_breaks_the_broker(
    setup: Any, caplog: Any, steps: list[Any], damage: list[tuple[int, int]]
) -> None:
    """Frames in any order, some with damaged bytes, are answered or end the connection: the broker never fails."""
    caplog.clear()
    peer = setup.peer().open()
    raw = bytearray()
    for performative, payload, channel in steps:
        one = frame(channel, performative) + payload
        raw += len(one).to_bytes(4, "big") + one[4:]
    for place, value in damage:
        if raw:
            raw[place % len(raw)] = value
    peer.connection.receive(bytes(raw))
    await asyncio.sleep(0)
    assert "the broker failed" not in caplog.text
    if peer.connection.closed:
        assert peer.outcome == "closed"
    peer.connection.on_lost()


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300), st.sampled_from([b"", AMQP_HEADER, SASL_HEADER]))
async def test_no_bytes_break_the_broker(setup: Any, caplog: Any, raw: bytes, start: bytes) -> None:
    """Any bytes on a new connection are waited on or end it: the broker never fails."""
    caplog.clear()
    peer = setup.peer()
    peer.connection.receive(start + raw)
    assert "the broker failed" not in caplog.text
    peer.connection.on_lost()
