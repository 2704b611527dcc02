"""Calls to neighbours: a time-out, retries with jittered backoff, and a circuit breaker.

    ConnectionError
     └── CircuitOpenError   the neighbour failed so often that it is left alone for a while

Retried are time-outs, broken connections, answers cut off, 408, 429, Cosmos DB's 449 and 5xx; everything else is raised
at once. Of those who wait while a circuit is open, one tries the neighbour when its time is over.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import TypeVar

from azure.core.exceptions import AzureError, HttpResponseError, IncompleteReadError, ServiceResponseError
from azure.eventhub.exceptions import AuthenticationError, EventDataSendError, EventHubError
from prometheus_client import Counter, Gauge
from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.model import HALF_OPENED, OPENED
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, wait_random_exponential

T = TypeVar("T")
MAX_ASKED_S = 7 * 86_400.0
"""Nobody who means it asks for a longer wait."""

ANSWER_S = 10.0
"""Who asks a service over HTTP has its answer by then, also where a neighbour is down."""
RETRYABLE_STATUS = frozenset({408, 429, 449, 500, 502, 503, 504})

RETRIES = Counter("heliograph_retries_total", "Calls to a neighbour that were tried again", ["neighbour"])
BREAKER_OPEN = Gauge("heliograph_breaker_open", "1 while the circuit to a neighbour is open", ["neighbour"])


class CircuitOpenError(ConnectionError):
    """The neighbour failed so often that it is left alone for a while."""


REFUSED_FOR_GOOD = frozenset(
    {
        "link:message-size-exceeded",
        "decode-error",
        "invalid-field",
        "not-allowed",
        "not-implemented",
        "unauthorized-access",
    }
)
"""AMQP conditions of a refused send, as the SDK shortens them, that say that the event itself is wrong; all others
speak of the hub's state."""


def is_transient(error: BaseException) -> bool:
    """Whether trying again may help; of a group, whether it may help each."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(is_transient, error.exceptions))
    if isinstance(error, CircuitOpenError):
        return True
    if isinstance(error, HttpResponseError):
        return error.status_code in RETRYABLE_STATUS or _is_cut_off(error)
    if isinstance(error, AuthenticationError):
        return False
    if isinstance(error, EventDataSendError):
        return error.error not in REFUSED_FOR_GOOD
    return isinstance(error, AzureError | EventHubError | TimeoutError | ConnectionError)


def _is_cut_off(error: HttpResponseError) -> bool:
    """Whether the connection broke within the answer's body; the storage's SDK wraps that in an error without a
    status."""
    broken = (IncompleteReadError, ServiceResponseError)
    return isinstance(error, broken) or (error.status_code is None and isinstance(error.__cause__, broken))


def retry_after_s(error: BaseException | None) -> float | None:
    """The wait that the neighbour itself asked for, in seconds."""
    headers: Mapping[str, str] | None = getattr(getattr(error, "response", None), "headers", None)
    if not headers:
        return None
    for name, scale in (("x-ms-retry-after-ms", 1000.0), ("retry-after", 1.0)):
        with suppress(KeyError, ValueError):
            asked_s = _seconds_of(headers[name]) / scale
            if math.isfinite(asked_s):
                return min(max(asked_s, 0.0), MAX_ASKED_S)
    return None


def _seconds_of(text: str) -> float:
    """Of a number, or from now to a date as HTTP writes it. Raises `ValueError`."""
    try:
        return float(text)
    except ValueError:
        return parsedate_to_datetime(text).timestamp() - time.time()


class Guard:
    """Guards the calls to one neighbour.

    `attempts` None means for ever, for work that must not be lost and that nothing else waits for.
    """

    def __init__(
        self,
        neighbour: str,
        *,
        timeout_s: float = 30.0,
        attempts: int | None = 6,
        base_wait_s: float = 0.2,
        max_wait_s: float = 20.0,
        breaker_threshold: int = 5,
        breaker_ttl_s: float = 10.0,
        transient: Callable[[BaseException], bool] = is_transient,
    ) -> None:
        self.neighbour = neighbour
        self._last = ""
        """What the last call that failed raised."""
        self.timeout_s = timeout_s
        self._attempts = attempts
        self._backoff = wait_random_exponential(multiplier=base_wait_s, max=max_wait_s)
        self._max_wait_s = max_wait_s
        self._transient = transient
        self._breaker_ttl_s = breaker_ttl_s
        self._open_until_s = 0.0
        """Of the monotonic clock: the breaker's own would stay open for as long as the machine's clock is set back."""
        self._told = asyncio.Event()
        """Set when it is known what came of the one call that tries a neighbour again; the others wait for it."""
        self._breakers = AsyncCircuitBreakerFactory(
            default_threshold=breaker_threshold,
            default_ttl=-math.inf,
            # A cancelled call, too, says nothing about the neighbour.
            exclude=[(BaseException, lambda error: not transient(error))],
        )
        self._breakers.add_listener(self._on_breaker)
        BREAKER_OPEN.labels(neighbour).set(0)

    async def __call__(self, call: Callable[[], Awaitable[T]]) -> T:
        """The call's result. Raises what the last attempt raised."""
        retrying = AsyncRetrying(
            retry=retry_if_exception(self._transient),
            wait=self._wait,
            stop=stop_after_attempt(self._attempts) if self._attempts else _never,
            before_sleep=self._count,
            reraise=True,
        )
        return await retrying(self._attempt, call)

    async def _attempt(self, call: Callable[[], Awaitable[T]]) -> T:
        breaker = await self._breakers.get_breaker(self.neighbour)
        if breaker.context.state == HALF_OPENED:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), self._max_wait_s)
        state = breaker.context.state
        if state == HALF_OPENED or (state == OPENED and time.monotonic() < self._open_until_s):
            last = f"; the last was {self._last}" if self._last else ""
            raise CircuitOpenError(f"{self.neighbour} is left alone after repeated failures{last}")
        if state == OPENED:
            self._told.clear()
        try:
            async with breaker, asyncio.timeout(self.timeout_s):
                return await call()
        except Exception as error:
            self._last = f"{type(error).__name__}: {error}"
            raise
        finally:
            if state == OPENED:
                self._told.set()

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = retry_after_s(error)
        if asked is not None:
            return min(asked, self._max_wait_s)
        closed_s = self._open_until_s - time.monotonic()
        if isinstance(error, CircuitOpenError) and 0 < closed_s <= self._max_wait_s:
            return closed_s + random.uniform(0, closed_s / 10)  # noqa: S311 - so that not all come at once
        return self._backoff(state)

    def _count(self, _state: RetryCallState) -> None:
        RETRIES.labels(self.neighbour).inc()

    def _on_breaker(self, _circuit: str, event: str, payload: object) -> None:
        if event == "state_changed":
            is_open = getattr(payload, "state", "") == OPENED
            self._open_until_s = time.monotonic() + self._breaker_ttl_s if is_open else 0.0
            BREAKER_OPEN.labels(self.neighbour).set(is_open)


def hasty(neighbour: str) -> Guard:
    """A guard for calls that somebody waits for: two tries within `ANSWER_S`, and the short wait between them."""
    return Guard(neighbour, timeout_s=ANSWER_S / 2, attempts=2, max_wait_s=ANSWER_S / 20)


def _never(_state: RetryCallState) -> bool:
    return False
