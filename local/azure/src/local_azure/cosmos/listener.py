"""One port that speaks HTTP and HTTPS: the first byte of a connection tells which."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable

_log = logging.getLogger(__name__)

_TLS_HANDSHAKE = b"\x16"
_FIRST_BYTE_WITHIN_S = 30.0
_ACCEPT_AGAIN_S = 0.5


class Listener:
    """Accepts connections and gives each, with or without TLS, to a protocol of `factory`."""

    def __init__(self, bound: socket.socket, factory: Callable[[], asyncio.Protocol], tls: ssl.SSLContext) -> None:
        self._socket = bound
        self._factory = factory
        self._tls = tls
        self._greeting: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Accept until cancelled; connections that were handed over live on."""
        self._socket.setblocking(False)
        loop = asyncio.get_running_loop()
        try:
            while True:
                try:
                    connection, _ = await loop.sock_accept(self._socket)
                except OSError as error:
                    # No descriptor is left, as a rule. Those who are connected are served on, and some will leave.
                    _log.warning("no connection can be accepted: %s", error)
                    await asyncio.sleep(_ACCEPT_AGAIN_S)
                    continue
                task = asyncio.create_task(self._greet(connection))
                self._greeting.add(task)
                task.add_done_callback(self._greeting.discard)
        finally:
            self._socket.close()
            for task in self._greeting:
                task.cancel()

    async def _greet(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        handed_over = False
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(_FIRST_BYTE_WITHIN_S):
                first = await _peek(connection)
            if not first:
                return
            tls = self._tls if first == _TLS_HANDSHAKE else None
            handed_over = True
            await asyncio.get_running_loop().connect_accepted_socket(self._factory, connection, ssl=tls)
        except (OSError, TimeoutError):
            # A client that went away, said nothing or does not trust the certificate: nobody is left to be told.
            return
        finally:
            if not handed_over:
                connection.close()


async def _peek(connection: socket.socket) -> bytes:
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(connection, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(connection)
    return connection.recv(1, socket.MSG_PEEK)
