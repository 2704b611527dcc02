"""Links on which consumers read."""

import asyncio
from typing import TYPE_CHECKING

from local_azure.eventhubs.addresses import Address
from local_azure.eventhubs.codec import Described, Symbol, Timestamp, ULong
from local_azure.eventhubs.errors import AmqpLinkError, Condition
from local_azure.eventhubs.links import SendingLink
from local_azure.eventhubs.management import last_enqueued
from local_azure.eventhubs.messages import with_delivery_annotations
from local_azure.eventhubs.performatives import Attach, Source
from local_azure.eventhubs.positions import BEGINNING, StartPosition, parse_selector
from local_azure.eventhubs.segment import StoredEvent
from local_azure.eventhubs.service import FAILURES, SERVER, failure_of
from local_azure.faults import FaultKind, Site

if TYPE_CHECKING:
    from local_azure.eventhubs.session import Session

_SELECTOR_FILTER = "apache.org:selector-filter:string"
_SELECTOR_CODE = ULong(0x137000000A)
_EPOCH = "com.microsoft:epoch"
_RUNTIME_METRIC = "com.microsoft:enable-receiver-runtime-metric"
_FAULTS = (*FAILURES, FaultKind.DETACH_LINK, FaultKind.DROP_CONNECTION, FaultKind.LATENCY)
_TURN_BYTES = 512 * 1024
"""What one link sends before the others get their turn."""


class ConsumerLink(SendingLink):
    """Sends the events of one partition from a starting position on, as credit allows."""

    def __init__(self, session: "Session", attach: Attach, address: Address) -> None:
        """Join the readers of the partition.

        Raises:
            AmqpLinkError: there is no such hub, group, partition or position, or other readers stand against it.
        """
        super().__init__(session, attach)
        self.path = address.path
        self.epoch = _epoch(attach)
        self._group = address.group or ""
        self._service = session.connection.service
        hub = self._service.namespace.hub(address.hub)
        hub.check_group(self._group)
        self._partition = hub.partition(address.partition or "")
        self._site = Site(SERVER, "receive", hub.name, self._partition.id)
        self._tracks = _RUNTIME_METRIC in (attach.desired_capabilities or [])
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.Handle | None = None
        self._reader = self._partition.open_reader(_start(attach.source))
        try:
            self._partition.admit(self._group, self)
        except AmqpLinkError:
            self._reader.close()
            raise
        self._partition.listen(self._wake_soon)

    def answer(self, attach: Attach) -> Attach:
        """Return the attach, with the filter under the code that the service answers with."""
        answer = super().answer(attach)
        if answer.source is not None and answer.source.filter:
            answer.source.filter = {
                Symbol(name): Described(_SELECTOR_CODE, item.value) if isinstance(item, Described) else item
                for name, item in answer.source.filter.items()
            }
        if self._tracks:
            answer.offered_capabilities = [_RUNTIME_METRIC]
        return answer

    def wake(self) -> None:
        """Send while there is credit, room and something to send; then leave the turn to others."""
        if self._timer is not None:
            return
        sent_bytes = 0
        while self.open and self.credit > 0 and self.session.has_room():
            if self._reader.has_more() and self._fault_strikes():
                return
            event = self._reader.next_event()
            if event is None:
                return
            self._deliver(event)
            sent_bytes += len(event.payload)
            if sent_bytes >= _TURN_BYTES:
                self._wake_soon()
                return

    def _deliver(self, event: StoredEvent) -> None:
        message = event.payload
        if self._tracks:
            message = with_delivery_annotations(message, self._last_enqueued())
        self.send(message)

    def _wake_soon(self) -> None:
        if self._timer is None and self.credit > 0:
            self._timer = self._loop.call_soon(self._wake_now)

    def _wake_now(self) -> None:
        self._timer = None
        self.wake()

    def _fault_strikes(self) -> bool:
        """Play an armed fault; True if the turn is over."""
        fault = self._service.faults.take(self._site, *_FAULTS)
        if fault is None:
            return False
        if fault.kind is FaultKind.LATENCY:
            self._timer = self._loop.call_later(fault.latency_s, self._send_late)
        elif fault.kind is FaultKind.DROP_CONNECTION:
            self.session.connection.drop("fault: drop-connection")
        else:
            self.session.detach(self, failure_of(fault))
        return True

    def _send_late(self) -> None:
        self._timer = None
        event = self._reader.next_event() if self.open and self.credit > 0 else None
        if event is not None:
            self._deliver(event)
        self.wake()

    def _last_enqueued(self) -> dict[Symbol, object]:
        values = last_enqueued(self._partition)
        values["runtime_info_retrieval_time_utc"] = Timestamp(int(self._service.now_s() * 1000))
        return {Symbol(name): value for name, value in values.items()}

    def on_closed(self) -> None:
        """Leave the partition."""
        if self._timer is not None:
            self._timer.cancel()
        self._partition.unlisten(self._wake_soon)
        self._partition.dismiss(self._group, self)
        self._reader.close()


def _epoch(attach: Attach) -> int | None:
    epoch = (attach.properties or {}).get(_EPOCH)
    if epoch is None:
        return None
    if not isinstance(epoch, int) or isinstance(epoch, bool) or epoch < 0:
        raise AmqpLinkError(Condition.ARGUMENT_OUT_OF_RANGE, f"The epoch {epoch!r} is no number of 0 or more.")
    return int(epoch)


def _start(source: Source | None) -> StartPosition:
    for name, item in ((source.filter if source else None) or {}).items():
        if name == _SELECTOR_FILTER:
            selector = item.value if isinstance(item, Described) else item
            return parse_selector(selector.decode() if isinstance(selector, bytes) else str(selector))
    return BEGINNING
