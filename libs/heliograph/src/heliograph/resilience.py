"""Calls to neighbours: a time-out, retries with jittered backoff, and a circuit breaker.

    ConnectionError
     └── CircuitOpenError   the neighbour failed so often that it is left alone for a while

Retried are time-outs, broken connections, 408, 429 and 5xx; everything else is raised at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from azure.core.exceptions import AzureError, HttpResponseError
from azure.eventhub.exceptions import AuthenticationError, EventDataSendError, EventHubError
from prometheus_client import Counter, Gauge
from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.model import OpenedState
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, wait_random_exponential

T = TypeVar("T")

ANSWER_S = 10.0
"""Who asks a service over HTTP has its answer by then, also where a neighbour is down."""
RETRYABLE_STATUS = frozenset({408, 429, 500, 502, 503, 504})

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
        return error.status_code in RETRYABLE_STATUS
    if isinstance(error, AuthenticationError):
        return False
    if isinstance(error, EventDataSendError):
        return error.error not in REFUSED_FOR_GOOD
    return isinstance(error, AzureError | EventHubError | TimeoutError | ConnectionError)


def retry_after_s(error: BaseException | None) -> float | None:
    """The wait that the neighbour itself asked for, in seconds."""
    headers: Mapping[str, str] | None = getattr(getattr(error, "response", None), "headers", None)
    if not headers:
        return None
    for name, scale in (("x-ms-retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            return float(headers[name]) / scale
        except (KeyError, ValueError):
            continue
    return None


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
        self.timeout_s = timeout_s
        self._attempts = attempts
        self._backoff = wait_random_exponential(multiplier=base_wait_s, max=max_wait_s)
        self._max_wait_s = max_wait_s
        self._transient = transient
        self._breakers = AsyncCircuitBreakerFactory(
            default_threshold=breaker_threshold,
            default_ttl=breaker_ttl_s,
            exclude=[(Exception, lambda error: not transient(error))],
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
        try:
            async with breaker, asyncio.timeout(self.timeout_s):
                return await call()
        except OpenedState as error:
            raise CircuitOpenError(f"{self.neighbour} is left alone after repeated failures") from error

    def _wait(self, state: RetryCallState) -> float:
        asked = retry_after_s(state.outcome.exception()) if state.outcome else None
        return min(asked, self._max_wait_s) if asked is not None else self._backoff(state)

    def _count(self, _state: RetryCallState) -> None:
        RETRIES.labels(self.neighbour).inc()

    def _on_breaker(self, _circuit: str, event: str, payload: object) -> None:
        if event == "state_changed":
            BREAKER_OPEN.labels(self.neighbour).set(getattr(payload, "state", "") == "opened")


def hasty(neighbour: str) -> Guard:
    """A guard for calls that somebody waits for: two tries within `ANSWER_S`, and the short wait between them."""
    return Guard(neighbour, timeout_s=ANSWER_S / 2, attempts=2)


def _never(_state: RetryCallState) -> bool:
    return False
