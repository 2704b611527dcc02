"""One connection, frame by frame: what the broker answers, and why it closes."""

import asyncio
import struct
from typing import Any

import pytest

from local_azure.eventhubs import messages
from local_azure.eventhubs.codec import Symbol, decode
from local_azure.eventhubs.framing import AMQP_HEADER, SASL_HEADER, SASL_TYPE, frame
from local_azure.eventhubs.performatives import (
    Accepted,
    Attach,
    Begin,
    Close,
    Detach,
    End,
    Flow,
    Open,
    Rejected,
    SaslInit,
    SaslOutcome,
    Source,
    Target,
    Transfer,
)
from tests.unit.eventhubs_broker.conftest import bodies


async def test_a_published_event_is_acknowledged_and_delivered(setup: Any, message: Any) -> None:
    """A producer's message is accepted, and a consumer gets it with the broker's annotations."""
    producer, consumer = setup.peer().open(), setup.peer().open()
    producer.attach_producer("readings/Partitions/0")
    producer.publish(message(b"hello"))
    assert producer.outcomes() == [Accepted()]
    consumer.attach_consumer()
    ((transfer, payload),) = [(one, payload) for one, payload in consumer.frames() if isinstance(one, Transfer)]
    assert transfer.settled
    annotations, _ = decode(payload, next(iter(messages.sections(payload))).value_start)
    assert list(annotations) == [
        "x-opt-sequence-number-epoch",
        "x-opt-sequence-number",
        "x-opt-offset",
        "x-opt-enqueued-time",
    ]
    assert (annotations["x-opt-sequence-number"], annotations["x-opt-offset"]) == (0, "0")


async def test_nothing_is_sent_without_credit(setup: Any, message: Any) -> None:
    """A consumer gets as many events as it gave credit for, and the rest when it gives more."""
    peer = setup.peer().open()
    peer.attach_producer("readings/Partitions/0", handle=0)
    for number in range(5):
        peer.publish(message(b"%d" % number))
    peer.attach_consumer(handle=1, credit=2)
    assert bodies(peer) == [b"0", b"1"]
    peer.grant(1, 2, delivery_count=2)
    assert bodies(peer) == [b"2", b"3"]
    peer.grant(1, 0, delivery_count=4)
    assert bodies(peer) == []


async def test_drain_gives_unused_credit_back(setup: Any) -> None:
    """On drain the broker advances its count over what it cannot send and says that the credit is gone."""
    peer = setup.peer().open()
    peer.attach_consumer(handle=1, credit=0)
    peer.frames()
    peer.grant(1, 10, drain=True)
    (flow,) = peer.said(Flow)
    assert (flow.handle, flow.delivery_count, flow.link_credit, flow.drain) == (1, 10, 0, True)


async def test_the_session_window_holds_deliveries_back(setup: Any, message: Any) -> None:
    """No more transfer frames are under way than the client's window has room for."""
    peer = setup.peer().open()
    peer.attach_producer("readings/Partitions/0", handle=0)
    for number in range(5):
        peer.publish(message(b"%d" % number))
    peer.attach_consumer(handle=1, credit=0)
    peer.send(Flow(1, 3, 0, 5000, 1, 0, 100))
    assert bodies(peer) == [b"0", b"1", b"2"]
    peer.send(Flow(4, 3, 0, 5000))
    assert bodies(peer) == [b"3", b"4"]


async def test_a_message_in_many_frames_is_put_together(setup: Any, message: Any) -> None:
    """The parts of a delivery count as one message and one delivery id."""
    peer = setup.peer().open()
    peer.attach_producer("readings/Partitions/1", handle=0)
    raw = message(b"x" * 1000)
    peer.send(Transfer(0, 5, b"t", 0, False, True), raw[:400])
    peer.send(Transfer(0, None, None, None, None, True), raw[400:800])
    peer.send(Transfer(0, None, None, None, None, False), raw[800:])
    assert peer.outcomes() == [Accepted()]
    peer.send(Transfer(0, 6, b"t", 0, False, True), raw[:400])
    peer.send(Transfer(0, None, None, None, None, False, aborted=True))
    assert peer.outcomes() == []
    peer.attach_consumer("1", handle=1)
    assert bodies(peer) == [b"x" * 1000]


async def test_a_message_over_the_limit_detaches_its_link(setup: Any, message: Any) -> None:
    """The link goes with the service's condition and both sizes; the session and its other links stay."""
    peer = setup.peer().open()
    peer.attach_producer(handle=0)
    peer.attach_producer(handle=1)
    peer.frames()
    raw = message(b"x" * (1024 * 1024))
    for start in range(0, len(raw), 500_000):
        peer.send(Transfer(0, 9, b"t", 0, False, start + 500_000 < len(raw)), raw[start : start + 500_000])
    (detach,) = peer.said(Detach)
    assert detach.error.condition == "amqp:link:message-size-exceeded"
    assert "delivery-id:9" in detach.error.description
    assert "(1048576 bytes)" in detach.error.description
    peer.publish(message(b"small"), handle=1)
    assert peer.outcomes() == [Accepted()]


async def test_credit_is_granted_again_before_it_ends(setup: Any, message: Any) -> None:
    """A producer that sends on and on never waits for credit."""
    peer = setup.peer().open()
    peer.attach_producer(handle=0)
    (first,) = peer.said(Flow)
    assert (first.link_credit, first.delivery_count) == (1000, 0)
    for _ in range(600):
        peer.publish(message(b"x"))
    (second,) = peer.said(Flow)
    assert (second.link_credit, second.delivery_count) == (1000, 500)


async def test_a_batch_is_one_delivery_of_many_events(setup: Any, message: Any) -> None:
    """Message format 0x80013700 holds an event in each data section, all with the key of the batch."""
    peer = setup.peer().open()
    peer.attach_producer(handle=0)
    outer = messages.encode_section(messages.MESSAGE_ANNOTATIONS, {Symbol("x-opt-partition-key"): "plant"})
    inner = b"".join(message(message(b"%d" % number)) for number in range(3))
    peer.publish(outer + inner, message_format=messages.BATCH_FORMAT)
    assert peer.outcomes() == [Accepted()]
    partition = setup.hub.partition_for("plant")
    peer.attach_consumer(partition.id, handle=1)
    assert bodies(peer) == [b"0", b"1", b"2"]
    assert partition.log.next_sequence_number == 3


@pytest.mark.parametrize(
    ("payload", "message_format"),
    [
        (b"", 0),
        (b"garbage", 0),
        (b"", messages.BATCH_FORMAT),
        (messages.encode_section(messages.DATA, b"garbage"), messages.BATCH_FORMAT),
        (messages.encode_section(messages.VALUE, "no data"), messages.BATCH_FORMAT),
    ],
)
async def test_what_is_no_message_is_rejected_with_a_reason(setup: Any, payload: bytes, message_format: int) -> None:
    """A delivery that cannot be read is refused alone, with all three fields of an error; nothing is stored."""
    peer = setup.peer().open()
    peer.attach_producer("readings/Partitions/0", handle=0)
    peer.publish(payload, message_format=message_format)
    (state,) = peer.outcomes()
    assert isinstance(state, Rejected)
    assert state.error.condition == "amqp:decode-error"
    assert (bool(state.error.description), state.error.info) == (True, {})
    assert setup.hub.partition("0").log.is_empty


async def test_an_anonymous_relay_sends_each_message_where_it_says(setup: Any, message: Any) -> None:
    """On a link without a target each message goes to the hub in its `to`; without one it is rejected."""
    peer = setup.peer().open()
    peer.attach_producer(None)
    (attach,) = peer.said(Attach)
    assert attach.target == Target()
    to = messages.encode_section(messages.PROPERTIES, [None, None, "amqps://host/readings/Partitions/1"])
    peer.publish(to + message(b"there"))
    peer.publish(message(b"nowhere"))
    accepted, rejected = peer.outcomes()
    assert accepted == Accepted()
    assert rejected.error.condition == "amqp:not-found"
    assert setup.hub.partition("1").log.next_sequence_number == 1


@pytest.mark.parametrize(
    ("attach", "condition"),
    [
        (Attach("a", 1, False, target=Target("absent")), "amqp:unauthorized-access"),
        (Attach("a", 1, False, target=Target("readings/Partitions/2")), "com.microsoft:argument-out-of-range"),
        (Attach("a", 1, False, target=Target("readings/Partitions/x")), "com.microsoft:argument-out-of-range"),
        (Attach("a", 1, True, source=Source("readings")), "amqp:not-allowed"),
        (Attach("a", 1, True, source=Source("readings/ConsumerGroups/none/Partitions/0")), "amqp:not-found"),
        (Attach("a", 1, True, source=Source("readings/a/b/c/d/e")), "amqp:not-found"),
    ],
)
async def test_a_refused_attach_lacks_its_terminus_and_is_detached(setup: Any, attach: Attach, condition: str) -> None:
    """The answer has a null source or target, then the detach says why: SDKs tell refusal by that."""
    peer = setup.peer().open()
    peer.send(attach)
    (answer, detach) = [one for one, _ in peer.frames()]
    assert (answer.source if attach.role else answer.target) is None
    assert (detach.error.condition, detach.closed) == (condition, True)
    assert detach.error.info == {}


async def test_a_hub_that_is_not_there_is_refused(setup: Any) -> None:
    """With rights on everything, an unknown hub is answered by amqp:not-found."""
    peer = setup.peer().open()
    peer.connection.claims.grant("", float("inf"))
    peer.attach_producer("absent")
    (detach,) = peer.said(Detach)
    assert detach.error.condition == "amqp:not-found"


async def test_a_higher_epoch_steals_the_partition(setup: Any) -> None:
    """An equal or higher epoch disconnects the owner; a lower one, or none, is refused."""
    old, new, low, plain = (setup.peer().open() for _ in range(4))
    old.attach_consumer(epoch=1)
    old.frames()
    new.attach_consumer(epoch=1)
    (stolen,) = old.said(Detach)
    assert stolen.error.condition == "amqp:link:stolen"
    assert "New receiver 'nil' with higher epoch of '1'" in stolen.error.description
    low.attach_consumer(epoch=0)
    (refused,) = low.said(Detach)
    assert "with a higher epoch '1' already exists" in refused.error.description
    plain.attach_consumer()
    (refused,) = plain.said(Detach)
    assert "At least one receiver for the endpoint is created with epoch of '1'" in refused.error.description
    plain.attach_consumer(handle=2, group="other")
    assert plain.said(Detach) == []


async def test_the_sixth_receiver_is_one_too_many(setup: Any) -> None:
    """Five receivers without epoch share a partition; a sixth is refused, and let in when one leaves."""
    peer = setup.peer().open()
    for handle in range(6):
        peer.attach_consumer(handle=handle)
    (refused,) = peer.said(Detach)
    assert refused.error.condition == "amqp:resource-limit-exceeded"
    assert "which is 5" in refused.error.description
    peer.send(Detach(5, True))
    peer.send(Detach(0, True))
    peer.attach_consumer(handle=6)
    assert [detach.error for detach in peer.said(Detach)] == [None]


async def test_a_position_past_the_end_is_refused(setup: Any, message: Any) -> None:
    """An offset after the last event is an argument error that names both, as in the service."""
    peer = setup.peer().open()
    peer.attach_producer("readings/Partitions/0", handle=0)
    peer.publish(message(b"x"))
    peer.frames()
    peer.attach_consumer(handle=1, selector="amqp.annotation.x-opt-offset > '77'")
    (refused,) = peer.said(Detach)
    assert refused.error.condition == "com.microsoft:argument-error"
    assert "The supplied offset '77' is invalid. The last offset in the system is '0'" in refused.error.description
    peer.attach_consumer(handle=2, selector="amqp.annotation.x-opt-sequence-number > '0'")
    peer.attach_consumer(handle=3, selector="nonsense")
    (refused,) = peer.said(Detach)
    assert "nonsense" in refused.error.description


async def test_runtime_metrics_travel_as_delivery_annotations(setup: Any, message: Any) -> None:
    """A consumer that asks for them gets the partition's last event with each event, the header still first."""
    peer = setup.peer().open()
    peer.attach_producer("readings/Partitions/0", handle=0)
    header = messages.encode_section(messages.HEADER, [True])
    peer.publish(header + message(b"x"))
    peer.publish(message(b"y"))
    peer.frames()
    peer.attach_consumer(handle=1, desired=["com.microsoft:enable-receiver-runtime-metric"])
    payloads = [payload for one, payload in peer.frames() if isinstance(one, Transfer)]
    codes = [[section.code for section in messages.sections(payload)] for payload in payloads]
    assert codes == [[0x70, 0x71, 0x72, 0x75], [0x71, 0x72, 0x75]]
    annotations, _ = decode(payloads[1], 3)
    assert annotations["last_enqueued_sequence_number"] == 1
    assert annotations["runtime_info_retrieval_time_utc"] == int(setup.now_s * 1000)


async def test_an_idle_connection_is_closed_with_the_services_words(setup: Any) -> None:
    """A connection without a frame for the allowed time is forced to close; one that beats stays."""
    peer = setup.peer().open()
    start_s = asyncio.get_running_loop().time()
    peer.connection.tick(start_s + 239)
    assert peer.said(Close) == []
    peer.connection.tick(start_s + 241)
    (close,) = peer.said(Close)
    assert close.error.condition == "amqp:connection:forced"
    assert "inactive for more than the allowed 240000 milliseconds" in close.error.description
    assert peer.outcome == "closed"


async def test_the_broker_beats_for_clients_that_ask(setup: Any) -> None:
    """A client's own idle time-out is honoured by empty frames at half of it."""
    peer = setup.peer().open(idle_time_out=10_000)
    start_s = asyncio.get_running_loop().time()
    peer.connection.tick(start_s + 4)
    assert peer.frames() == []
    peer.connection.tick(start_s + 6)
    assert peer.frames() == [(None, b"")]


async def test_links_end_with_their_claims(setup: Any) -> None:
    """When a token runs out, its links are detached as unauthorized; the connection stays."""
    peer = setup.peer().open()
    peer.connection.claims.grant("readings", setup.now_s + 10)
    peer.attach_producer(handle=0)
    loop_s = asyncio.get_running_loop().time()
    peer.connection.tick(loop_s)
    assert peer.said(Detach) == []
    setup.now_s += 11
    peer.connection.tick(loop_s)
    (detach,) = peer.said(Detach)
    assert (detach.error.condition, "ExpiredToken" in detach.error.description) == (
        "amqp:unauthorized-access",
        True,
    )


async def test_an_end_before_its_detaches_is_tolerated(setup: Any) -> None:
    """The Python SDK ends its session and then detaches on the same channel: the connection stays open."""
    peer = setup.peer().open()
    peer.attach_producer(handle=0)
    peer.send(End())
    peer.send(Detach(0, True))
    assert peer.said(Close) == []
    peer.send(Begin(None, 0, 10, 10))
    assert len(peer.said(Begin)) == 1


async def test_plain_sasl_is_checked(setup: Any) -> None:
    """A key by SASL PLAIN opens everything; a wrong one ends the connection after the outcome."""
    right, wrong = setup.peer(), setup.peer()
    for peer, key in ((right, b"SAS_KEY_VALUE"), (wrong, b"other")):
        response = b"\0RootManageSharedAccessKey\0" + key
        peer.connection.receive(SASL_HEADER + frame(0, SaslInit("PLAIN", response), SASL_TYPE))
    assert right.outcome is None
    assert right.connection.allows("anything")
    assert wrong.outcome == "closed"
    assert SaslOutcome(1).encode() in bytes(wrong.raw)


@pytest.mark.parametrize(
    ("start", "condition"),
    [
        (b"HTTP/1.1 nonsense", None),
        (AMQP_HEADER + b"\0\0\0\1\2\0\0\0", "amqp:connection:framing-error"),
        (AMQP_HEADER + frame(0, Begin(None, 0, 1, 1)), "amqp:not-allowed"),
        (AMQP_HEADER + struct.pack(">IBBH", 9, 2, 0, 0) + b"\x3f", "amqp:decode-error"),
        (AMQP_HEADER + frame(0, Source("no performative")), "amqp:not-allowed"),
        (SASL_HEADER + frame(0, SaslInit("OTHER"), SASL_TYPE), None),
        (SASL_HEADER + frame(0, Open("me")), None),
    ],
)
async def test_a_broken_start_is_closed_with_a_reason(
    setup: Any, caplog: Any, start: bytes, condition: str | None
) -> None:
    """What is no AMQP ends the connection at once; the log says why, and the peer too where it can be told."""
    peer = setup.peer()
    peer.connection.receive(start)
    assert peer.outcome == "closed"
    assert "closed: amqp:" in caplog.text
    if condition is not None:
        assert condition.encode() in peer.raw


@pytest.mark.parametrize(
    ("wrong", "condition"),
    [
        (Transfer(9, 1, b"t", 0), "amqp:session:unattached-handle"),
        (Attach("again", 0, False, target=Target("readings")), "amqp:session:handle-in-use"),
        (Attach("", 1, False), "amqp:invalid-field"),
        (SaslOutcome(0), "amqp:not-allowed"),
    ],
)
async def test_a_broken_session_is_ended_with_a_reason(setup: Any, wrong: Any, condition: str) -> None:
    """A frame against the session's rules ends that session alone."""
    peer = setup.peer().open()
    peer.attach_producer(handle=0)
    peer.send(Begin(None, 0, 10, 10), channel=1)
    peer.frames()
    peer.send(wrong)
    (end,) = peer.said(End)
    assert end.error.condition == condition
    peer.send(Flow(None, 1, 1, 1), channel=1)
    assert peer.said(Close) == []
