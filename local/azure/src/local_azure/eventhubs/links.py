"""What all links have in common, and the two that carry requests and their answers."""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from local_azure.eventhubs import messages
from local_azure.eventhubs.codec import DecodeError
from local_azure.eventhubs.errors import AmqpLinkError, Condition
from local_azure.eventhubs.framing import TransferFramer
from local_azure.eventhubs.performatives import Attach, Flow, Source, Target, Transfer

if TYPE_CHECKING:
    from local_azure.eventhubs.session import Session

SEQUENCE_MODULUS = 1 << 32
"""Delivery counts and transfer ids are serial numbers of 32 bits (RFC 1982)."""
_CREDIT_STEP = 2
"""Credit is granted anew when one part in so many is used."""


class Link:
    """One link, from the broker's side."""

    path = ""
    """What a claim must cover to keep it open; empty for the broker's own nodes."""

    def __init__(self, session: "Session", attach: Attach) -> None:
        """Answer `attach` on its own handle."""
        self.session = session
        self.handle = attach.handle or 0
        self.name = attach.name
        self.open = True

    def answer(self, attach: Attach) -> Attach:
        """Return the attach that accepts the link."""
        return Attach(
            name=attach.name,
            handle=self.handle,
            role=not attach.role,
            snd_settle_mode=attach.snd_settle_mode,
            rcv_settle_mode=0,
            source=attach.source or Source(),
            target=attach.target or Target(),
        )

    def start(self) -> None:
        """Begin to work: the link is attached."""

    def on_transfer(self, transfer: Transfer, payload: bytes) -> None:
        """Take a transfer.

        Raises:
            AmqpLinkError: this link only sends.
        """
        raise AmqpLinkError(Condition.NOT_ALLOWED, "A transfer came on a link that only sends.")

    def on_flow(self, flow: Flow) -> None:
        """Take credit."""

    def wake(self) -> None:
        """Go on: the connection or the session has room again."""

    def on_closed(self) -> None:
        """Give back what the link holds."""

    def disconnect(self, error: AmqpLinkError) -> None:
        """Detach the link for a reason."""
        self.session.detach(self, error)


class ReceivingLink(Link):
    """A link on which the client sends: parts become deliveries, credit is kept up."""

    max_message_bytes = 1024 * 1024
    credit = 1000

    def __init__(self, session: "Session", attach: Attach) -> None:
        """Start with no delivery."""
        super().__init__(session, attach)
        self._delivery_count = attach.initial_delivery_count or 0
        self._credit_left = self.credit
        self._first: Transfer | None = None
        self._parts: list[bytes] = []
        self._size = 0

    def answer(self, attach: Attach) -> Attach:
        """Return the attach, with the limit that clients size their batches by."""
        answer = super().answer(attach)
        answer.max_message_size = self.max_message_bytes
        return answer

    def start(self) -> None:
        """Grant the first credit."""
        self._grant()

    def _grant(self) -> None:
        self._credit_left = self.credit
        self.session.send_link_flow(self.handle, self._delivery_count, self.credit)

    def on_transfer(self, transfer: Transfer, payload: bytes) -> None:
        """Put a part to its delivery and pass the delivery on when it is whole."""
        first = self._first = self._first or transfer
        if transfer.aborted:
            self._take_parts()
            return
        self._parts.append(payload)
        self._size += len(payload)
        if self._size > self.max_message_bytes:
            raise AmqpLinkError(
                Condition.MESSAGE_SIZE_EXCEEDED,
                f"The received message (delivery-id:{first.delivery_id}, size:{self._size} bytes) exceeds the limit "
                f"({self.max_message_bytes} bytes) currently allowed on the link.",
            )
        if transfer.more:
            return
        first.settled = first.settled or transfer.settled
        self.on_delivery(first, self._take_parts())
        self._delivery_count = (self._delivery_count + 1) % SEQUENCE_MODULUS
        self._credit_left -= 1
        if self.open and self._credit_left <= self.credit // _CREDIT_STEP:
            self._grant()

    def on_flow(self, flow: Flow) -> None:
        """Follow the sender's count; answer if it asks."""
        if flow.echo:
            self._grant()

    def _take_parts(self) -> bytes:
        parts, self._parts = self._parts, []
        self._first = None
        self._size = 0
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def on_delivery(self, first: Transfer, message: bytes) -> None:
        """Take a whole message; `first` is the transfer that began it."""


class RequestLink(ReceivingLink):
    """A link to one of the broker's own nodes."""

    credit = 100

    def __init__(self, session: "Session", attach: Attach, answer_request: Callable[[messages.Request], None]) -> None:
        """Pass each request to `answer_request`."""
        super().__init__(session, attach)
        self._answer_request = answer_request

    def on_delivery(self, first: Transfer, message: bytes) -> None:
        """Settle the request and have it answered."""
        try:
            request = messages.read_request(message)
        except DecodeError as problem:
            self.session.reject(first, AmqpLinkError(Condition.DECODE_ERROR, f"Not a request: {problem}."))
            return
        self.session.accept(first)
        self._answer_request(request)


class SendingLink(Link):
    """A link on which the broker sends, within the client's credit."""

    def __init__(self, session: "Session", attach: Attach) -> None:
        """Start without credit."""
        super().__init__(session, attach)
        self.credit = 0
        self._delivery_count = 0
        self._framer = TransferFramer(session.channel, self.handle, session.peer_max_frame_bytes)

    def answer(self, attach: Attach) -> Attach:
        """Return the attach: all is sent settled."""
        answer = super().answer(attach)
        answer.snd_settle_mode = 1
        answer.initial_delivery_count = 0
        return answer

    def on_flow(self, flow: Flow) -> None:
        """Take credit and use it; on drain give back what cannot be used."""
        if flow.link_credit is not None:
            granted_until = (flow.delivery_count or 0) + flow.link_credit
            credit = (granted_until - self._delivery_count) % SEQUENCE_MODULUS
            self.credit = credit if credit < SEQUENCE_MODULUS // 2 else 0
        self.wake()
        if flow.drain and self.credit and self.open:
            self._delivery_count = (self._delivery_count + self.credit) % SEQUENCE_MODULUS
            self.credit = 0
            self.session.send_link_flow(self.handle, self._delivery_count, 0, drain=True)
        elif flow.echo and self.open:
            self.session.send_link_flow(self.handle, self._delivery_count, self.credit)

    def send(self, message: bytes) -> None:
        """Send one message, settled."""
        self.credit -= 1
        self._delivery_count = (self._delivery_count + 1) % SEQUENCE_MODULUS
        self.session.send_message(self._framer, message)


class AnswerLink(SendingLink):
    """A link on which the answers of one of the broker's own nodes go out."""

    def __init__(self, session: "Session", attach: Attach, node: str) -> None:
        """Send the answers of `node`."""
        super().__init__(session, attach)
        self.node = node
        address = attach.target.address if attach.target else None
        self.reply_names = {attach.name, str(address) if address is not None else attach.name}
        self._waiting: deque[bytes] = deque()

    def post(self, message: bytes) -> None:
        """Send an answer when there is credit for it."""
        self._waiting.append(message)
        self.wake()

    def wake(self) -> None:
        """Send what waits."""
        while self._waiting and self.credit > 0 and self.session.window > 0:
            self.send(self._waiting.popleft())
