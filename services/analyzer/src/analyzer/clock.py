"""Event time of one source within a partition.

                settled          published            latest
    ──────────────┼──────────────────┼───────────────────┼──▶ event time
      dead letter │ accepted late:   │ windows still     │
                  │ a correction     │ open              │

`published` is the watermark: windows that end at or before it are published. It follows the greatest stamp seen,
`out_of_order` behind. When a source falls silent for `idle`, its event time is taken to go on with the hub's clock, so
that the last windows are published and silence is noticed. `settled` follows stamps alone, so that what an outage held
up is late only if its own source says so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

NEVER = -(2**62)


@dataclass(frozen=True, slots=True)
class Clock:
    """All in microseconds. Hub times are those at which the hub took the events in, the same on every replay."""

    out_of_order_us: int
    lateness_us: int
    idle_us: int
    latest_us: int = NEVER
    """Greatest stamp seen, as far as the hub's own clock had come."""
    heard_us: int = NEVER
    """Hub time of the last event of this source."""
    published_us: int = NEVER
    quiet_us: int = NEVER
    """Up to where silence may be told, and power carried over it: as far as the stamps have come, or the hub's clock
    while nothing comes. Unlike `published` it goes back when a source that was held up speaks again, minutes behind:
    what it still has to say is no silence."""

    @property
    def settled_us(self) -> int:
        """Windows that end at or before this time will not change any more."""
        return self.latest_us - self.out_of_order_us - self.lateness_us

    def observe(self, greatest_us: int, hub_us: int) -> Clock:
        """After an event with that greatest stamp. A stamp ahead of the hub counts as the hub's time: one plant with
        a fast clock must not make all others late."""
        latest = max(self.latest_us, min(greatest_us, hub_us))
        published = max(self.published_us, latest - self.out_of_order_us)
        heard = max(self.heard_us, hub_us)
        quiet = latest - self.out_of_order_us
        return replace(self, latest_us=latest, heard_us=heard, published_us=published, quiet_us=quiet)

    def pass_time(self, hub_us: int) -> Clock:
        """After the hub's clock has come to `hub_us` without an event of this source."""
        silent_us = hub_us - self.heard_us - self.idle_us
        if self.latest_us == NEVER or silent_us <= 0:
            return self
        present_us = self.latest_us - self.out_of_order_us + silent_us
        return replace(self, published_us=max(self.published_us, present_us), quiet_us=present_us)

    def resumed(self, earlier: Clock) -> Clock:
        """This clock's settings with the time that an earlier one had come to."""
        known = ("latest_us", "heard_us", "published_us", "quiet_us")
        return replace(self, **{name: getattr(earlier, name) for name in known})
