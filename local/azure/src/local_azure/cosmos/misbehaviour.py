"""Faults on demand: where this server is able to misbehave, and how each fault looks to a client."""

import asyncio

from local_azure.cosmos.errors import CosmosError
from local_azure.faults import Fault, FaultKind, Faults, Site

_BEFORE = (
    FaultKind.DROP_CONNECTION,
    FaultKind.REFUSE_CLAIMS,
    FaultKind.THROTTLE,
    FaultKind.UNAVAILABLE,
    FaultKind.TIMEOUT,
    FaultKind.DISK_FULL,
)
_WRITES = frozenset({"create", "upsert", "replace", "patch", "delete", "batch"})


class ConnectionDropped(Exception):  # noqa: N818 - an outcome asked for, not an error of ours
    """The connection is to be cut without an answer."""


async def strike_before(faults: Faults, site: Site) -> None:
    """Play what strikes before the work: latency first, then at most one refusal.

    Raises CosmosError as the service would, or ConnectionDropped.
    """
    if (slow := faults.take(site, FaultKind.LATENCY)) is not None:
        await asyncio.sleep(slow.latency_s)
    kinds = [kind for kind in _BEFORE if kind is not FaultKind.DISK_FULL or site.operation in _WRITES]
    if (fault := faults.take(site, *kinds)) is not None:
        raise _refusal(fault)


def strike_after(faults: Faults, site: Site) -> None:
    """Play what strikes after the work: the answer is lost. Raises ConnectionDropped."""
    if faults.take(site, FaultKind.LOST_ACK):
        raise ConnectionDropped


def _refusal(fault: Fault) -> Exception:
    match fault.kind:
        case FaultKind.DROP_CONNECTION:
            return ConnectionDropped()
        case FaultKind.REFUSE_CLAIMS:
            return CosmosError(401, "The input authorization token can't serve the request (injected fault).")
        case FaultKind.THROTTLE:
            wait = {"x-ms-retry-after-ms": str(int(fault.retry_after_s * 1000))}
            return CosmosError(429, "Request rate is large (injected fault).", substatus=3200, headers=wait)
        case FaultKind.TIMEOUT:
            return CosmosError(408, "The request timed out (injected fault).")
        case FaultKind.DISK_FULL:
            return CosmosError(503, "The server's disk is full (injected fault).")
    return CosmosError(503, "The service is unavailable (injected fault).")
