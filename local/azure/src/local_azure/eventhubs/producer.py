"""Links on which producers publish."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from local_azure.eventhubs.addresses import Address, parse_address
from local_azure.eventhubs.codec import DecodeError
from local_azure.eventhubs.errors import AmqpError, AmqpLinkError, Condition
from local_azure.eventhubs.hub import Hub, Partition
from local_azure.eventhubs.links import ReceivingLink
from local_azure.eventhubs.messages import Event, read_publication, read_request
from local_azure.eventhubs.performatives import Attach, Transfer
from local_azure.eventhubs.service import FAILURES, SERVER, failure_of
from local_azure.faults import Fault, FaultKind, Site

if TYPE_CHECKING:
    from local_azure.eventhubs.session import Session

_ANSWERED = (*FAILURES, FaultKind.DETACH_LINK, FaultKind.DROP_CONNECTION)


class ProducerLink(ReceivingLink):
    """Publishes what comes, in order, and acknowledges it when it is durable.

    Without an address it is an anonymous relay: each message says in its `to` where it goes.
    """

    def __init__(self, session: "Session", attach: Attach, address: Address | None) -> None:
        """Publish to `address`, which has to exist.

        Raises:
            AmqpLinkError: there is no such hub or partition.
        """
        self.max_message_bytes = session.connection.service.config.max_message_bytes
        super().__init__(session, attach)
        self._service = session.connection.service
        self._address = address
        self.path = address.path if address else ""
        if address is not None:
            self._resolve(address)
        self._waiting: deque[tuple[Transfer, bytes]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def _resolve(self, address: Address) -> tuple[Hub, Partition | None]:
        hub = self._service.namespace.hub(address.hub)
        return hub, hub.partition(address.partition) if address.partition is not None else None

    def on_delivery(self, first: Transfer, message: bytes) -> None:
        """Publish a message, or queue it behind one that a fault holds up."""
        self._waiting.append((first, message))
        if self._timer is None:
            self._work_off()

    def _work_off(self) -> None:
        self._timer = None
        while self._waiting and self._timer is None and self.open:
            self._publish(*self._waiting.popleft())

    def _publish(self, first: Transfer, message: bytes) -> None:
        try:
            hub, partition, events = self._read(first, message)
        except AmqpError as refusal:
            self.session.reject(first, refusal)
            return
        site = Site(SERVER, "send", hub.name, partition.id)
        slow = self._service.faults.take(site, FaultKind.LATENCY)
        if slow is None:
            self._store(first, site, partition, events)
            return

        def store_late() -> None:
            if self.open:
                self._store(first, site, partition, events)
            self._work_off()

        self._timer = asyncio.get_running_loop().call_later(slow.latency_s, store_late)

    def _read(self, first: Transfer, message: bytes) -> tuple[Hub, Partition, list[Event]]:
        address = self._address or self._relayed_to(message)
        hub, partition = self._resolve(address)
        key, events = read_publication(message, first.message_format or 0)
        return hub, partition or hub.partition_for(key), events

    def _relayed_to(self, message: bytes) -> Address:
        try:
            address = parse_address(read_request(message).to)
        except DecodeError as problem:
            raise AmqpLinkError(Condition.DECODE_ERROR, f"The message cannot be decoded: {problem}.") from problem
        if address is None or address.group is not None or address.node is not None:
            raise AmqpLinkError(Condition.NOT_FOUND, "A message on an anonymous link has no hub in its 'to'.")
        self.session.connection.check_claims(address.path)
        return address

    def _store(self, first: Transfer, site: Site, partition: Partition, events: Sequence[Event]) -> None:
        fault = self._service.faults.take(site, *_ANSWERED)
        if fault is not None:
            self._fail(first, fault)
            return

        def acknowledge(problem: OSError | None) -> None:
            if problem is not None:
                self.session.reject(first, _not_stored(problem))
            elif self._service.faults.take(site, FaultKind.LOST_ACK):
                self.session.connection.drop("fault: lost-ack")
            else:
                self.session.accept(first)

        try:
            self._service.faults.raise_if_disk_full(site)
            partition.publish(events, acknowledge)
        except OSError as problem:
            self.session.reject(first, _not_stored(problem))

    def _fail(self, first: Transfer, fault: Fault) -> None:
        if fault.kind is FaultKind.DROP_CONNECTION:
            self.session.connection.drop("fault: drop-connection")
        elif fault.kind is FaultKind.DETACH_LINK:
            self.session.detach(self, failure_of(fault))
        else:
            self.session.reject(first, failure_of(fault))

    def on_closed(self) -> None:
        """Forget what was not acknowledged."""
        if self._timer is not None:
            self._timer.cancel()
        self._waiting.clear()


def _not_stored(problem: OSError) -> AmqpLinkError:
    return AmqpLinkError(Condition.INTERNAL_ERROR, f"The events could not be stored: {problem.strerror}.")
