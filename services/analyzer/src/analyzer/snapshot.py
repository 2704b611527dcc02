"""A partition's state as bytes and back.

The dataclasses of the core are written as they are; their arrays go to a table beside them, each once, since the
states of successive windows share most of theirs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np

from analyzer.clock import Clock
from analyzer.judgement import State
from analyzer.lane import Closed, Definitions, Lane
from analyzer.panes import Pane, PaneLog
from analyzer.partition import Partition, Timing
from analyzer.plants import Plants, Sites
from analyzer.published import Published
from analyzer.weather import Bulletin

VERSION = 6


class SnapshotError(RuntimeError):
    """A snapshot that this release can't read."""


@dataclass(slots=True)
class _Record:
    """A window's published lines with its key."""

    window: str
    start_us: int
    published: Published


@dataclass(slots=True)
class _LaneImage:
    clock: Clock
    label: str
    span_us: int
    leader: str
    panes: list[tuple[int, Pane]]
    plants: Plants
    sources: list[str]
    state: State
    closed_us: int
    dirty_us: int | None
    history: list[Closed]
    published: list[_Record]
    bulletins: list[Bulletin]


@dataclass(slots=True)
class _Image:
    windows: list[str]
    sequence: int
    hub_us: int
    spell: int
    home: dict[str, str]
    guests: set[str]
    lanes: dict[str, _LaneImage]
    tick_us: int | None = None


class _Arrays:
    """The table of arrays; equal objects are stored once."""

    def __init__(self) -> None:
        self.table: list[tuple[str, list[int], bytes]] = []
        self._place: dict[int, int] = {}

    def store(self, value: Any) -> int:  # noqa: ANN401 - msgspec's hook
        if not isinstance(value, np.ndarray):
            raise NotImplementedError(f"a snapshot can't hold {type(value).__name__}")
        if id(value) not in self._place:
            self._place[id(value)] = len(self.table)
            self.table.append((value.dtype.str, list(value.shape), np.ascontiguousarray(value).tobytes()))
        return self._place[id(value)]


@dataclass(frozen=True, slots=True)
class Restored:
    """A partition as it was, and the step that it was about to make: time passing in silence up to `tick_us`."""

    partition: Partition
    tick_us: int | None


def dump(partition: Partition, tick_us: int | None = None) -> bytes:
    """The snapshot of a partition, with the time up to which it is about to let time pass."""
    arrays = _Arrays()
    body = msgspec.msgpack.encode(replace(_image(partition), tick_us=tick_us), enc_hook=arrays.store)
    return msgspec.msgpack.encode((VERSION, body, arrays.table))


def load(data: bytes, name: str, definitions: Definitions, timing: Timing, sites: Sites) -> Partition:
    """The partition of a snapshot, as it was before the step that it was about to make. Raises as `restore`."""
    return restore(data, name, definitions, timing, sites).partition


def restore(data: bytes, name: str, definitions: Definitions, timing: Timing, sites: Sites) -> Restored:
    """What a snapshot holds. Raises `SnapshotError` for a version or content that it does not know.

    If the window definitions have changed since, the readings and what is known of the plants are kept, and what was
    published is forgotten.
    """
    try:
        version, body, table = msgspec.msgpack.decode(data, type=tuple[int, bytes, list[tuple[str, list[int], bytes]]])
        if version != VERSION:
            raise SnapshotError(f"snapshot of partition {name}: version {version}, known is {VERSION}")
        arrays = [np.frombuffer(raw, dtype=np.dtype(kind)).reshape(shape) for kind, shape, raw in table]
        image = msgspec.msgpack.decode(body, type=_Image, dec_hook=lambda _kind, place: arrays[place])
    except msgspec.MsgspecError as error:
        raise SnapshotError(f"snapshot of partition {name}: {error}") from error
    same = image.windows == _names(definitions)
    lanes = {source: _lane(lane, definitions, timing, same=same) for source, lane in image.lanes.items()}
    partition = Partition(
        name, definitions, timing, sites, lanes, image.home, image.guests, image.sequence, image.hub_us, image.spell
    )
    return Restored(partition, image.tick_us)


def _names(definitions: Definitions) -> list[str]:
    return [one.name for one in (definitions.main, *definitions.others)]


def _image(partition: Partition) -> _Image:
    lanes = {
        source: _LaneImage(
            clock=lane.clock,
            label=lane.label,
            span_us=lane.log.span_us,
            leader=lane.leader,
            panes=sorted(lane.log.panes.items()),
            plants=replace(lane.plants, familiar={}, clear_sky=None),
            sources=lane.sources,
            state=lane.state,
            closed_us=lane.closed_us,
            dirty_us=lane.dirty_us,
            history=lane.history,
            published=[_Record(window, start, one) for (window, start), one in lane.published.items()],
            bulletins=lane.bulletins,
        )
        for source, lane in partition.lanes.items()
    }
    return _Image(
        _names(partition.definitions), partition.sequence, partition.hub_us, partition.spell, partition.home,
        partition.guests, lanes,
    )  # fmt: skip


def _lane(image: _LaneImage, definitions: Definitions, timing: Timing, *, same: bool) -> Lane:
    plants = image.plants
    plants.geography = plants.geography.copy()  # a survey writes into it
    plants.surveyed = plants.surveyed.copy()
    log = PaneLog(image.span_us, dict(image.panes))
    clock = timing.clock().resumed(image.clock)
    lane = Lane(definitions, clock, image.label, log, image.leader, plants, image.sources, image.state, image.closed_us)
    lane.bulletins = image.bulletins
    if same:
        lane.dirty_us, lane.history = image.dirty_us, image.history
        lane.published = {(one.window, one.start_us): one.published for one in image.published}
        lane.again = lane.published_after(lane.closed_us)
    else:
        lane.log = log.recut(definitions.pane_us)
    return lane
