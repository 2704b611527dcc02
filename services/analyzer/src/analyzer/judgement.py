"""One window of a lane, judged: the state before it and its table give the state after it, with alerts and colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analyzer.alerts import Standing
from analyzer.carried import Carried
from analyzer.columns import Floats, Ints, Mask, put
from analyzer.documents import FAULTY, NIGHT, NO_DATA, OK, WARNING
from analyzer.evidence import Evidence, Known
from analyzer.expectation import Expectation, clear_sky, expect
from analyzer.folds import Table
from analyzer.habits import Habits
from analyzer.memory import Memory
from analyzer.observed import Observed
from analyzer.plants import Plants
from analyzer.rules import Thresholds, View, findings, is_trusted
from analyzer.weather import Bulletin, Weather
from heliograph.contracts import Alert


@dataclass(frozen=True, slots=True)
class State:
    """What a lane carries from window to window; never changed in place."""

    memory: Memory
    habits: Habits
    evidence: Evidence
    standing: Standing
    carried: Carried
    weather: Weather

    @classmethod
    def blank(cls, rows: int) -> State:
        """At the beginning."""
        return cls(
            Memory.blank(rows), Habits.blank(rows), Evidence.blank(rows), Standing.blank(rows), Carried(),
            Weather.blank(rows),
        )  # fmt: skip

    def grown(self, rows: int) -> State:
        """With blank lines for plants that came later."""
        if self.memory.rows >= rows:
            return self
        return State(
            self.memory.grown(rows),
            self.habits.grown(rows),
            self.evidence.grown(rows),
            self.standing.grown(rows),
            self.carried,
            self.weather.grown(rows),
        )

    def kept(self, mask: Mask, plants: Plants) -> State:
        """Of the plants in the mask only."""
        here = mask[: self.memory.rows]
        return State(
            self.memory.kept(here),
            self.habits.kept(here),
            self.evidence.kept(here),
            self.standing.kept(here, plants),
            self.carried.kept(mask),
            self.weather.kept(here),
        )


@dataclass(frozen=True, slots=True)
class Judged:
    """What follows from a window: (k,) for its table's lines, and the next state."""

    state: State
    expected_kw: Floats
    colours: Ints
    """Index into `documents.STATES`."""
    alerts: list[Alert]


def judge(
    state: State, table: Table, start_us: int, end_us: int, plants: Plants, limits: Thresholds,
    bulletins: Sequence[Bulletin] = (),
) -> Judged:  # fmt: skip
    """The judgement of `[start, end)`; the table may be empty, when only silence is to be noticed."""
    state = state.grown(len(plants))
    middle_us = (start_us + end_us) // 2
    sky, weather = clear_sky(plants, middle_us).sky, state.weather.told(bulletins, start_us)
    known = weather.filled(table, sky, start_us)
    expectation = expect(known, plants, middle_us)
    seen = _observed(known, expectation, plants, start_us, end_us)
    habits, usual = state.habits, state.habits.usual(seen)
    unsure = ~is_trusted(habits, seen, limits)
    evidence = state.evidence.after(
        seen,
        Known(
            clear_day_kw=usual.clear_day_kw,
            usual_kw=np.where(habits.is_ready, usual.power_kw, np.nan),
            cadence_us=state.memory.cadence_us,
            judged=unsure,
            knows_clouds=habits.knows_clouds,
            ill=state.standing.known_ill,
        ),
    )
    view = View(
        seen=seen,
        memory=state.memory,
        habits=habits,
        evidence=evidence,
        usual_kw=usual.power_kw,
        clear_day_kw=usual.clear_day_kw,
        awake=usual.awake,
    )
    found = findings(view, limits)
    standing, alerts = state.standing.after(view, found, plants)
    memory = state.memory.after(seen)
    learned = habits.after(seen, usual, standing.ill(found), standing.down, unsure, memory.cadence_us)
    carried = state.carried.after(table, expectation.expected_kw, end_us, len(plants))
    after = State(memory, learned, evidence, standing, carried, weather.after(table, sky, end_us))
    return Judged(after, expectation.expected_kw, colours(table, expectation.elevation_deg, standing), alerts)


def colours(table: Table, elevation_deg: Floats, standing: Standing | None) -> Ints:
    """(k,) the state that the map shows: faults first, then night, then whether there is power data at all."""
    result = np.full(table.rows.size, OK, dtype=np.int64)
    result[table.generation_kw.count == 0] = NO_DATA
    result[elevation_deg < 0] = NIGHT
    if standing is not None:
        warning, critical = standing.severities()
        result[warning[table.rows]] = WARNING
        result[critical[table.rows]] = FAULTY
    return result


def _observed(table: Table, expectation: Expectation, plants: Plants, start_us: int, end_us: int) -> Observed:
    rows, size = table.rows, len(plants)
    unknown, none, no = np.full(size, np.nan), np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.bool_)
    return Observed(
        start_us=start_us,
        end_us=end_us,
        present=put(no, rows, True),
        first_us=put(none, rows, table.firsts),
        last_us=put(none, rows, table.lasts),
        actual_kw=put(unknown, rows, table.generation_kw.mean),
        capacity_kw=put(unknown, rows, table.capacity_kw),
        expected_kw=put(unknown, rows, expectation.expected_kw),
        measured=put(no, rows, expectation.measured),
        in_plane=put(no, rows, expectation.in_plane),
        surveyed=plants.surveyed,
        left=plants.left,
        clear_kw=put(unknown, rows, expectation.clear_kw),
        elevation_deg=clear_sky(plants, (start_us + end_us) // 2).sky.elevation_deg,
        index=put(unknown, rows, expectation.index),
        neighbours=put(none, rows, expectation.neighbours),
        module_c=put(unknown, rows, table.module_c_max),
        ambient_c=put(unknown, rows, table.ambient_c),
        modelled_module_c=put(unknown, rows, expectation.module_c),
    )
