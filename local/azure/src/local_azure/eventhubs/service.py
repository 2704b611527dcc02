"""What all connections of a broker share."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from local_azure.eventhubs.config import BrokerConfig
from local_azure.eventhubs.errors import AmqpError, AmqpLinkError, Condition
from local_azure.eventhubs.hub import Namespace
from local_azure.faults import Fault, FaultKind, Faults, Site

SERVER = "eventhubs"
"""The broker's name in fault rules."""

FAILURES = (FaultKind.THROTTLE, FaultKind.UNAVAILABLE, FaultKind.TIMEOUT)
"""The faults that an operation answers with an error."""


@dataclass(frozen=True, slots=True)
class Service:
    """The hubs, the settings and the armed faults."""

    namespace: Namespace
    config: BrokerConfig
    faults: Faults
    now_s: Callable[[], float] = field(default=time.time)
    """Seconds since the epoch."""

    def take_fault(
        self, operation: str, *kinds: FaultKind, hub: str | None = None, partition: str | None = None
    ) -> Fault | None:
        """Ask for a fault of one of `kinds` at this place."""
        return self.faults.take(Site(SERVER, operation, hub, partition), *kinds)


def failure_of(fault: Fault) -> AmqpError:
    """Return the error that a fault of `FAILURES` or a detached link answers with."""
    match fault.kind:
        case FaultKind.THROTTLE:
            return AmqpLinkError(
                Condition.SERVER_BUSY,
                "The request was terminated because the entity is being throttled. Error code : 50002. Please wait "
                f"{fault.retry_after_s:g} seconds and try again.",
            )
        case FaultKind.TIMEOUT:
            return AmqpLinkError(
                Condition.OPERATION_TIMEOUT, "The operation did not complete within the allotted time."
            )
        case FaultKind.DETACH_LINK:
            return AmqpLinkError(Condition.DETACH_FORCED, "The link was detached by an operator.")
        case _:
            return AmqpLinkError(
                Condition.INTERNAL_ERROR, "The service was unable to process the request; please retry the operation."
            )
