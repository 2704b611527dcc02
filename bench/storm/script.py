"""Which faults strike when: a function of the seed alone, so that a failing run can be run again. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

CALM_S: Final = 25.0
"""Before the first fault and after the last."""
GAP_S: Final = (4.5, 10.0)
"""Between the beginnings of two faults: one often strikes while the last is still being mended."""


@dataclass(frozen=True, slots=True)
class Strike:
    """One fault. `kind` is `kill`, `stop`, `restart`, `steal`, `cut`, `clock`, or a kind of `local_azure.faults`."""

    kind: str
    target: str
    """A process of the stack; for `steal` a consumer group."""
    lasts_s: float = 0.0
    fault: Mapping[str, Any] = field(default_factory=dict)
    """Of the local Azure, beside its kind; of a clock `ahead_s`."""
    at_s: float = 0.0
    """From the beginning of the load."""

    @property
    def name(self) -> str:
        """For people."""
        where = ", ".join(str(self.fault[key]) for key in ("operation", "hub", "ahead_s") if key in self.fault)
        return f"{self.kind} {self.target}" + (f" ({where})" if where else "")


REPLICATED: Final = ("ingest", "analyzer", "sink", "thumbnailer")
PAIRS: Final = tuple(name for service in REPLICATED for name in (service, f"{service}-2"))
AZURE: Final = ("eventhubs", "cosmos", "azurite")
AHEAD_S: Final = (120, -120, 150, -150, 120, -120, 150, -150)
"""What the clocks of the pairs are set to: more than any lease and any silence that is waited for. The SDK waits for
events by the wall clock, so that a silent partition says nothing for as long as the clock is set back."""


def deck() -> Iterator[Strike]:
    """Every fault once. Pauses and cuts of services outlast their leases and the ownership of their partitions.

    Azurite is not killed with -9: it acknowledges first and saves every five seconds, so that a kill takes back what it
    had acknowledged (seen: a photo, and a partition's snapshot), which Azure's storage does not. It is stopped and
    restarted.
    """
    for name in (*PAIRS, "eventhubs", "cosmos", "dashboard"):
        yield Strike("kill", name)
    for name in (*REPLICATED, *AZURE):
        yield Strike("restart", name)
    for name in PAIRS:
        yield Strike("stop", name, 28.0)
        yield Strike("cut", name, 28.0)
    for name in (*AZURE, "dashboard"):
        yield Strike("stop", name, 8.0)
    for name, ahead_s in zip(PAIRS, AHEAD_S, strict=True):
        yield Strike("clock", name, 28.0, {"ahead_s": ahead_s})
    for group in ("analyzer", "sink"):
        yield Strike("steal", group, 5.0)
    yield from _broker_faults()
    yield from _cosmos_faults()


def _broker_faults() -> Iterator[Strike]:
    for hub in ("readings", "insights"):
        for kind in ("throttle", "unavailable", "timeout", "lost-ack", "disk-full", "drop-connection"):
            yield Strike(kind, "eventhubs", 6.0, {"operation": "send", "hub": hub, "count": 25})
        for kind in ("detach-link", "drop-connection"):
            yield Strike(kind, "eventhubs", 6.0, {"operation": "receive", "hub": hub, "count": 8})
    yield Strike("latency", "eventhubs", 10.0, {"operation": "send", "latency_s": 1.5})
    yield Strike("refuse-claims", "eventhubs", 8.0, {"operation": "cbs", "count": 4})


def _cosmos_faults() -> Iterator[Strike]:
    yield Strike("throttle", "cosmos", 8.0, {"retry_after_s": 0.5})
    for kind in ("unavailable", "timeout", "drop-connection"):
        yield Strike(kind, "cosmos", 5.0, {"count": 40})
    yield Strike("disk-full", "cosmos", 6.0)
    yield Strike("latency", "cosmos", 10.0, {"latency_s": 1.0})
    yield Strike("lost-ack", "cosmos", 8.0, {"operation": "batch", "count": 30})


def script(seed: int, load_s: float) -> list[Strike]:
    """The faults of a run, in order. The deck is shuffled anew each time that it is used up."""
    dice = random.Random(seed)
    strikes: list[Strike] = []
    cards: list[Strike] = []
    at_s = CALM_S
    while at_s < load_s - CALM_S:
        if not cards:
            cards = list(deck())
            dice.shuffle(cards)
        card = cards.pop()
        strikes.append(replace(card, at_s=at_s, lasts_s=card.lasts_s * dice.uniform(0.5, 1.3)))
        at_s += dice.uniform(*GAP_S)
    return strikes
