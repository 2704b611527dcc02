"""Fetches what a source asks for: over HTTP, from files, from blobs. Bounded in time and size whatever the other side
does: a server may stall, cut, lie about the length, or send without end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx

from heliograph.blobs import BlobFolder
from heliograph.resilience import RETRYABLE_STATUS, Guard, is_transient, retry_after_s
from ingest.sources.declaration import AnswerError, Request

MAX_BODY_BYTES = 16 * 1024 * 1024
TIMEOUT_S = 30.0
MAX_WAIT_S = 30.0
"""A provider that asks for a longer pause is left alone for it, by the schedule."""


class TooLargeError(AnswerError):
    """The body goes on past the limit."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A body, and the ETag that it came with, if any."""

    body: bytes
    etag: str = ""


def is_worth_retrying(error: BaseException) -> bool:
    """Whether asking again may help."""
    if isinstance(error, httpx.HTTPStatusError):
        soon = (retry_after_s(error) or 0) <= MAX_WAIT_S
        return soon and error.response.status_code in RETRYABLE_STATUS
    if isinstance(error, AnswerError):
        return error.transient
    return isinstance(error, httpx.TransportError) or is_transient(error)


def source_guard(name: str, *, base_wait_s: float = 0.5, breaker_ttl_s: float = 60.0) -> Guard:
    """Retries and circuit breaker of one source."""
    return Guard(
        f"source-{name}",
        timeout_s=TIMEOUT_S + 5,
        attempts=4,
        base_wait_s=base_wait_s,
        max_wait_s=MAX_WAIT_S,
        breaker_ttl_s=breaker_ttl_s,
        transient=is_worth_retrying,
    )


class Fetcher:
    """Reads URLs: `http`, `https`, `file:///path` and `blob://container/name`."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        folder_of: Callable[[str], BlobFolder],
        *,
        timeout_s: float = TIMEOUT_S,
        max_body_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        self._client = client
        self._folder_of = folder_of
        self._timeout_s = timeout_s
        self._max_body_bytes = max_body_bytes
        self._ways: dict[str, Callable[[Request], Coroutine[Any, Any, Fetched]]] = {
            "http": self._http,
            "https": self._http,
            "file": self._file,
            "blob": self._blob,
        }

    async def fetch(self, request: Request) -> Fetched:
        """The answer to one call. Raises `httpx.HTTPError`, `TimeoutError`, `OSError` or `AnswerError`."""
        scheme = urlsplit(request.url).scheme
        if scheme not in self._ways:
            raise AnswerError(f"{request.label}: known are {', '.join(self._ways)}")
        async with asyncio.timeout(self._timeout_s):
            return await self._ways[scheme](request)

    async def _http(self, request: Request) -> Fetched:
        async with self._client.stream("GET", request.url, headers=dict(request.headers)) as response:
            self._check_status(response, request)
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                self._check(len(body), request)
            return Fetched(bytes(body), response.headers.get("etag", ""))

    def _check_status(self, response: httpx.Response, request: Request) -> None:
        """The library's own text has the whole address in it, and so the key."""
        if not response.is_success:
            text = f"{request.label} answered {response.status_code}"
            raise httpx.HTTPStatusError(text, request=response.request, response=response)

    async def _file(self, request: Request) -> Fetched:
        path = Path(unquote(urlsplit(request.url).path))
        stat = await asyncio.to_thread(path.stat)
        self._check(stat.st_size, request)
        return Fetched(await asyncio.to_thread(path.read_bytes), f"{stat.st_mtime_ns}-{stat.st_size}")

    async def _blob(self, request: Request) -> Fetched:
        parts = urlsplit(request.url)
        stored = await self._folder_of(parts.netloc).get(unquote(parts.path.lstrip("/")))
        if stored is None:
            raise FileNotFoundError(f"{request.label} is not there")
        self._check(len(stored.data), request)
        return Fetched(stored.data, stored.etag)

    def _check(self, size: int, request: Request) -> None:
        if size > self._max_body_bytes:
            raise TooLargeError(f"{request.label} answers with more than {self._max_body_bytes} bytes", transient=True)
