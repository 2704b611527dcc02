"""What a source says about itself, so that the scheduler and the poller can keep to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from heliograph.sites import Site
from ingest.observations import Parsed


@dataclass(frozen=True, slots=True)
class Quota:
    """So many calls in so many seconds; days begin at midnight of the zone."""

    calls: int
    per_s: float
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Revision:
    """The provider corrects this much of the past: ask again for it this often."""

    window_s: float
    every_s: float


@dataclass(frozen=True, slots=True)
class Declaration:
    """The habits of a provider."""

    name: str
    schedule: str
    """When to ask, unless a setting says otherwise."""
    interval_s: float
    """Length of the intervals that its values stand for; 0 when they are instantaneous."""
    label: Literal["start", "end", "instant"]
    """Which end of the interval its timestamps mark."""
    timezone: str
    """Of its timestamps."""
    lag_s: float = 0.0
    """How long after its end an interval is published."""
    quotas: Sequence[Quota] = ()
    revisions: Sequence[Revision] = ()
    first_window_s: float = 3600.0
    """How far back the first request reaches."""
    window_s: float = 86_400.0
    """The longest span that one run asks for; what lies further back follows in the next."""
    parallel: int = 1
    """Calls at once that the provider bears."""
    jitter_s: float = 10.0
    """Runs begin up to this much later, spread evenly."""

    def __post_init__(self) -> None:
        """Raises `ValueError`: a revision is asked for in one run."""
        for revision in self.revisions:
            if revision.window_s > self.window_s:
                raise ValueError(f"{self.name}: a revision of {revision.window_s:g} s is over {self.window_s:g} s")


@dataclass(frozen=True, slots=True)
class Request:
    """One call. `url` is complete, with its query as the provider wants it encoded."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    context: Mapping[str, str] = field(default_factory=dict)
    """What `parse` must know of the request."""
    cost: int = 1
    """Calls that the provider counts it as."""
    not_before: datetime | None = None
    """When the provider has what is asked for; until then the call is left out."""

    @property
    def label(self) -> str:
        """Without the query, which may hold a key."""
        return self.url.partition("?")[0]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a response held, and what must be asked for next, e.g. the next page."""

    parsed: Parsed
    more: Sequence[Request] = ()


class AnswerError(ValueError):
    """The provider answered something else than data: an error page, XML for JSON, another shape.

    `transient` says whether asking again may help, `quota` that the provider's own quota is used up.
    """

    def __init__(self, message: str, *, transient: bool = False, quota: bool = False) -> None:
        super().__init__(message)
        self.transient = transient
        self.quota = quota


class Source(Protocol):
    """A provider that is asked over the network."""

    declaration: Declaration

    def sites(self) -> Sequence[Site]:
        """Plants that the source itself brings, e.g. the series of a region; usually none."""

    def request(self, since: datetime, now: datetime) -> Sequence[Request]:
        """The calls that bring what is known of the time after `since`, up to `now`. Pure.

        To catch up, a span of the past is asked for: then `now` is its end.
        """

    def parse(self, body: bytes, request: Request) -> Answer:
        """The observations of an answer. Pure. Raises `AnswerError`."""
