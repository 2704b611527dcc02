"""Faults on demand, as a connection sees them."""

import asyncio
from typing import Any

from local_azure.eventhubs.performatives import (
    Accepted,
    Detach,
)
from local_azure.faults import Fault, FaultKind
from tests.unit.eventhubs_broker.conftest import bodies


async def test_faults_strike_where_and_as_often_as_they_are_told(setup: Any, message: Any) -> None:
    """Each kind shows as the service would show it, for its count, and then all is well again."""
    peer = setup.peer().open()
    peer.attach_producer("readings/Partitions/0", handle=0)
    peer.attach_producer("readings/Partitions/1", handle=1)
    peer.frames()
    kinds = {
        FaultKind.THROTTLE: "com.microsoft:server-busy",
        FaultKind.UNAVAILABLE: "amqp:internal-error",
        FaultKind.TIMEOUT: "com.microsoft:timeout",
        FaultKind.DISK_FULL: "amqp:internal-error",
    }
    for kind, condition in kinds.items():
        setup.faults.add(Fault(kind, operation="send", hub="READINGS", partition="0", count=1, retry_after_s=4))
        peer.publish(message(b"other"), handle=1)
        peer.publish(message(b"struck"), handle=0)
        peer.publish(message(b"well"), handle=0)
        untouched, struck, well = peer.outcomes()
        assert (untouched, struck.error.condition, well) == (Accepted(), condition, Accepted())
    assert setup.hub.partition("0").log.next_sequence_number == len(kinds)
    setup.faults.add(Fault(FaultKind.DETACH_LINK, operation="send", count=1))
    peer.publish(message(b"x"), handle=1)
    (detach,) = peer.said(Detach)
    assert detach.error.condition == "amqp:link:detach-forced"


async def test_a_lost_acknowledgement_keeps_the_event(setup: Any, message: Any) -> None:
    """The work is done, the connection is cut before the answer: what makes clients send twice."""
    setup.faults.add(Fault(FaultKind.LOST_ACK, count=1))
    peer = setup.peer().open()
    peer.attach_producer("readings/Partitions/0", handle=0)
    peer.frames()
    peer.publish(message(b"x"))
    assert (peer.outcome, peer.outcomes()) == ("cut", [])
    assert setup.hub.partition("0").log.next_sequence_number == 1


async def test_latency_keeps_the_order(setup: Any, message: Any) -> None:
    """Messages behind a slow one wait for it, and all arrive in the order they were sent."""
    peer = setup.peer().open()
    peer.attach_producer("readings/Partitions/0", handle=0)
    peer.frames()
    setup.faults.add(Fault(FaultKind.LATENCY, operation="send", count=1, latency_s=0.01))
    for number in range(3):
        peer.publish(message(b"%d" % number))
    assert peer.outcomes() == []
    while setup.hub.partition("0").log.next_sequence_number < 3:
        await asyncio.sleep(0.005)
    assert peer.outcomes() == [Accepted()] * 3
    peer.attach_consumer(handle=1)
    assert bodies(peer) == [b"0", b"1", b"2"]


async def test_delivery_faults_reach_consumers(setup: Any, message: Any) -> None:
    """A consumer's link can be detached and its connection cut before the next event."""
    producer = setup.peer().open()
    producer.attach_producer("readings/Partitions/0", handle=0)
    producer.publish(message(b"x"))
    for kind in (FaultKind.DETACH_LINK, FaultKind.DROP_CONNECTION):
        setup.faults.add(Fault(kind, operation="receive", count=1))
        consumer = setup.peer().open()
        consumer.attach_consumer()
        if kind is FaultKind.DETACH_LINK:
            assert len(consumer.said(Detach)) == 1
        else:
            assert consumer.outcome == "cut"
    consumer = setup.peer().open()
    consumer.attach_consumer()
    assert bodies(consumer) == [b"x"]
