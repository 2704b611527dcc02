import asyncio
import time
from email.utils import formatdate
from types import SimpleNamespace

import pytest
from azure.core.exceptions import HttpResponseError, IncompleteReadError, ResourceNotFoundError, ServiceResponseError
from azure.eventhub._pyamqp.error import ErrorCondition, MessageException
from azure.eventhub.exceptions import EventDataSendError

from heliograph.resilience import (
    ANSWER_S,
    BREAKER_OPEN,
    RETRIES,
    CircuitOpenError,
    Guard,
    hasty,
    is_transient,
    retry_after_s,
)


def http_error(status: int, headers: dict[str, str] | None = None) -> HttpResponseError:
    error = HttpResponseError(f"status {status}")
    error.status_code = status
    error.response = SimpleNamespace(headers=headers or {})
    return error


class Neighbour:
    """Fails as told, then answers."""

    def __init__(self, *failures: BaseException) -> None:
        self.failures = list(failures)
        self.calls = 0

    async def __call__(self) -> str:
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        return "done"


def guard(name: str, **options: float) -> Guard:
    return Guard(name, base_wait_s=0.001, max_wait_s=0.01, **options)  # type: ignore[arg-type]


async def test_transient_failures_are_tried_again() -> None:
    """A time-out, a broken connection and a 503 are tried again until an answer comes."""
    neighbour = Neighbour(TimeoutError(), ConnectionResetError(), http_error(503))
    assert await guard("retry")(neighbour) == "done"
    assert neighbour.calls == 4


async def test_each_further_try_is_counted_by_neighbour() -> None:
    """The metric of retries counts the calls made again, not the first and not the failures that end it."""
    counts = RETRIES.labels("counted")._value
    assert await guard("counted")(Neighbour()) == "done"
    assert counts.get() == 0
    assert await guard("counted")(Neighbour(TimeoutError(), http_error(429))) == "done"
    assert counts.get() == 2
    with pytest.raises(ValueError, match="ours"):
        await guard("counted")(Neighbour(ValueError("ours")))
    with pytest.raises(TimeoutError):
        await guard("counted", attempts=2)(Neighbour(TimeoutError(), TimeoutError()))
    assert counts.get() == 3


async def test_our_own_mistake_is_raised_at_once() -> None:
    """A 404 or a ValueError is no matter of patience."""
    for error in (ResourceNotFoundError("gone"), ValueError("wrong"), http_error(400)):
        neighbour = Neighbour(error)
        with pytest.raises(type(error)):
            await guard("once")(neighbour)
        assert neighbour.calls == 1


async def test_the_last_failure_is_raised() -> None:
    """After the last attempt the caller sees what the neighbour said."""
    neighbour = Neighbour(*[http_error(429)] * 9)
    with pytest.raises(HttpResponseError, match="429"):
        await guard("last", attempts=3)(neighbour)
    assert neighbour.calls == 3


async def test_a_call_that_hangs_is_cut_off() -> None:
    """Each attempt ends at its time-out."""

    async def hang() -> None:
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await guard("hang", attempts=2, timeout_s=0.01)(hang)


async def test_the_breaker_opens_and_closes() -> None:
    """After repeated failures the neighbour is left alone; after a while one call tries it and closes the circuit."""
    neighbour = Neighbour(*[TimeoutError()] * 3)
    careful = guard("breaker", attempts=1, breaker_threshold=3, breaker_ttl_s=0.05)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            await careful(neighbour)
    with pytest.raises(CircuitOpenError):
        await careful(neighbour)
    assert neighbour.calls == 3
    assert BREAKER_OPEN.labels("breaker")._value.get() == 1
    await asyncio.sleep(0.06)
    assert await careful(neighbour) == "done"
    assert BREAKER_OPEN.labels("breaker")._value.get() == 0


async def test_who_waits_for_an_answer_waits_for_no_long_pause() -> None:
    """A call that somebody waits for is tried again soon, however long a pause the neighbour asks for."""
    async with asyncio.timeout(ANSWER_S / 2):
        assert await hasty("hasty")(Neighbour(http_error(503, {"retry-after": "20"}))) == "done"


async def opened(careful: Guard, failures: int) -> None:
    """Fails so often that the circuit is open."""
    for _ in range(failures):
        with pytest.raises(TimeoutError):
            await careful(Neighbour(TimeoutError()))


async def test_a_cancelled_call_says_nothing_about_the_neighbour() -> None:
    """Calls that their callers give up do not open the circuit to a neighbour that is well."""
    careful = guard("cancelled", attempts=1, breaker_threshold=2)
    for _ in range(5):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await careful(asyncio.Event().wait)
    assert await careful(Neighbour()) == "done"


async def test_one_call_tries_a_neighbour_that_was_left_alone() -> None:
    """Of many who wait for a neighbour to come back, one asks it, and the others hear that it is left alone."""
    careful = guard("half-open", attempts=1, breaker_threshold=2, breaker_ttl_s=0.02)
    await opened(careful, 2)
    await asyncio.sleep(0.03)
    asked = 0

    async def ask() -> None:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.01)
        raise TimeoutError

    said = await asyncio.gather(*(careful(ask) for _ in range(50)), return_exceptions=True)
    assert asked == 1
    assert sum(isinstance(one, CircuitOpenError) for one in said) == 49


async def test_a_clock_set_back_keeps_no_circuit_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """The neighbour is left alone for the time that was meant, whatever the machine's clock says."""
    careful = guard("clock", attempts=1, breaker_threshold=2, breaker_ttl_s=0.02)
    await opened(careful, 2)
    now_s = time.time
    monkeypatch.setattr(time, "time", lambda: now_s() - 3600)
    await asyncio.sleep(0.03)
    assert await careful(Neighbour()) == "done"


async def test_an_open_circuit_is_waited_for() -> None:
    """A blink of the neighbour, met by several calls at once, fails none of them: they wait until it may be asked."""
    careful = Guard("blink", base_wait_s=0.001, attempts=4, breaker_threshold=5, breaker_ttl_s=0.1)
    begun_s = time.monotonic()

    async def blink() -> str:
        if time.monotonic() < begun_s + 0.05:
            raise ConnectionResetError
        await asyncio.sleep(0.05)  # in which the others wait for what comes of the first
        return "done"

    assert await asyncio.gather(*(careful(blink) for _ in range(8))) == ["done"] * 8


async def test_mistakes_do_not_open_the_breaker() -> None:
    """Refusals that are our own fault say nothing about the neighbour's health."""
    careful = guard("mistakes", attempts=1, breaker_threshold=2)
    for _ in range(5):
        with pytest.raises(ValueError):
            await careful(Neighbour(ValueError("wrong")))
    assert await careful(Neighbour()) == "done"


@pytest.mark.parametrize(
    ("said", "asked_s"), [("inf", None), ("nan", None), ("1e300", 604_800), ("-1", 0), ("soon", None)]
)
def test_an_odd_retry_after_harms_nothing(said: str, asked_s: float | None) -> None:
    """No wait is endless, negative or longer than a week, whatever the neighbour says."""
    assert retry_after_s(http_error(503, {"retry-after": said})) == asked_s


def test_retry_after_may_be_a_date() -> None:
    """HTTP allows the time at which to come again; one that has passed asks for no wait."""
    for away_s in (3600, -3600):
        said = formatdate(time.time() + away_s, usegmt=True)
        assert retry_after_s(http_error(503, {"retry-after": said})) == pytest.approx(max(away_s, 0), abs=5)


def test_retry_after_is_read_in_both_forms() -> None:
    """Seconds, and Cosmos' milliseconds."""
    assert retry_after_s(http_error(429, {"retry-after": "3"})) == 3
    assert retry_after_s(http_error(429, {"x-ms-retry-after-ms": "250"})) == 0.25
    assert retry_after_s(http_error(429)) is None
    assert retry_after_s(ValueError()) is None


def test_what_counts_as_transient() -> None:
    """429, Cosmos DB's 449 ("retry with") and 5xx may pass; 403 will not. A group passes if all in it do."""
    assert is_transient(http_error(429))
    assert is_transient(http_error(449))
    assert is_transient(http_error(500))
    assert not is_transient(http_error(403))
    assert is_transient(ExceptionGroup("both", [http_error(503), TimeoutError()]))
    assert not is_transient(ExceptionGroup("one", [http_error(503), http_error(403)]))


@pytest.mark.parametrize("cause", [IncompleteReadError("3 of 10 bytes"), ServiceResponseError("reset")])
def test_an_answer_that_was_cut_off_is_asked_for_again(cause: Exception) -> None:
    """A connection that breaks in the middle of a blob may hold the next time, also as the SDK wraps it."""
    wrapped = HttpResponseError("cut off")
    wrapped.__cause__ = cause
    assert is_transient(cause)
    assert is_transient(wrapped)
    assert not is_transient(ResourceNotFoundError("gone"))


@pytest.mark.parametrize(
    ("condition", "passes"),
    [
        (ErrorCondition.InternalError, True),
        (ErrorCondition.ResourceLimitExceeded, True),
        (ErrorCondition.LinkMessageSizeExceeded, False),
        (b"com.microsoft:timeout", True),
        (b"com.microsoft:server-busy", True),
    ],
)
def test_a_refused_send_is_tried_again_unless_the_event_is_to_blame(condition: bytes, passes: bool) -> None:
    """A hub whose disk is full, or that is too busy, refuses a send for now; an event over the limit for ever."""
    error = EventDataSendError("refused", MessageException(condition, description=b"refused"))
    assert is_transient(error) is passes
