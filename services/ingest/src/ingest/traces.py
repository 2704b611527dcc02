"""Which trace a body belongs to while it waits in the outbox.

In memory and bounded: a trace helps an operator to look at what happens now, and is not worth a byte on the disk. What
a restart or an outage leaves without one begins a trace of its own when it is sent.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from ingest.packing import checksum

MOST = 4096


class Traces:
    """Carriers of traces by body."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[int, int], Mapping[str, str]] = OrderedDict()

    def keep(self, body: bytes, carrier: Mapping[str, str] | None) -> None:
        """Remembers the carrier of a body."""
        if carrier:
            self._known[len(body), checksum(body)] = carrier
            if len(self._known) > MOST:
                self._known.popitem(last=False)

    def take(self, body: bytes) -> Mapping[str, str] | None:
        """The carrier of a body, once."""
        return self._known.pop((len(body), checksum(body)), None) if self._known else None
