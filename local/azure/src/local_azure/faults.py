"""Faults on demand: what a chaos test asks the local servers to do wrong, where, and how often.

A server calls `Faults.take` at each place where it is able to misbehave, naming the kinds that it can play
there. A fault that no such place has taken stays armed, so its count is always the number of times that a client
really felt it.
"""

import errno
import itertools
import math
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from json import JSONDecodeError
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


class FaultKind(StrEnum):
    """What goes wrong."""

    LATENCY = "latency"
    """The answer comes `latency_s` later."""
    DROP_CONNECTION = "drop-connection"
    """The connection is cut without a word."""
    DETACH_LINK = "detach-link"
    """The link is detached with a retriable error."""
    REFUSE_CLAIMS = "refuse-claims"
    """A valid token or signature is answered 401."""
    THROTTLE = "throttle"
    """429 with `retry_after_s`, or the broker's server-busy."""
    UNAVAILABLE = "unavailable"
    """503 Service Unavailable, or the broker's internal error."""
    TIMEOUT = "timeout"
    """408 Request Timeout, or the broker's operation-timeout."""
    LOST_ACK = "lost-ack"
    """The work is done and its answer is dropped."""
    DISK_FULL = "disk-full"
    """Writing fails as it does on a full disk."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where a server stands when it asks for faults: its name, the operation, and what that touches."""

    server: str
    """`eventhubs` or `cosmos`."""
    operation: str
    hub: str | None = None
    partition: str | None = None
    container: str | None = None


@dataclass(slots=True)
class Fault:
    """One rule: a kind, the sites that it matches (None matches any), and when it is used up.

    Without `count` and `duration_s` it stays until it is removed.
    """

    kind: FaultKind
    server: str | None = None
    operation: str | None = None
    hub: str | None = None
    partition: str | None = None
    container: str | None = None
    count: int | None = None
    """How many times it strikes."""
    duration_s: float | None = None
    """How long it is armed, from the moment it was added."""
    latency_s: float = 1.0
    retry_after_s: float = 1.0
    id: int = field(default=0, init=False)
    taken: int = field(default=0, init=False)
    """How many times it struck."""
    added_at_s: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        """Refuse bounds that could never strike or never end.

        Raises:
            ValueError: a negative or non-finite time, or a count under one.
        """
        for name in ("duration_s", "latency_s", "retry_after_s"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} is {value}, not a time in seconds of 0 or more")
        if self.count is not None and self.count < 1:
            raise ValueError(f"count is {self.count}, under 1")

    def matches(self, site: Site) -> bool:
        """Tell whether this fault is meant for `site`; names compare without regard to case."""
        pairs = (
            (self.server, site.server),
            (self.operation, site.operation),
            (self.hub, site.hub),
            (self.partition, site.partition),
            (self.container, site.container),
        )
        return all(
            wanted is None or (actual is not None and wanted.casefold() == actual.casefold())
            for wanted, actual in pairs
        )

    def spent(self, now_s: float) -> bool:
        """Tell whether its count or its time is over at `now_s` of the registry's clock."""
        if self.count is not None and self.taken >= self.count:
            return True
        return self.duration_s is not None and now_s - self.added_at_s >= self.duration_s


class Faults:
    """The armed faults of one process. Safe to ask from several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with none; `clock` gives seconds and is injected by tests."""
        self._clock = clock
        self._ids = itertools.count(1)
        self._armed: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> Fault:
        """Arm `fault` from now on, giving it its id."""
        with self._lock:
            fault.id = next(self._ids)
            fault.added_at_s = self._clock()
            self._armed.append(fault)
        return fault

    def take(self, site: Site, *kinds: FaultKind) -> Fault | None:
        """Return the oldest armed fault of one of `kinds` for `site`, counting it as struck, or None."""
        if not self._armed:
            return None
        with self._lock:
            self._forget_spent()
            for fault in self._armed:
                if fault.kind in kinds and fault.matches(site):
                    fault.taken += 1
                    return fault
        return None

    def raise_if_disk_full(self, site: Site) -> None:
        """Fail as a write to a full disk does, if such a fault is armed for `site`.

        Raises:
            OSError: ENOSPC.
        """
        if self.take(site, FaultKind.DISK_FULL):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def armed(self) -> list[Fault]:
        """Return the faults that may still strike, oldest first."""
        with self._lock:
            self._forget_spent()
            return list(self._armed)

    def remove(self, fault_id: int) -> bool:
        """Disarm one fault; False if there is none of that id."""
        with self._lock:
            kept = [fault for fault in self._armed if fault.id != fault_id]
            removed = len(kept) < len(self._armed)
            self._armed = kept
        return removed

    def clear(self) -> None:
        """Disarm all."""
        with self._lock:
            self._armed = []

    def _forget_spent(self) -> None:
        now_s = self._clock()
        self._armed = [fault for fault in self._armed if not fault.spent(now_s)]


_TEXT_FIELDS = {"server", "operation", "hub", "partition", "container"}
_NUMBER_FIELDS = {"duration_s", "latency_s", "retry_after_s"}


def parse_fault(body: object) -> Fault:
    """Read a fault from its JSON object.

    Raises:
        ValueError: an unknown field or kind, or a value of the wrong type; the message names it.
    """
    if not isinstance(body, Mapping):
        raise ValueError("a fault is a JSON object")  # noqa: TRY004 - one error type for one cause: a bad body
    given: dict[str, Any] = dict(body)
    kind = given.pop("kind", None)
    if kind not in list(FaultKind):
        raise ValueError(f"kind is {kind!r}, not one of {', '.join(FaultKind)}")
    for name, value in given.items():
        _check_field(name, value)
    return Fault(kind=FaultKind(kind), **given)


def _check_field(name: str, value: object) -> None:
    if name in _TEXT_FIELDS:
        valid = value is None or isinstance(value, str)
    elif name in _NUMBER_FIELDS:
        valid = isinstance(value, int | float) and not isinstance(value, bool)
    elif name == "count":
        valid = isinstance(value, int) and not isinstance(value, bool)
    else:
        raise ValueError(f"a fault has no field {name!r}")
    if not valid:
        raise ValueError(f"{name} cannot be {value!r}")


def admin_app(faults: Faults) -> Starlette:
    """Make the admin application: POST, GET and DELETE on `/faults`, DELETE on `/faults/{id}`."""

    async def add(request: Request) -> Response:
        try:
            fault = faults.add(parse_fault(await request.json()))
        except (JSONDecodeError, UnicodeDecodeError, ValueError) as problem:
            return JSONResponse({"error": str(problem)}, status_code=400)
        return JSONResponse(_shown(fault), status_code=201)

    async def show(_: Request) -> Response:
        return JSONResponse([_shown(fault) for fault in faults.armed()])

    async def clear(_: Request) -> Response:
        faults.clear()
        return Response(status_code=204)

    async def remove(request: Request) -> Response:
        removed = faults.remove(request.path_params["fault_id"])
        return Response(status_code=204 if removed else 404)

    return Starlette(
        routes=[
            Route("/faults", add, methods=["POST"]),
            Route("/faults", show, methods=["GET"]),
            Route("/faults", clear, methods=["DELETE"]),
            Route("/faults/{fault_id:int}", remove, methods=["DELETE"]),
        ]
    )


def _shown(fault: Fault) -> dict[str, Any]:
    return {item.name: getattr(fault, item.name) for item in fields(fault) if item.name != "added_at_s"}
