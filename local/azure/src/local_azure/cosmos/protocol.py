"""uvicorn's HTTP protocol, with one thing more: the application can cut the connection without a word."""

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_EXTENSION = "local_azure"
_TRANSPORT = "transport"


class CuttableProtocol(HttpToolsProtocol):
    """Puts the transport into each request's scope."""

    def on_message_begin(self) -> None:
        """A request starts."""
        super().on_message_begin()
        self.scope["extensions"] = {_EXTENSION: {_TRANSPORT: self.transport}}


class CutConnection(Response):
    """No response at all: the client sees the connection reset."""

    async def __call__(self, scope: Scope, _receive: Receive, _send: Send) -> None:
        """Abort the transport."""
        scope["extensions"][_EXTENSION][_TRANSPORT].abort()
