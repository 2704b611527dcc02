"""One AMQP connection: layers, sessions, and its end with a reason. No sockets here: bytes in, bytes out."""

import asyncio
import itertools
import logging
import math
import uuid
from typing import Protocol

from local_azure.eventhubs.errors import (
    AmqpConnectionError,
    AmqpError,
    AmqpLinkError,
    AmqpSessionError,
    Condition,
)
from local_azure.eventhubs.framing import (
    AMQP_HEADER,
    EMPTY_FRAME,
    MIN_MAX_FRAME_SIZE,
    SASL_HEADER,
    SASL_TYPE,
    Frame,
    FrameCutter,
    frame,
)
from local_azure.eventhubs.links import AnswerLink
from local_azure.eventhubs.performatives import (
    Begin,
    Close,
    Composite,
    Detach,
    Disposition,
    End,
    Flow,
    Open,
    SaslInit,
    SaslMechanisms,
    SaslOutcome,
)
from local_azure.eventhubs.service import Service
from local_azure.eventhubs.session import Session, error_of
from local_azure.eventhubs.tokens import Claims
from local_azure.faults import FaultKind

_log = logging.getLogger(__name__)
_ids = itertools.count(1)

_CHANNEL_MAX = 4999
_MECHANISMS = ["MSSBCBS", "PLAIN", "ANONYMOUS", "EXTERNAL"]
_SASL_OK = 0
_SASL_AUTH = 1
_LATE = (Detach, Disposition, End, Flow)
"""What may still come on a channel whose session is over: the Python SDK ends its session before its links."""


class Outlet(Protocol):
    """Where a connection's bytes go."""

    def write(self, data: bytes) -> None:
        """Send bytes."""
        ...

    def close(self) -> None:
        """Close when all is sent."""
        ...

    def abort(self) -> None:
        """Cut now."""
        ...


class Connection:
    """The state of one connection."""

    def __init__(self, service: Service, outlet: Outlet, peer: str) -> None:
        """Talk through `outlet` with `peer`, named in the log."""
        self.service = service
        self.claims = Claims()
        self.congested = False
        """Set while the network does not take more."""
        self.peer_max_frame_bytes = MIN_MAX_FRAME_SIZE
        self._outlet = outlet
        self._name = f"{next(_ids)} from {peer}"
        self._cutter = FrameCutter(service.config.max_frame_bytes)
        self._layer: bytes | None = None
        """The protocol header in force; None while one is awaited."""
        self._authenticated = False
        self._opened = False
        self._closed = False
        self._sessions: dict[int, Session] = {}
        self._loop = asyncio.get_running_loop()
        self._heard_at_s = self._loop.time()
        self._spoke_at_s = self._heard_at_s
        self._heartbeat_s = math.inf
        self._outbox: list[bytes] = []
        self._flush_due = False

    @property
    def closed(self) -> bool:
        """Whether nothing more will be said."""
        return self._closed

    def receive(self, data: bytes) -> None:
        """Take bytes from the network."""
        if self._closed:
            return
        self._heard_at_s = self._loop.time()
        self._cutter.feed(data)
        self._flush_due = True  # by this method itself, below: no need to ask the loop for another turn
        try:
            self._advance()
        except AmqpError as problem:
            self.fail(problem)
        except Exception:  # the peer gets an answer, the other connections live on
            _log.exception("connection %s: the broker failed", self._name)
            self.fail(AmqpConnectionError(Condition.INTERNAL_ERROR, "The broker failed; see its log."))
        self._flush()

    def send(self, data: bytes) -> None:
        """Send a frame with the next flush: at the end of this turn of the loop at the latest."""
        if self._closed:
            return
        self._outbox.append(data)
        if not self._flush_due:
            self._flush_due = True
            self._loop.call_soon(self._flush)

    def send_performative(self, channel: int, performative: Composite) -> None:
        """Send a frame without payload."""
        self.send(frame(channel, performative))

    def on_writable(self) -> None:
        """Go on: the network takes bytes again."""
        self.congested = False
        for session in list(self._sessions.values()):
            for link in session.links():
                link.wake()

    def on_lost(self) -> None:
        """Clean up: the network connection is gone."""
        self._closed = True
        for session in self._sessions.values():
            session.close()
        self._sessions.clear()

    def fail(self, problem: AmqpError) -> None:
        """Close with an error that the peer and the log are told."""
        if self._closed:
            return
        _log.warning("connection %s: closed: %s", self._name, problem)
        if self._layer is None:
            self.send(AMQP_HEADER)
        elif self._layer == AMQP_HEADER:
            if not self._opened:
                self._send_open()
            self.send_performative(0, Close(error_of(problem)))
        self._finish()

    def drop(self, reason: str) -> None:
        """Cut the connection without a word to the peer."""
        if not self._closed:
            _log.warning("connection %s: cut: %s", self._name, reason)
            self._outbox.clear()
            self._outlet.abort()
            self.on_lost()

    def shut_down(self) -> None:
        """Close because the broker stops; clients come back by themselves."""
        self.fail(AmqpConnectionError(Condition.CONNECTION_FORCED, "The broker is shutting down."))

    def tick(self, now_s: float) -> None:
        """Do what is due at `now_s` of the loop's clock: close when idle, beat, drop links with expired claims."""
        idle_timeout_ms = self.service.config.idle_timeout_ms
        if now_s - self._heard_at_s > idle_timeout_ms / 1000:
            self.fail(
                AmqpConnectionError(
                    Condition.CONNECTION_FORCED,
                    f"The connection was inactive for more than the allowed {idle_timeout_ms} milliseconds and is "
                    "closed by container 'LinkTracker'.",
                )
            )
            return
        if self._opened and now_s - self._spoke_at_s >= self._heartbeat_s:
            self.send(EMPTY_FRAME)
        for session in list(self._sessions.values()):
            for link in session.links():
                if link.path and not self.allows(link.path):
                    link.disconnect(AmqpLinkError(Condition.UNAUTHORIZED_ACCESS, "ExpiredToken: The token is expired."))

    def allows(self, path: str) -> bool:
        """Tell whether this connection may use `path`."""
        return self._authenticated or self.claims.allow(path, self.service.now_s())

    def check_claims(self, path: str) -> None:
        """Make sure that this connection may use `path`.

        Raises:
            AmqpLinkError: no token for it was put on this connection.
        """
        if not self.allows(path):
            raise AmqpLinkError(
                Condition.UNAUTHORIZED_ACCESS,
                f"Unauthorized access. 'Send' or 'Listen' claim(s) are required to use '{path}'.",
            )

    def post_answer(self, node: str, reply_to: str | None, answer: bytes) -> None:
        """Send the answer of a node on the link that the request named, or else the newest to that node."""
        links = [
            link
            for session in self._sessions.values()
            for link in session.links()
            if isinstance(link, AnswerLink) and link.node == node
        ]
        named = [link for link in links if reply_to in link.reply_names]
        for link in (named or links)[-1:]:
            link.post(answer)

    def _advance(self) -> None:
        while not self._closed:
            if self._layer is None:
                header = self._cutter.protocol_header()
                if header is None:
                    return
                self._on_header(header)
                continue
            received = self._cutter.next_frame()
            if received is None:
                return
            self._on_frame(received)

    def _on_header(self, header: bytes) -> None:
        if header not in (AMQP_HEADER, SASL_HEADER):
            raise AmqpConnectionError(Condition.FRAMING_ERROR, f"{header!r} opens no layer that is offered here.")
        self._layer = header
        self.send(header)
        if header == SASL_HEADER:
            self.send(frame(0, SaslMechanisms(_MECHANISMS), SASL_TYPE))

    def _on_frame(self, received: Frame) -> None:
        in_sasl = self._layer == SASL_HEADER
        if in_sasl != (received.kind == SASL_TYPE):
            raise AmqpConnectionError(
                Condition.FRAMING_ERROR, f"A frame of type {received.kind} has no place in this layer."
            )
        performative = received.performative
        if performative is None:
            return
        if in_sasl:
            self._on_sasl(performative)
        elif isinstance(performative, Open):
            self._on_open(performative)
        elif not self._opened:
            raise AmqpConnectionError(Condition.NOT_ALLOWED, "The first frame has to be an open.")
        elif isinstance(performative, Close):
            self.send_performative(0, Close())
            self._finish()
        else:
            self._on_session_frame(received.channel, performative, received.payload)

    def _on_sasl(self, performative: Composite) -> None:
        if not isinstance(performative, SaslInit) or performative.mechanism not in _MECHANISMS:
            raise AmqpConnectionError(Condition.NOT_ALLOWED, "A sasl-init with an offered mechanism is expected.")
        if performative.mechanism == "PLAIN":
            self._authenticated = self._plain_is_valid(performative.initial_response or b"")
            if not self._authenticated:
                self.send(frame(0, SaslOutcome(_SASL_AUTH), SASL_TYPE))
                _log.warning("connection %s: closed: wrong name or key in SASL PLAIN", self._name)
                self._finish()
                return
        self.send(frame(0, SaslOutcome(_SASL_OK, b"Welcome!"), SASL_TYPE))
        self._layer = None

    def _plain_is_valid(self, response: bytes) -> bool:
        parts = response.split(b"\0")
        keys = self.service.config.keys
        return len(parts) == 3 and keys.get(parts[1].decode(errors="replace")) == parts[2].decode(errors="replace")

    def _on_open(self, opened: Open) -> None:
        if self._opened:
            raise AmqpConnectionError(Condition.NOT_ALLOWED, "The connection is open already.")
        limit = self.service.config.max_frame_bytes
        offered = limit if opened.max_frame_size is None else opened.max_frame_size
        self.peer_max_frame_bytes = max(min(offered, limit), MIN_MAX_FRAME_SIZE)
        if opened.idle_time_out:
            self._heartbeat_s = opened.idle_time_out / 2000
        if self.service.take_fault("connect", FaultKind.DROP_CONNECTION):
            self.drop("fault: drop-connection")
            return
        self._send_open()

    def _send_open(self) -> None:
        self._opened = True
        config = self.service.config
        self.send_performative(
            0,
            Open(
                container_id=f"{uuid.uuid4().hex}_G0",
                max_frame_size=config.max_frame_bytes,
                channel_max=_CHANNEL_MAX,
                idle_time_out=config.idle_timeout_ms // 2,
            ),
        )

    def _on_session_frame(self, channel: int, performative: Composite, payload: bytes) -> None:
        session = self._sessions.get(channel)
        if isinstance(performative, Begin):
            if session is not None or channel > _CHANNEL_MAX:
                raise AmqpConnectionError(Condition.NOT_ALLOWED, f"Channel {channel} cannot begin a session.")
            self._sessions[channel] = Session(self, channel, performative)
        elif session is None:
            if not isinstance(performative, _LATE):
                raise AmqpConnectionError(Condition.NOT_ALLOWED, f"Channel {channel} has no session.")
        elif isinstance(performative, End):
            self._end_session(session, End())
        else:
            try:
                session.on_performative(performative, payload)
            except AmqpSessionError as problem:
                _log.warning("connection %s: session %d ended: %s", self._name, channel, problem)
                self._end_session(session, End(error_of(problem)))

    def _end_session(self, session: Session, end: End) -> None:
        self._sessions.pop(session.channel, None)
        session.close()
        self.send_performative(session.channel, end)

    def _finish(self) -> None:
        self._flush()
        self._outlet.close()
        self.on_lost()

    def _flush(self) -> None:
        self._flush_due = False
        if self._outbox and not self._closed:
            data = b"".join(self._outbox) if len(self._outbox) > 1 else self._outbox[0]
            self._outbox.clear()
            self._spoke_at_s = self._loop.time()
            self._outlet.write(data)
