"""Where a consumer starts to read: the selector of its filter, understood."""

import re
from enum import StrEnum
from typing import NamedTuple

from local_azure.eventhubs.errors import AmqpLinkError, Condition


class Measure(StrEnum):
    """What a starting position is counted in."""

    OFFSET = "offset"
    SEQUENCE_NUMBER = "sequence-number"
    ENQUEUED_TIME = "enqueued-time"
    """Milliseconds since the epoch."""
    END = "end"
    """After the last event, or at it when inclusive."""


class StartPosition(NamedTuple):
    """Events after `value`, and the one at it when inclusive."""

    measure: Measure
    value: int = 0
    inclusive: bool = False


BEGINNING = StartPosition(Measure.OFFSET, -1)

_SELECTOR = re.compile(
    r"""\s*amqp\.annotation\.x-opt-(?P<name>[a-z-]+)\s*(?P<operator>>=?)\s*(?P<quote>['"]?)(?P<value>[^'"]*)(?P=quote)\s*"""
)
_MEASURES = {
    "offset": Measure.OFFSET,
    "sequence-number": Measure.SEQUENCE_NUMBER,
    "enqueued-time": Measure.ENQUEUED_TIME,
    "enqueuedtimeutc": Measure.ENQUEUED_TIME,
}


def parse_selector(selector: str) -> StartPosition:
    """Read a filter such as `amqp.annotation.x-opt-offset > '-1'`.

    Raises:
        AmqpLinkError: it is no such filter.
    """
    match = _SELECTOR.fullmatch(selector)
    measure = _MEASURES.get(match["name"]) if match else None
    if match is None or measure is None:
        raise _invalid(selector)
    inclusive = match["operator"] == ">="
    if measure is Measure.OFFSET and match["value"] == "@latest":
        return StartPosition(Measure.END, inclusive=inclusive)
    try:
        return StartPosition(measure, int(match["value"]), inclusive)
    except ValueError:
        raise _invalid(selector) from None


def _invalid(selector: str) -> AmqpLinkError:
    return AmqpLinkError(
        Condition.ARGUMENT_ERROR, f"The supplied filter '{selector}' is not a valid starting position."
    )
