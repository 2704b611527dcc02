"""Insights to the documents of `windows`. Pure.

One commit takes the events of one partition from `first` to `last`. Its windows are grouped by cell (regions: by
day), window definition and tile, and each group becomes one document whose id names the commit. So a redelivery of
the same events writes the same document, any other grouping of them a further one with the same rows, and nothing
that was written is ever replaced by something older.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from heliograph.contracts import PlantWindow, RegionWindow
from heliograph.rows import epoch_s, moment_of, pack_plant, pack_region
from heliograph.storage import CURVE_S, HOUR_S, TILE_S, cell_of, day_of, floor_to

MAX_ROWS: Final = 2000
"""In one document, at some hundred bytes each; Cosmos refuses documents over 2 MB."""


@dataclass(frozen=True, slots=True)
class Commit:
    """The events of one partition of the hub that are written together."""

    partition: str
    first: int
    """Sequence number of its first event."""
    last: int
    at_ms: int
    """When the hub took the first of them, ms since the epoch: orders commits, and tells apart two hubs of one name."""

    @property
    def name(self) -> str:
        """The commit's name in ids."""
        return f"{self.partition}-{self.first}-{self.last}-{self.at_ms}"


class Span(NamedTuple):
    """What is rolled up at once: an hour of a cell, or five minutes of all regions."""

    pk: str
    of: str
    """`plants` or `regions`."""
    start_s: int

    @property
    def end_s(self) -> int:
        """Its end, exclusive."""
        return self.start_s + (HOUR_S if self.of == "plants" else CURVE_S)


@dataclass(slots=True)
class Journal:
    """The documents of one commit by partition key, and the spans that they touch."""

    documents: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    spans: dict[str, set[Span]] = field(default_factory=lambda: defaultdict(set))


class _Group(NamedTuple):
    pk: str
    of: str
    window: str
    tile_s: int


def journal(windows: Iterable[PlantWindow | RegionWindow], commit: Commit, cells: int) -> Journal:
    """The documents that hold the windows."""
    groups: dict[_Group, list[PlantWindow | RegionWindow]] = defaultdict(list)
    written = Journal()
    for window in windows:
        start_s = epoch_s(window.window_start)
        if isinstance(window, PlantWindow):
            pk, of, step_s = cell_of(window.plant_id, cells), "plants", HOUR_S
        else:
            pk, of, step_s = day_of(window.window_start), "regions", CURVE_S
        groups[_Group(pk, of, window.window, floor_to(start_s, TILE_S))].append(window)
        written.spans[pk].add(Span(pk, of, floor_to(start_s, step_s)))
    for group, members in groups.items():
        for part, start in enumerate(range(0, len(members), MAX_ROWS)):
            document = _document(group, members[start : start + MAX_ROWS], commit, part)
            written.documents[group.pk].append(document)
    return written


def _document(group: _Group, windows: list[PlantWindow | RegionWindow], commit: Commit, part: int) -> dict[str, Any]:
    starts = [epoch_s(window.window_start) for window in windows]
    first = min(starts)
    rows: dict[str, list[list[Any]]] = defaultdict(list)
    for window in windows:
        if isinstance(window, PlantWindow):
            rows[window.plant_id].append(pack_plant(window, first))
        else:
            rows[window.region].append(pack_region(window, first))
    document: dict[str, Any] = {
        "id": f"{group.of}:{group.window}:{moment_of(group.tile_s):%Y%m%dT%H%M}:{commit.name}:{part}",
        "pk": group.pk,
        "of": group.of,
        "window": group.window,
        "first": first,
        "at": commit.at_ms,
        "count": sum(window.revision == 0 for window in windows),
        "readings": sum(window.readings for window in windows if window.revision == 0),
        "rows": dict(rows),
    }
    return document if max(starts) == first else {**document, "until": max(starts)}
