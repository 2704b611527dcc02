"""One partition of the hub: events in, documents and refused readings out. Pure; a function of its steps alone.

Each event is one step, whatever batches the hub delivers them in, and hub time comes from the events; time that passes
in silence is a step of its own. So a partition whose steps are repeated after a crash says the same again, byte for
byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from analyzer.clock import NEVER, Clock
from analyzer.columns import (
    ColumnDecoder,
    Columns,
    Ints,
    Mask,
    Refused,
    Values,
    choose,
    from_micros,
    originals,
    span_of,
)
from analyzer.documents import PlantLines
from analyzer.lane import Definitions, Document, Lane, Part
from analyzer.panes import PaneLog
from analyzer.plants import Sites, nowhere
from analyzer.weather import HOLDS_US
from heliograph.wire import MalformedError

MAX_LABEL = 64
"""Length of a name in the contract."""
LEADER_LOST_US = 3600 * 1_000_000
"""A lane whose source was not heard for so long follows another that tells its plants' power."""


@dataclass(frozen=True, slots=True)
class Timing:
    """The settings of event time, in microseconds."""

    out_of_order_us: int
    lateness_us: int
    idle_us: int
    max_future_us: int
    forget_us: int

    def clock(self) -> Clock:
        """A clock at the beginning."""
        return Clock(self.out_of_order_us, self.lateness_us, self.idle_us)


@dataclass(slots=True)
class Output:
    """What a step led to."""

    parts: list[Part] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    readings: int = 0

    @property
    def documents(self) -> list[Document]:
        """The messages to publish, in their order."""
        messages: list[Document] = []
        for part in self.parts:
            if isinstance(part, PlantLines):
                messages.extend(part.messages())
            else:
                messages.append(part)
        return messages


@dataclass(slots=True)
class Partition:
    """The lanes of a partition by their source."""

    name: str
    definitions: Definitions
    timing: Timing
    sites: Sites = nowhere
    lanes: dict[str, Lane] = field(default_factory=dict)
    home: dict[str, str] = field(default_factory=dict)
    """Plant → the source in whose lane it lives: the first that told its power, and before that the first of all."""
    guests: set[str] = field(default_factory=set)
    """Plants of whose power nothing was heard yet."""
    sequence: int = -1
    """Sequence number of the last event that went in."""
    hub_us: int = NEVER
    """Latest hub time seen."""
    spell: int = 0
    """Eighth of the time to forget that the hub's clock was in when plants were last forgotten."""
    decoder: ColumnDecoder = field(default_factory=ColumnDecoder)

    def take(self, sequence: int, enqueued_us: int, body: bytes) -> Output:
        """One event. Those at or under `sequence` were taken before and lead to nothing."""
        if sequence <= self.sequence:
            return Output()
        output = self._begin(sequence, enqueued_us)
        try:
            columns, output.refused = self.decoder.decode(body)
        except MalformedError as error:
            output.refused = [Refused(0, "malformed", str(error), body)]
            return output
        self._take_columns(columns, body, output)
        self._forget(output)
        return output

    def refuse(self, sequence: int, enqueued_us: int, refused: Refused) -> Output:
        """One event whose body can't even be opened."""
        if sequence <= self.sequence:
            return Output()
        output = self._begin(sequence, enqueued_us)
        output.refused.append(refused)
        return output

    @property
    def published_us(self) -> int:
        """Event time up to which every source has its windows published; 0 before the first reading."""
        return max(0, min((lane.clock.published_us for lane in self.lanes.values()), default=0))

    @property
    def held_readings(self) -> int:
        """Readings in the log, those not yet found to be duplicates included."""
        return sum(len(lane.log) for lane in self.lanes.values())

    @property
    def duplicates(self) -> int:
        """Readings that had come before and were dropped."""
        return sum(lane.log.duplicates for lane in self.lanes.values())

    def is_due(self, hub_us: int) -> bool:
        """Whether anything would come of `pass_time`."""
        return hub_us > self.hub_us and any(lane.is_due(lane.clock.pass_time(hub_us)) for lane in self.lanes.values())

    def pass_time(self, hub_us: int) -> Output:
        """The hub's clock went on without an event; silent sources get their last windows published. This alone does
        not follow from the log: see `worker`."""
        output = Output()
        if hub_us > self.hub_us:
            self._pass_time(output, hub_us)
        return output

    def survey(self, sites: Sites) -> None:
        """Takes over a changed site registry."""
        self.sites = sites
        for lane in self.lanes.values():
            lane.plants.survey(sites)

    def _begin(self, sequence: int, enqueued_us: int) -> Output:
        output = Output()
        self.sequence = sequence
        self.hub_us = max(self.hub_us, enqueued_us)
        self._pass_time(output, self.hub_us)
        return output

    def _forget(self, output: Output) -> None:
        """Now and then, by the hub's clock: plants that stopped sending, so that the state stays bounded."""
        spell = self.hub_us // max(self.timing.forget_us // 8, 1)
        if spell == self.spell:
            return
        self.spell = spell
        for source, lane in list(self.lanes.items()):
            known = set(lane.plants.row_of)
            if lane.clock.heard_us < self.hub_us - self.timing.forget_us:
                output.parts.extend(lane.farewell())
                del self.lanes[source]
                gone = known
            else:
                output.parts.extend(lane.forget(lane.clock.latest_us - self.timing.forget_us))
                gone = known.difference(lane.plants.row_of)
            for plant_id in gone:
                del self.home[plant_id]
            self.guests -= gone

    def _pass_time(self, output: Output, hub_us: int) -> None:
        for lane in self.lanes.values():
            clock = lane.clock.pass_time(hub_us)
            if clock is not lane.clock:
                output.parts.extend(lane.close(clock))

    def _take_columns(self, columns: Columns, body: bytes, output: Output) -> None:
        bound = self.hub_us + self.timing.max_future_us
        good = None
        if columns.span[1] > bound:
            good = columns.times <= bound
            self._refuse(columns, np.flatnonzero(~good), body, output, "future")
        for source, chosen in _by_source(columns, good):
            self._take_source(source, columns, chosen, body, output)

    def _take_source(self, source: str, columns: Columns, chosen: Ints | None, body: bytes, output: Output) -> None:
        """Readings of one source, all of the event or the chosen: most belong to its lane, some supplement plants that
        live in another."""
        names = columns.plant_ids if chosen is None else [columns.plant_ids[place] for place in chosen.tolist()]
        if self.guests and not self.guests.isdisjoint(names):  # the latter looks each name up
            self._settle_guests(source, columns, names, chosen)
        own = self.lanes.get(source)
        try:
            rows = own.plants.rows(names) if own else None
        except KeyError:
            rows = None
        if own is None or rows is None:
            self._take_strangers(source, columns, chosen, body, output)
        else:
            self._feed(own, source, rows, columns, chosen, body, output)

    def _settle_guests(self, source: str, columns: Columns, names: list[str], chosen: Ints | None) -> None:
        """Plants of which only weather was heard live with the source that now tells their power: its clock is theirs,
        and weather may be minutes behind."""
        told = _tell_power(columns.values, chosen).tolist()
        for plant_id in self.guests.intersection(name for name, tells in zip(names, told, strict=True) if tells):
            self.guests.remove(plant_id)
            if self.home[plant_id] != source:
                self.lanes[self.home[plant_id]].plants.leave(plant_id)
                self.home[plant_id] = source

    def _take_strangers(self, source: str, columns: Columns, chosen: Ints | None, body: bytes, output: Output) -> None:
        """As `_take_source`, where some plants are new or live in another lane."""
        homes: dict[str, list[int]] = {}
        told = _tell_power(columns.values, None)
        for place in range(len(columns.plant_ids)) if chosen is None else chosen.tolist():
            plant_id = columns.plant_ids[place]
            if plant_id not in self.home:
                self.home[plant_id] = source
                if not told[place]:
                    self.guests.add(plant_id)
            homes.setdefault(self.home[plant_id], []).append(place)
        for home, places in homes.items():
            lane = self.lanes.get(home)
            if lane is None:
                lane = self.lanes[home] = self._new_lane(home)
            names = [columns.plant_ids[place] for place in places]
            new = {name: columns.readings[place].region for name, place in zip(names, places, strict=True)
                   if name not in lane.plants.row_of}  # fmt: skip
            if new:
                lane.plants.add(list(new.items()), self.sites)
            rows = lane.plants.rows(names)
            self._feed(lane, source, rows, columns, np.array(places), body, output)

    def _feed(
        self, lane: Lane, source: str, rows: Ints, columns: Columns, chosen: Ints | None, body: bytes, output: Output
    ) -> None:
        times, span, values = columns.times, columns.span, columns.values
        if chosen is not None:
            times, values = times[chosen], choose(values, chosen)
            span = span_of(times)
        if span[0] < lane.late_before_us:
            late = times < lane.late_before_us
            informs = np.zeros_like(late)
            if source != lane.leader:
                informs = late & (times >= lane.late_before_us - HOLDS_US) & _are_of_weather(values)
            if informs.any():
                news = np.flatnonzero(informs)
                lane.inform(rows[news], times[news], choose(values, news))
                output.readings += len(news)
            lost = np.flatnonzero(late & ~informs)
            self._refuse(columns, lost if chosen is None else chosen[lost], body, output, "late")
            timely = np.flatnonzero(~late)
            rows, times, values = rows[timely], times[timely], choose(values, timely)
            span = span_of(times)
        if not times.size:
            return
        lane.accept(rows, times, span, values, source)
        output.readings += times.size
        leaderless = self.hub_us - lane.clock.heard_us > LEADER_LOST_US
        if leaderless and source != lane.leader and _tell_power(values, None).any():
            lane.leader = source
        if source == lane.leader:
            output.parts.extend(lane.close(lane.clock.observe(span[1], self.hub_us)))

    def _new_lane(self, source: str) -> Lane:
        label = f"{self.name}:{source}"[:MAX_LABEL]
        return Lane(self.definitions, self.timing.clock(), label, PaneLog(self.definitions.pane_us), source)

    def _refuse(self, columns: Columns, places: Ints, body: bytes, output: Output, reason: str) -> None:
        if not places.size:
            return
        as_sent, bound = originals(body), self.hub_us + self.timing.max_future_us
        for place in places.tolist():
            reading = columns.readings[place]
            stamp = f"plant {reading.plant_id}: observed_at {reading.observed_at}"
            detail = (
                f"{stamp} is after {from_micros(bound).isoformat()}, too far past the hub's time"
                if reason == "future"
                else f"{stamp} lies in a window that has settled"
            )
            where = columns.place(place)
            output.refused.append(Refused(where, reason, detail, as_sent[where]))


def _tell_power(values: Values, chosen: Ints | None) -> Mask:
    """Which readings, of all or the chosen ones, tell the plant's power."""
    power = values.get("generation_kw")
    told = np.zeros(values["capacity_kw"].size, dtype=np.bool_) if power is None else ~np.isnan(power)
    return told if chosen is None else told[chosen]


def _are_of_weather(values: Values) -> Mask:
    """Which readings tell of the weather, and not of power."""
    power = _tell_power(values, None)
    told = [~np.isnan(values[name]) for name in ("ghi_w_m2", "ambient_c", "wind_m_s") if name in values]
    result: Mask = np.logical_or.reduce([np.zeros_like(power), *told]) & ~power
    return result


def _by_source(columns: Columns, good: Mask | None) -> Sequence[tuple[str, Ints | None]]:
    """The places of each source's good readings; None for all of the event."""
    if columns.source:
        return [(columns.source, None if good is None else np.flatnonzero(good))]
    names = np.array([one.source for one in columns.readings])
    mine = {str(name): names == name for name in dict.fromkeys(names.tolist())}
    return [(name, np.flatnonzero(mask if good is None else mask & good)) for name, mask in mine.items()]
