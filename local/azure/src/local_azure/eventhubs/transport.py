"""Sockets: AMQP straight over TCP or TLS, and AMQP in WebSocket messages, told apart by the first bytes."""

import asyncio
import logging
from collections.abc import Callable
from typing import cast

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from local_azure.eventhubs.connection import Connection, Outlet
from local_azure.eventhubs.service import Service

_log = logging.getLogger(__name__)

WEBSOCKET_PATH = "/$servicebus/websocket"
_SUBPROTOCOL = Subprotocol("AMQPWSB10")
_HTTP_START = b"GET "
_WRITE_BUFFER_BYTES = 1024 * 1024
_MAX_WEBSOCKET_MESSAGE_BYTES = 16 * 1024 * 1024
"""Many times the largest frame. A message is collected whole before AMQP sees any of it."""


class Endpoint(asyncio.Protocol):
    """One accepted socket."""

    def __init__(self, service: Service, on_closed: Callable[["Endpoint"], None]) -> None:
        """Serve `service`; tell `on_closed` at the end."""
        self._service = service
        self._on_closed = on_closed
        self._transport: asyncio.Transport
        self._start = b""
        self._receive: Callable[[bytes], None] | None = None
        self._heard_at_s = asyncio.get_running_loop().time()
        self.connection: Connection | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=_WRITE_BUFFER_BYTES)

    def data_received(self, data: bytes) -> None:
        """Pass bytes on, choosing the protocol by the first four."""
        self._heard_at_s = asyncio.get_running_loop().time()
        if self._receive is None:
            self._start += data
            if len(self._start) < len(_HTTP_START):
                return
            data = self._start
            self._receive = self._choose(data)
        self._receive(data)

    def _choose(self, start: bytes) -> Callable[[bytes], None]:
        if start.startswith(_HTTP_START):
            websocket = WebSocketOutlet(self._transport, self._open)
            return websocket.receive
        return self._open(self._transport).receive

    def _open(self, outlet: Outlet) -> Connection:
        peer = self._transport.get_extra_info("peername")
        self.connection = Connection(self._service, outlet, f"{peer[0]}:{peer[1]}" if peer else "a socket")
        return self.connection

    def pause_writing(self) -> None:
        """Hold back: the client reads too slowly."""
        if self.connection is not None:
            self.connection.congested = True

    def resume_writing(self) -> None:
        """Go on."""
        if self.connection is not None:
            self.connection.on_writable()

    def connection_lost(self, exc: Exception | None) -> None:
        """Clean up."""
        if self.connection is not None:
            self.connection.on_lost()
        self._on_closed(self)

    def tick(self, now_s: float) -> None:
        """Do what is due at `now_s` of the loop's clock.

        A socket that never spoke, or no longer reads what is left to be sent to it, is cut after the idle time-out.
        """
        if self.connection is not None and not self.connection.closed:
            self.connection.tick(now_s)
        elif now_s - self._heard_at_s > self._service.config.idle_timeout_ms / 1000:
            self._transport.abort()

    def shut_down(self) -> None:
        """Close, telling the client why if it speaks AMQP by now."""
        if self.connection is not None:
            self.connection.shut_down()
        else:
            self._transport.close()

    def abort(self) -> None:
        """Cut what is left of it."""
        self._transport.abort()


class WebSocketOutlet:
    """A connection's bytes in binary WebSocket messages."""

    def __init__(self, transport: asyncio.Transport, open_connection: Callable[[Outlet], Connection]) -> None:
        """Speak over `transport`; make the connection once the handshake is done."""
        self._transport = transport
        self._open_connection = open_connection
        self._protocol = ServerProtocol(subprotocols=[_SUBPROTOCOL], max_size=_MAX_WEBSOCKET_MESSAGE_BYTES)
        self._connection: Connection | None = None

    def receive(self, data: bytes) -> None:
        """Take bytes from the network."""
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._shake_hands(event)
            elif isinstance(event, Frame) and self._connection is not None:
                self._on_message(self._connection, event)
        self._send_pending()

    def _shake_hands(self, request: Request) -> None:
        path = request.path.partition("?")[0].rstrip("/")
        if path != WEBSOCKET_PATH:
            self._protocol.send_response(self._protocol.reject(404, f"Not here: use {WEBSOCKET_PATH}\n"))
            return
        self._protocol.send_response(self._protocol.accept(request))
        if self._protocol.state is OPEN:
            self._connection = self._open_connection(self)

    def _on_message(self, connection: Connection, frame: Frame) -> None:
        """Take a part of a message; where messages begin and end means nothing to AMQP."""
        if frame.opcode in (Opcode.BINARY, Opcode.CONT):
            connection.receive(bytes(frame.data))
        elif frame.opcode is Opcode.TEXT:
            _log.warning("a WebSocket sent text instead of AMQP: closed")
            self._protocol.fail(1003, "AMQP travels in binary messages")

    def write(self, data: bytes) -> None:
        """Send bytes as one message."""
        if self._protocol.state is OPEN:
            self._protocol.send_binary(data)
            self._send_pending()

    def close(self) -> None:
        """Close when all is sent."""
        if self._protocol.state is OPEN:
            self._protocol.send_close(1000)
            self._send_pending()
        self._transport.close()

    def abort(self) -> None:
        """Cut now."""
        self._transport.abort()

    def _send_pending(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._transport.write(data)
            else:
                self._transport.close()
