"""Sessions: windows, and the links that run in them."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from local_azure.eventhubs import cbs, management
from local_azure.eventhubs.addresses import Address, Node, parse_address
from local_azure.eventhubs.consumer import ConsumerLink
from local_azure.eventhubs.errors import AmqpError, AmqpLinkError, AmqpSessionError, Condition
from local_azure.eventhubs.framing import TransferFramer
from local_azure.eventhubs.links import SEQUENCE_MODULUS, AnswerLink, Link, RequestLink
from local_azure.eventhubs.messages import Request
from local_azure.eventhubs.performatives import (
    Accepted,
    Attach,
    Begin,
    Composite,
    Detach,
    Disposition,
    Error,
    Flow,
    Rejected,
    Source,
    Target,
    Transfer,
)
from local_azure.eventhubs.producer import ProducerLink
from local_azure.eventhubs.service import FAILURES, failure_of
from local_azure.faults import FaultKind

if TYPE_CHECKING:
    from local_azure.eventhubs.connection import Connection

_log = logging.getLogger(__name__)

_INCOMING_WINDOW = 5000
_OUTGOING_WINDOW = 65_536
_HANDLE_MAX = 255
_FIRST_OUTGOING_ID = 1


def error_of(problem: AmqpError) -> Error:
    """Return the error as it travels: with all three fields, or the Python SDK waits for ever."""
    return Error(problem.condition, problem.description, {})


class Session:
    """One session of a connection, on the same channel both ways."""

    def __init__(self, connection: "Connection", channel: int, begin: Begin) -> None:
        """Answer `begin`."""
        self.connection = connection
        self.channel = channel
        self.peer_max_frame_bytes = connection.peer_max_frame_bytes
        self._links: dict[int, Link] = {}
        self._detached: set[int] = set()
        """Handles that we detached and the client has not yet let go."""
        self._next_incoming_id = begin.next_outgoing_id or 0
        self._frames_since_flow = 0
        self._next_outgoing_id = _FIRST_OUTGOING_ID
        self._next_delivery_id = _FIRST_OUTGOING_ID
        self.window = begin.incoming_window or 0
        """Transfer frames that the client still has room for."""
        self._handle_max = min(_HANDLE_MAX, _HANDLE_MAX if begin.handle_max is None else begin.handle_max)
        self._handlers: dict[type[Composite], Callable[[Any], None]] = {
            Attach: self._on_attach,
            Flow: self._on_flow,
            Detach: self._on_detach,
            Disposition: lambda _: None,  # the broker sends settled: nothing is left to be decided
        }
        self._send(
            Begin(
                remote_channel=channel,
                next_outgoing_id=_FIRST_OUTGOING_ID,
                incoming_window=_INCOMING_WINDOW,
                outgoing_window=_OUTGOING_WINDOW,
                handle_max=_HANDLE_MAX,
            )
        )

    def on_performative(self, performative: Composite, payload: bytes) -> None:
        """Take a frame of this session.

        Raises:
            AmqpSessionError: the client broke the session's rules.
        """
        if isinstance(performative, Transfer):
            self._on_transfer(performative, payload)
            return
        handler = self._handlers.get(type(performative))
        if handler is None:
            raise AmqpSessionError(Condition.NOT_ALLOWED, f"{type(performative).__name__} has no place in a session.")
        handler(performative)

    def has_room(self) -> bool:
        """Tell whether a message may be sent now."""
        return self.window > 0 and not self.connection.congested

    def links(self) -> list[Link]:
        """Return the open links."""
        return list(self._links.values())

    def close(self) -> None:
        """Close all links without a word: the session is over."""
        for link in self.links():
            self._forget(link)

    def accept(self, first: Transfer) -> None:
        """Tell the client that its delivery was taken."""
        self._settle(first, Accepted())

    def reject(self, first: Transfer, problem: AmqpError) -> None:
        """Tell the client why its delivery was refused."""
        self._settle(first, Rejected(error_of(problem)))

    def detach(self, link: Link, problem: AmqpError) -> None:
        """Detach a link for a reason."""
        if not link.open:
            return
        self._forget(link)
        self._detached.add(link.handle)
        _log.info("link %s: detached: %s", link.name, problem)
        self._send(Detach(link.handle, True, error_of(problem)))

    def send_link_flow(self, handle: int, delivery_count: int, credit: int, *, drain: bool | None = None) -> None:
        """Tell the client a link's state and, with it, this session's windows."""
        self._frames_since_flow = 0
        self._send(
            Flow(
                next_incoming_id=self._next_incoming_id,
                incoming_window=_INCOMING_WINDOW,
                next_outgoing_id=self._next_outgoing_id,
                outgoing_window=_OUTGOING_WINDOW,
                handle=handle,
                delivery_count=delivery_count,
                link_credit=credit,
                drain=drain,
            )
        )

    def send_message(self, framer: TransferFramer, message: bytes) -> None:
        """Send one message, settled, in as many frames as it takes."""
        for frame in framer.frames(self._next_delivery_id, message):
            self.connection.send(frame)
            self._next_outgoing_id = (self._next_outgoing_id + 1) % SEQUENCE_MODULUS
            self.window -= 1
        self._next_delivery_id = (self._next_delivery_id + 1) % SEQUENCE_MODULUS

    def _send(self, performative: Composite) -> None:
        self.connection.send_performative(self.channel, performative)

    def _settle(self, first: Transfer, state: Accepted | Rejected) -> None:
        if first.settled or first.delivery_id is None:
            return
        self._send(Disposition(True, first.delivery_id, first.delivery_id, True, state))

    def _on_attach(self, attach: Attach) -> None:
        if attach.handle is None or attach.role is None or not attach.name:
            raise AmqpSessionError(Condition.INVALID_FIELD, "An attach needs a name, a handle and a role.")
        if attach.handle in self._links:
            raise AmqpSessionError(Condition.HANDLE_IN_USE, f"Handle {attach.handle} is in use.")
        if attach.handle > self._handle_max:
            raise AmqpSessionError(Condition.NOT_ALLOWED, f"Handle {attach.handle} is over {self._handle_max}.")
        self._detached.discard(attach.handle)
        try:
            opened = self._open_link(attach)
        except AmqpLinkError as refusal:
            self._refuse(attach, refusal)
            return
        self._links[opened.handle] = opened
        self._send(opened.answer(attach))
        opened.start()

    def _open_link(self, attach: Attach) -> Link:
        terminus = attach.source if attach.role else attach.target
        address = parse_address(terminus.address if terminus else None)
        if address is not None and address.node is not None:
            return self._open_node_link(attach, address.node)
        if address is not None:
            self.connection.check_claims(address.path)
            self._check_faults(address)
        if not attach.role:
            return ProducerLink(self, attach, address)
        if address is None or address.group is None:
            raise AmqpLinkError(
                Condition.NOT_ALLOWED, "A receiver needs a consumer group and a partition in its source."
            )
        return ConsumerLink(self, attach, address)

    def _check_faults(self, address: Address) -> None:
        service = self.connection.service
        fault = service.take_fault(
            "attach", *FAILURES, FaultKind.DETACH_LINK, hub=address.hub, partition=address.partition
        )
        if fault is not None:
            raise failure_of(fault)

    def _open_node_link(self, attach: Attach, node: Node) -> Link:
        if attach.role:
            return AnswerLink(self, attach, node)

        def answer(request: Request) -> None:
            connection = self.connection
            if node is Node.CBS:
                answer = cbs.put_token(connection.service, connection.claims, request)
            else:
                answer = management.read(connection.service, connection.allows, request)
            connection.post_answer(node, request.reply_to, answer)

        return RequestLink(self, attach, answer)

    def _refuse(self, attach: Attach, refusal: AmqpLinkError) -> None:
        """Answer with an attach that lacks the terminus which was asked for, then detach: so the service does it."""
        self._detached.add(attach.handle or 0)
        _log.info("link %s: refused: %s", attach.name, refusal)
        self._send(
            Attach(
                name=attach.name,
                handle=attach.handle,
                role=not attach.role,
                source=None if attach.role else attach.source or Source(),
                target=attach.target or Target() if attach.role else None,
                initial_delivery_count=0 if attach.role else None,
            )
        )
        self._send(Detach(attach.handle, True, error_of(refusal)))

    def _on_flow(self, flow: Flow) -> None:
        if flow.incoming_window is not None:
            first_unseen = _FIRST_OUTGOING_ID if flow.next_incoming_id is None else flow.next_incoming_id
            in_flight = (self._next_outgoing_id - first_unseen) % SEQUENCE_MODULUS
            self.window = flow.incoming_window - (in_flight if in_flight < SEQUENCE_MODULUS // 2 else 0)
        if flow.handle is None:
            for each in self.links():
                each.wake()
            return
        link = self._link(flow.handle)
        if link is not None:
            link.on_flow(flow)

    def _on_transfer(self, transfer: Transfer, payload: bytes) -> None:
        self._next_incoming_id = (self._next_incoming_id + 1) % SEQUENCE_MODULUS
        link = self._link(transfer.handle)
        if link is not None:
            try:
                link.on_transfer(transfer, payload)
            except AmqpLinkError as problem:
                self.detach(link, problem)
        self._frames_since_flow += 1
        if self._frames_since_flow >= _INCOMING_WINDOW // 2:
            self._frames_since_flow = 0
            self._send(Flow(self._next_incoming_id, _INCOMING_WINDOW, self._next_outgoing_id, _OUTGOING_WINDOW))

    def _on_detach(self, detach: Detach) -> None:
        if detach.handle in self._detached:
            self._detached.discard(detach.handle)
            return
        link = self._link(detach.handle)
        if link is not None:
            self._forget(link)
            self._send(Detach(link.handle, bool(detach.closed)))

    def _link(self, handle: int | None) -> Link | None:
        """Return the link of a handle, None if we detached it and the client may not know yet."""
        link = self._links.get(-1 if handle is None else handle)
        if link is None and handle not in self._detached:
            raise AmqpSessionError(Condition.UNATTACHED_HANDLE, f"Handle {handle} is not attached.")
        return link

    def _forget(self, link: Link) -> None:
        self._links.pop(link.handle, None)
        link.open = False
        link.on_closed()
