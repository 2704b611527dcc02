"""All of one source within a partition: its plants, its clock, its readings, its windows and their judgement.

Closing runs window after window in event time. A late reading sends it back: the state before its window is still
there, all windows from it on are judged again, and what differs from what was published is published again. So the
end result does not depend on the order in which readings came.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

import msgspec
import numpy as np

from analyzer.carried import EMPTY_ROWS, Powers, without_short_intervals
from analyzer.clock import NEVER, Clock
from analyzer.columns import SECOND, Floats, Ints, Micros, Values, from_micros
from analyzer.documents import PlantLines, digests, region_windows
from analyzer.expectation import expect
from analyzer.folds import Table, emptied, fold
from analyzer.judgement import State, colours, judge
from analyzer.panes import PaneLog, Sorted
from analyzer.plants import Plants
from analyzer.published import Published
from analyzer.rules import Thresholds, silent_from_us
from analyzer.weather import Bulletin, bulletin
from analyzer.windows import Tumbling, Windower
from heliograph.contracts import Alert, PlantWindow, RegionWindow

Document = PlantWindow | RegionWindow | Alert
Part = PlantLines | RegionWindow | Alert
"""What a lane yields: plant windows many at once."""

SILENCE_RETRY_US = 300 * SECOND
"""A plant that is silent by night is looked at again this often, until it is day, ..."""
SILENCE_LOOKED_FOR_US = 3 * 86_400 * SECOND
"""... and for so long: of some it is never known whether it is day."""


class Closed(NamedTuple):
    """A judged window that may still be corrected: its end, the state before it, and the alerts it led to."""

    end_us: int
    before: State
    alerts: list[Alert]


class Upcoming(NamedTuple):
    """A window to be closed: its end, and whether it holds no more than what is carried into it, so that the rules
    have nothing to look at. Of two with one end the one that is judged comes first."""

    end_us: int
    only_carried: bool


@dataclass(frozen=True, slots=True)
class Definitions:
    """What all lanes share: the windows (the first is the one that rules look at) and the thresholds."""

    main: Tumbling
    others: tuple[Windower, ...]
    pane_us: int
    limits: Thresholds

    @property
    def keep_us(self) -> int:
        """How long before the settled time readings are still needed."""
        return (
            max(one.reach_us + (0 if one.grid_us else 2 * self.pane_us) for one in (self.main, *self.others))
            - self.pane_us
        )


@dataclass(slots=True)
class Lane:
    """See the module. `label` names the lane's partials of region windows."""

    definitions: Definitions
    clock: Clock
    label: str
    log: PaneLog
    leader: str
    """The source whose stamps move the clock; others supplement its plants."""
    plants: Plants = field(default_factory=Plants)
    sources: list[str] = field(default_factory=list)
    """Sources met in this lane, in the order in which they came."""
    state: State = field(default_factory=lambda: State.blank(0))
    closed_us: int = NEVER
    """End of the last window that was closed."""
    dirty_us: int | None = None
    """Start of the earliest pane that got a reading after it was published."""
    history: list[Closed] = field(default_factory=list)
    published: dict[tuple[str, int], Published] = field(default_factory=dict)
    """By definition and window start."""
    again: list[int] = field(default_factory=list)
    """Ends of the main windows after `closed_us` that were published, ascending: a late reading came before them."""
    bulletins: list[Bulletin] = field(default_factory=list)
    """Late weather that some window may still have to be judged by."""
    silence: tuple[State, Micros] | None = None
    """When the plants that are not said to be silent would be; of that state."""

    @property
    def late_before_us(self) -> int:
        """Readings before this time come after their window has settled."""
        return self.clock.settled_us // self.log.span_us * self.log.span_us

    def accept(self, rows: Ints, times: Micros, span: tuple[int, int], values: Values, source: str) -> None:
        """Takes in readings of known plants that are not late, at least one; `span` as in `Columns`."""
        if source not in self.sources:
            self.sources.append(source)
        values = without_short_intervals(values, self.definitions.main.size_us)
        earliest = self.log.append(rows, times, span, values, self.sources.index(source))
        if earliest < self.clock.published_us:
            self.dirty_us = earliest if self.dirty_us is None else min(earliest, self.dirty_us)

    def inform(self, rows: Ints, times: Micros, values: Values) -> None:
        """Takes in weather of known plants that is late, at least one reading: it is known from now on."""
        self.bulletins.append(bulletin(self.clock.published_us, rows, times, values, self.plants))

    def close(self, clock: Clock) -> Iterator[Part]:
        """Moves to a later clock, and yields what there is to publish."""
        before, self.clock = self.clock, clock
        if self._has_news(before):
            yield from self._close_main()
            for windower in self.definitions.others:
                yield from self._close_other(windower, before.published_us)
            self.dirty_us = None
        span = self.log.span_us
        if clock.settled_us // span > before.settled_us // span:
            self._settle()

    def is_due(self, clock: Clock) -> bool:
        """Whether moving to that clock would judge or publish anything; if not, it may as well be left for later."""
        before, self.clock = self.clock, clock
        try:
            if not self._has_news(before):
                return False
            return (
                self.dirty_us is not None
                or self._next_end() is not None
                or bool(self.definitions.others and len(self.log))
            )
        finally:
            self.clock = before

    def _has_news(self, before: Clock) -> bool:
        """Whether a bound was passed since: windows end on them, and corrections are gathered up to them."""
        after, span = self.clock, self.log.span_us
        if any(not one.grid_us for one in self.definitions.others) and after.published_us > before.published_us:
            return True
        if self.dirty_us is not None and after.latest_us // span > before.latest_us // span:
            return True
        passed = (after.published_us, before.published_us), (after.quiet_us, before.quiet_us)
        return any(now // span > then // span for now, then in passed)

    # --- the main window, with its rules -------------------------------------------------------------------------

    def _close_main(self) -> Iterator[Part]:
        said_before = self._go_back()
        said: list[Alert] = []
        while (upcoming := self._next_end()) is not None:
            yield from self._close_window(upcoming, said)
        yield from self._alerts(said_before, said)

    def _go_back(self) -> list[Alert]:
        """To the state before the earliest window with a late reading; what was said since then about alerts."""
        size = self.definitions.main.size_us
        if self.dirty_us is None:
            return []
        first_end = self.dirty_us // size * size + size
        undone = [closed for closed in self.history if closed.end_us >= first_end]
        if first_end <= self.closed_us:
            self.closed_us = first_end - 1
            self.again = self.published_after(self.closed_us)
        if undone:
            self.history = [closed for closed in self.history if closed.end_us < first_end]
            self.state = undone[0].before
        return [alert for closed in undone for alert in closed.alerts]

    def published_after(self, time_us: int) -> list[int]:
        """Ends of the main windows that were published and end after the time, ascending."""
        main = self.definitions.main
        ends = (start + main.size_us for name, start in self.published if name == main.name)
        return sorted(end for end in ends if end > time_us)

    def _next_end(self) -> Upcoming | None:
        """The next window to close, if the watermark has passed its end. Silence and what is carried follow no
        readings, so they wait for a source that catches up; what is carried up to a window with readings does not."""
        size, quiet = self.definitions.main.size_us, self.clock.quiet_us
        ends = {start // size * size + size for start in self.log.panes}
        with_data = min((end for end in ends if end > self.closed_us), default=None)
        silence, carried = self._next_silence(), self._next_carried()
        upcoming = [] if with_data is None else [Upcoming(with_data, only_carried=False)]
        if silence is not None and silence <= quiet:
            upcoming.append(Upcoming(silence, only_carried=False))
        if carried is not None and (carried <= quiet or (with_data is not None and carried < with_data)):
            upcoming.append(Upcoming(carried, only_carried=True))
        return min((one for one in upcoming if one.end_us <= self.clock.published_us), default=None)

    def _next_carried(self) -> int | None:
        """The end of the next window that power is carried into, or that was published when it was."""
        size = self.definitions.main.size_us
        while self.again and self.again[0] <= self.closed_us:
            self.again.pop(0)
        start = self.closed_us // size * size
        if self.state.carried.reaches(start):
            return start + size
        return self.again[0] if self.again else None

    def _next_silence(self) -> int | None:
        """The end of the next window in which a plant may have become silent."""
        size = self.definitions.main.size_us
        self.state = self.state.grown(len(self.plants))
        if self.silence is None or self.silence[0] is not self.state:
            life = self.state.standing.lives["silence"]
            waiting = ~life.is_open & ~self.plants.left
            self.silence = self.state, silent_from_us(self.state.memory, self.definitions.limits)[waiting]
        due = self.silence[1]
        due = due[due > self.closed_us - SILENCE_LOOKED_FOR_US]
        if not due.size or int(due.min()) > self.clock.published_us:
            return None
        first = -(-int(due.min()) // size) * size
        if first > self.closed_us:
            return first
        grid = -(-SILENCE_RETRY_US // size) * size
        later = due[due > self.closed_us]
        retry = (self.closed_us // grid + 1) * grid
        return min(retry, -(-int(later.min()) // size) * size) if later.size else retry

    def _close_window(self, upcoming: Upcoming, said: list[Alert]) -> Iterator[Part]:
        main, end_us = self.definitions.main, upcoming.end_us
        start_us, before, self.closed_us = end_us - main.size_us, self.state, end_us
        if upcoming.only_carried:
            yield from self._publish_regions(
                main, start_us, before.carried.into(start_us, EMPTY_ROWS, len(self.plants))
            )
            return
        readings = self.log.between(start_us, end_us)
        table = fold(readings, main.ranges(readings, start_us, end_us))
        judged = judge(before, table, start_us, end_us, self.plants, self.definitions.limits, self.bulletins)
        self.state = judged.state
        self.history.append(Closed(end_us, before, judged.alerts))
        said.extend(judged.alerts)
        yield from self._publish(main, start_us, table, judged.expected_kw, judged.colours)
        heard = Powers.heard(table, judged.expected_kw)
        carried = before.carried.into(start_us, table.rows[table.generation_kw.count > 0], len(self.plants))
        yield from self._publish_regions(main, start_us, heard.joined(carried))

    def _publish(
        self, windower: Windower, start_us: int, table: Table, expected_kw: Floats, states: Ints
    ) -> Iterator[Part]:
        """The plants' windows."""
        if not table.rows.size:
            return
        record = self.published.setdefault((windower.name, start_us), Published())
        changed, revisions = record.update(table.rows, digests(table, expected_kw, states), table.ends)
        if changed.all():
            yield PlantLines.of(table, expected_kw, states, revisions, self.plants, windower.name)
        elif changed.any():
            some = table.lines(changed)
            lines = (expected_kw[changed], states[changed], revisions[changed])
            yield PlantLines.of(some, *lines, self.plants, windower.name)

    def _publish_regions(self, windower: Windower, start_us: int, powers: Powers) -> Iterator[Part]:
        place = (windower.name, start_us)
        if not windower.grid_us or not (powers.rows.size or place in self.published):
            return
        record = self.published.setdefault(place, Published())
        end_us = start_us + windower.reach_us
        yield from region_windows(powers, start_us, end_us, self.plants, windower.name, self.label, record)

    def _alerts(self, said_before: list[Alert], said: list[Alert]) -> Iterator[Alert]:
        """What is new in the alerts, and what has to be taken back."""
        if not said_before:
            yield from said
            return
        old = {alert.alert_id: alert for alert in said_before}
        new = {alert.alert_id: alert for alert in said}
        yield from (alert for name, alert in new.items() if old.get(name) != alert)
        now = from_micros(self.closed_us)
        standing = {alert.alert_id: alert for held in (self.state.standing.alerts, self.state.standing.outbreaks)
                    for alert in held.values()}  # fmt: skip
        for name, alert in old.items():
            if name in new:
                continue
            if name not in standing:
                yield withdrawn(alert, now)
            elif alert.state == "resolved":
                after, reopened = self.state.standing.reopened(standing[name], now)
                self.state = replace(self.state, standing=after)
                yield reopened
            else:
                yield msgspec.structs.replace(standing[name], updated_at=now)

    # --- further windows: numbers only ---------------------------------------------------------------------------

    def _close_other(self, windower: Windower, before_us: int) -> Iterator[Part]:
        after = before_us if self.dirty_us is None else min(before_us, self.dirty_us)
        readings = self.log.between(after - windower.reach_us - self.log.span_us, self.clock.published_us)
        table = fold(readings, windower.ranges(readings, after, self.clock.published_us))
        if self.dirty_us is not None and not windower.grid_us:
            table = table.with_lines(self._vanished(windower, readings, table, after))
        for start in np.unique(table.starts).tolist():
            part = table.lines(table.starts == start)
            expected = expect(part, self.plants, start + int(part.ends[0] - start) // 2)
            states = colours(part, expected.elevation_deg, None)
            yield from self._publish(windower, start, part, expected.expected_kw, states)
            yield from self._publish_regions(windower, start, Powers.heard(part, expected.expected_kw))

    def _vanished(self, windower: Windower, readings: Sorted, table: Table, after_us: int) -> Table:
        """Published windows that late readings merged into others. They are published again with no readings."""
        here = set(zip(table.starts.tolist(), table.rows.tolist(), strict=True))
        gone = [(row, start, end) for (name, start), record in self.published.items() if name == windower.name
                for row, end in zip(record.keys.tolist(), record.ends.tolist(), strict=True)
                if end > after_us and (start, row) not in here]  # fmt: skip
        rows, starts, ends = np.array(sorted(gone), dtype=np.int64).reshape(-1, 3).T
        places = np.minimum(np.searchsorted(readings.rows, rows), max(readings.rows.size - 1, 0))
        return emptied(rows, starts, ends, readings.values["capacity_kw"][places])

    # --- forgetting ----------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        settled = self.clock.settled_us
        self.log.forget_before(settled - self.definitions.keep_us)
        self.history = [closed for closed in self.history if closed.end_us > settled]
        taken_us = min(settled, self.closed_us - self.definitions.main.size_us)
        self.bulletins = [one for one in self.bulletins if one.at_us > taken_us]
        longest = {one.name: one.reach_us for one in (self.definitions.main, *self.definitions.others)}
        gone = [key for key in self.published if key[1] + longest[key[0]] <= settled]
        for key in gone:
            del self.published[key]

    def forget(self, before_us: int) -> Iterator[Part]:
        """Drops the plants that have said nothing since, and resolves their alerts, since nobody will."""
        state = self.state.grown(len(self.plants))
        kept = state.memory.last_us >= before_us
        kept[self.log.rows()] = True
        kept[state.carried.rows[state.carried.until_us > self.clock.settled_us]] = True
        if kept.all():
            return
        gone = {plant_id for plant_id, stays in zip(self.plants.ids, kept.tolist(), strict=True) if not stays}
        yield from self._forgotten(alert for alert in state.standing.alerts.values() if alert.plant_id in gone)
        new_row = np.where(kept, np.cumsum(kept) - 1, -1)
        size = len(self.plants)
        self.history = [
            closed._replace(before=closed.before.grown(size).kept(kept, self.plants)) for closed in self.history
        ]
        self.state = state.kept(kept, self.plants)
        self.bulletins = [moved for one in self.bulletins if (moved := one.moved(new_row)).rows.size]
        self.log.move_rows(new_row)
        for record in self.published.values():
            record.moved(new_row)
        self.plants.keep(kept)

    def farewell(self) -> Iterator[Part]:
        """Resolves all alerts of a lane that nothing was heard of for too long."""
        standing = self.state.standing
        yield from self._forgotten((*standing.alerts.values(), *standing.outbreaks.values()))

    def _forgotten(self, alerts: Iterable[Alert]) -> Iterator[Alert]:
        for alert in alerts:
            now = max(from_micros(self.closed_us), alert.updated_at)
            evidence = alert.evidence | {"forgotten": "nothing was heard for too long"}
            yield msgspec.structs.replace(alert, state="resolved", updated_at=now, resolved_at=now, evidence=evidence)


def withdrawn(alert: Alert, now: datetime) -> Alert:
    """The alert taken back, because late readings show that there was no fault; not before it was last spoken of, even
    where the windows since then were never judged again."""
    now = max(now, alert.updated_at)
    evidence = alert.evidence | {"withdrawn": "late readings show that there was no such fault"}
    return msgspec.structs.replace(alert, state="resolved", updated_at=now, resolved_at=now, evidence=evidence)
