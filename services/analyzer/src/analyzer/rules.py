"""What counts as a fault: one small pure function a rule, over all plants of a lane at once.

A rule answers for each plant with a verdict: `FAULT`, `HEALTHY`, or `UNKNOWN` where it can't tell (no reading, night,
no expectation). The gap between the two thresholds is the hysteresis; how long a verdict must hold is in `LIVES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from analyzer.columns import SECOND, Floats, Mask, Micros
from analyzer.evidence import BRIGHT_SHARE, Evidence
from analyzer.habits import AWAKE_SHARE, Habits
from analyzer.memory import ALIVE_SHARE, FLAT_TOLERANCE, ZERO_SHARE, Memory
from analyzer.observed import Observed
from heliograph.contracts import Rule, Severity

Verdicts = npt.NDArray[np.int8]
FAULT, UNKNOWN, HEALTHY = 1, 0, -1


class View(NamedTuple):
    """All that a rule may look at: the window, and what is remembered and learned from those before it."""

    seen: Observed
    memory: Memory
    habits: Habits
    evidence: Evidence
    """Of losses, with this window's."""
    usual_kw: Floats
    """In this weather, for this plant."""
    clear_day_kw: Floats
    """At this hour under a clear sky, for this plant."""
    awake: Floats
    """Share of the recent days on which the plant gave power at this hour; NaN where its place tells the hours."""


class Finding(NamedTuple):
    """The verdicts of a rule, (rows,), and since when each holds."""

    verdicts: Verdicts
    since_us: Micros


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Powers as shares of what is usual or of capacity; temperatures in degC; rates in K a minute."""

    light_share: float = 0.20
    """A shortfall is judged only while the plant should give this share of its capacity: under it horizon, shadows and
    steep angles rule (on serf-west, one false alarm a day at 0.08 and one in five days at 0.18)."""
    drop_below: float = 0.72
    """A loss of 40 % must show in two windows with a few per cent of noise, a loss of 20 % must not."""
    drop_over: float = 0.82
    drop_spreads: float = 4.0
    """And a shortfall must be this many times the plant's usual shortfall."""
    trusted_spread: float = 0.09
    """Usual shortfall up to which single windows mean something."""
    unlearned_below: float = 0.50
    """Until a plant's own ratio is known, and only if the registry knows the plant."""
    recovered_over: float = 0.85
    """Of clear-day power: what shows that nothing is missing, where irradiance is not trusted."""
    zero_share: float = ZERO_SHARE
    alive_share: float = ALIVE_SHARE
    trip_light_share: float = 0.08
    """Some inverters start no earlier: on one overcast morning 72 W/m2 did not wake the one of pvops' example."""
    trip_dark_share: float = 0.02
    """Where the weather is known to leave less than this, zero is no trip."""
    trip_clear_share: float = 0.06
    """By the neighbours: no overcast lets a plant with this expectation fall under `zero_share`."""
    trip_from_share: float = 0.10
    """Before a plant's hours are known: sunset, be it behind a building, does not take it from this share to zero
    within a quarter of an hour."""
    trip_habit_share: float = 0.12
    """Where the plant's own clear days give so much, on which it is awake, ..."""
    trip_fall_share: float = 0.04
    """... no cloud takes it from this share to zero between two readings: the darkest come on over several."""
    trip_dark_s: float = 7200.0
    """Nor does one keep it at zero for so long (an hour under thunderstorms on two systems)."""
    coarse_s: float = 1200.0
    """The mean of an interval over this is never zero by a cloud."""
    trip_sure_share: float = 0.15
    """Irradiance for so much power is daylight, whatever the plant did on other days."""
    frozen_c: float = 1.0
    """Modules (or the air, where they are not measured) colder than this may have been snowed on over night."""
    asleep_s: float = 21_600.0
    """A plant that gave nothing for so long has slept since yesterday."""
    snow_c: float = 3.0
    snow_deficit_k: float = 10.0
    """Modules near freezing and this much colder than the sun should make them lie under snow."""
    module_hot_c: float = 90.0
    """IEC 61215 tests modules to 85 degC; field records stay under it with air at 45 degC."""
    module_cool_c: float = 80.0
    module_excess_k: float = 30.0
    """Over what sun, air and wind explain. Faiman's model is within 10 K on the traces here."""
    module_calm_k: float = 20.0
    module_rate_k_min: float = 8.0
    """Sun and wind alone move a module by 2 to 5 K a minute (thermal time constant about 7 minutes: Armstrong and
    Hurley, Applied Thermal Engineering 30, 2010)."""
    module_jump_k: float = 10.0
    """A rate counts only over a rise of this much, so that noise in one reading is no spike."""
    module_full_jump_k: float = 45.0
    """The sun coming out may raise a module by 30 to 35 K in the end, however long the interval."""
    stuck_windows: int = 4
    """Equal powers in a row; light is never that still. Windows of 4 to 6 gave the best F1 on the labelled traces."""
    stuck_at_ceiling_s: float = 28_800.0
    """At the greatest power seen so far, equal values may be clipping, which does not last 8 hours."""
    ceiling_share: float = 0.98
    """Flat at this share of the rating, or of the greatest power seen, is clipping; under it, curtailment."""
    flat_windows: int = 4
    flat_s: float = 1800.0
    curtailed_below: float = 0.92
    over_capacity: float = 1.10
    """Meters, tolerances and cloud-edge peaks reach some per cent over the rating."""
    within_capacity: float = 1.05
    silence_s: float = 120.0
    silence_intervals: float = 3.5
    """Readings that may be missing in a row, in the plant's own rhythm."""
    day_over_deg: float = 5.0


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long a verdict must hold, in seconds and in windows that have one, to open and to resolve an alert."""

    severity: Severity
    open_s: float
    open_windows: int
    resolve_s: float
    resolve_windows: int


LIVES: Mapping[Rule, Lifetime] = {
    "trip": Lifetime("critical", 20, 2, 60, 2),
    "sudden-drop": Lifetime("warning", 20, 2, 60, 2),
    "temperature-spike": Lifetime("critical", 0, 1, 60, 2),
    "stuck-sensor": Lifetime("warning", 0, 1, 0, 1),
    "clipping": Lifetime("info", 0, 1, 0, 1),
    "curtailment": Lifetime("info", 0, 1, 0, 1),
    "silence": Lifetime("warning", 0, 1, 0, 1),
    "over-capacity": Lifetime("warning", 20, 2, 60, 2),
}


def trip(view: View, limits: Thresholds) -> Verdicts:
    """No power although the plant should produce: by its irradiance, by its neighbours, or by its own days."""
    seen = view.seen
    share = seen.actual_kw / seen.capacity_kw
    trusted, asleep = is_trusted(view.habits, view.seen, limits), view.awake < 0.5
    dark = trusted & (view.usual_kw < limits.trip_dark_share * seen.capacity_kw)
    by_light = trusted & (view.usual_kw > limits.trip_light_share * seen.capacity_kw)
    lit = by_light | (~seen.measured & (view.usual_kw > limits.trip_clear_share * seen.capacity_kw))
    lit |= ~dark & (_fell(view, limits) | _stays_dark(view, limits))
    lit &= ~asleep | (trusted & (view.usual_kw > limits.trip_sure_share * seen.capacity_kw))
    lit &= ~_snowed_in(view, limits)
    return _verdicts(lit & (share < limits.zero_share), share > limits.alive_share)


def _is_day(view: View, limits: Thresholds) -> Mask:
    """Whether the plant usually gives power now, whatever the weather; its own days tell, not the registry."""
    return (view.awake >= AWAKE_SHARE) & (view.clear_day_kw > limits.trip_habit_share * view.seen.capacity_kw)


def _fell(view: View, limits: Thresholds) -> Mask:
    """Whether the last power before this zero, or before the one ahead of it, was too high for cloud or sunset."""
    seen, memory = view.seen, view.memory
    intervals = (seen.end_us - memory.alive_us) / np.maximum(memory.cadence_us, 1.0)
    was_zero = memory.same_kw < limits.zero_share * seen.capacity_kw
    unknown = limits.trip_from_share * np.maximum(1.0, memory.cadence_us / (900.0 * SECOND))
    high = np.where(_is_day(view, limits), limits.trip_fall_share, unknown) * seen.capacity_kw
    return (memory.alive_kw > high) & (intervals < np.where(was_zero, 2.5, 1.5))


def _stays_dark(view: View, limits: Thresholds) -> Mask:
    """Whether it has been at zero for longer, while it usually gives power, than clouds are dark."""
    memory = view.memory
    coarse = memory.cadence_us > limits.coarse_s * SECOND
    dark_us = view.habits.learned.dark_us + np.nan_to_num(memory.cadence_us)
    return _is_day(view, limits) & (coarse | (dark_us > limits.trip_dark_s * SECOND))


def _covered(view: View, limits: Thresholds) -> Mask:
    """Whether the modules stay near freezing in a sun that should warm them: snow, which is no fault of the plant."""
    seen = view.seen
    return (seen.module_c < limits.snow_c) & (seen.modelled_module_c - seen.module_c > limits.snow_deficit_k)


def _snowed_in(view: View, limits: Thresholds) -> Mask:
    """Covered, or frozen and not awake since yesterday, so that snow of the night is as likely as a fault."""
    seen = view.seen
    coldest = np.where(np.isnan(seen.module_c), seen.ambient_c, seen.module_c)
    result: Mask = _covered(view, limits) | ((coldest < limits.frozen_c) & ~_awake(view, limits))
    return result


def _awake(view: View, limits: Thresholds) -> Mask:
    result: Mask = view.seen.end_us - view.memory.alive_us <= limits.asleep_s * SECOND
    return result


def sudden_drop(view: View, limits: Thresholds) -> Verdicts:
    """Far less power than this plant gives in this weather (and not zero, which is a trip). Where irradiance is not
    trusted: such shares of its clear-day power as a loss explains far better than its weather (`evidence`)."""
    seen, learned = view.seen, view.habits.learned
    trusted, ready = is_trusted(view.habits, seen, limits), view.habits.is_ready
    lit = trusted & (view.usual_kw > limits.light_share * seen.capacity_kw)
    ratio = _ratio(seen.actual_kw, view.usual_kw)
    below = np.where(
        ready, np.minimum(limits.drop_below, 1.0 - limits.drop_spreads * learned.spread), limits.unlearned_below
    )
    low = lit & (ratio < below) & (ready | seen.surveyed)
    well = lit & (ratio > limits.drop_over)
    bright = view.clear_day_kw > BRIGHT_SHARE * seen.capacity_kw
    recovered = bright & (_ratio(seen.actual_kw, view.clear_day_kw) > limits.recovered_over)
    low |= ~trusted & view.evidence.enough & ~recovered
    low &= ~_covered(view, limits)
    well |= ~trusted & recovered
    return _verdicts(low & (seen.actual_kw >= limits.zero_share * seen.capacity_kw), well)


def temperature_spike(view: View, limits: Thresholds) -> Verdicts:
    """The module is hotter than modules get, or than its weather explains, or heats faster than the sun can heat it."""
    seen, memory = view.seen, view.memory
    minutes = (seen.end_us - memory.module_us) / (60.0 * SECOND)
    rise = seen.module_c - memory.module_c
    allowed = np.clip(limits.module_rate_k_min * minutes, limits.module_jump_k, limits.module_full_jump_k)
    learned = view.habits.learned
    usual = np.where(view.habits.is_ready, np.fmax(learned.excess_k, 0.0), 0.0)
    excess = seen.module_c - seen.modelled_module_c - np.nan_to_num(usual)
    hot = (seen.module_c > limits.module_hot_c) | (excess > limits.module_excess_k) | (rise > allowed)
    calm = (seen.module_c < limits.module_cool_c) & ~(excess > limits.module_calm_k) & ~(rise > limits.module_jump_k)
    return _verdicts(hot, calm)


def stuck_sensor(view: View, limits: Thresholds) -> Verdicts:
    """Exactly the same power again and again; zero at night and the rating at noon are as they should be."""
    seen, memory = view.seen, view.memory
    share = np.abs(seen.actual_kw) / seen.capacity_kw
    restless = (share > limits.zero_share) & (share < limits.ceiling_share)
    same = seen.actual_kw == memory.same_kw
    at_ceiling = seen.actual_kw >= limits.ceiling_share * _ceiling(view)
    held_us = seen.end_us - memory.same_since_us
    long = np.where(
        at_ceiling, held_us >= limits.stuck_at_ceiling_s * SECOND, memory.same_count + 1 >= limits.stuck_windows
    )
    stuck = restless & same & long
    return _verdicts(stuck, ~np.isnan(seen.actual_kw) & ~same)


def clipping(view: View, limits: Thresholds) -> Verdicts:
    """Power flat at the rating. No fault, but energy that the inverter can't take."""
    seen = view.seen
    at_ceiling = seen.actual_kw >= np.fmax(limits.ceiling_share * _ceiling(view), limits.alive_share * seen.capacity_kw)
    return _verdicts(_flat(view, limits) & at_ceiling, _moved(view))


def curtailment(view: View, limits: Thresholds) -> Verdicts:
    """Power flat under a ceiling lower than the rating, while the sky would allow more."""
    seen, memory = view.seen, view.memory
    possible = np.where(is_trusted(view.habits, view.seen, limits), view.usual_kw, view.clear_day_kw)
    under = seen.actual_kw < limits.ceiling_share * _ceiling(view)
    held = (seen.actual_kw > limits.alive_share * seen.capacity_kw) & (
        seen.actual_kw < limits.curtailed_below * possible
    )
    wavering = seen.actual_kw != memory.same_kw
    return _verdicts(_flat(view, limits) & under & held & wavering, _moved(view))


def over_capacity(view: View, limits: Thresholds) -> Verdicts:
    """The reading is over what the plant can give: a wrong unit, a wrong capacity or a broken meter."""
    share = view.seen.actual_kw / view.seen.capacity_kw
    return _verdicts(share > limits.over_capacity, share < limits.within_capacity)


def silence(view: View, limits: Thresholds) -> Verdicts:
    """No word of its power for longer than the plant's rhythm explains. By day only: many loggers sleep at night."""
    seen = view.seen
    by_sun = ~np.isnan(seen.elevation_deg)
    by_habit = view.awake >= AWAKE_SHARE
    day = np.where(by_sun, seen.elevation_deg >= limits.day_over_deg, by_habit)
    due = seen.end_us >= silent_from_us(view.memory, limits)
    heard = view.memory.heard(seen)
    return _verdicts(~heard & ~seen.left & day & due, heard | seen.left)


def silent_from_us(memory: Memory, limits: Thresholds) -> Micros:
    """When each plant that has spoken counts as silent if it says nothing more."""
    rhythm = limits.silence_intervals * np.nan_to_num(memory.cadence_us)
    patience = np.maximum(limits.silence_s * SECOND, rhythm)
    never = np.iinfo(np.int64).max
    result: Micros = np.where(memory.last_us > 0, memory.last_us + patience.astype(np.int64), never)
    return result


RULES: Mapping[Rule, Callable[[View, Thresholds], Verdicts]] = {
    "trip": trip,
    "sudden-drop": sudden_drop,
    "temperature-spike": temperature_spike,
    "stuck-sensor": stuck_sensor,
    "clipping": clipping,
    "curtailment": curtailment,
    "over-capacity": over_capacity,
    "silence": silence,
}


def findings(view: View, limits: Thresholds) -> Mapping[Rule, Finding]:
    """Every rule's verdicts on a window. Those that need a run of windows hold since its first."""
    start = np.full(view.seen.present.size, view.seen.start_us, dtype=np.int64)
    memory = view.memory
    since: Mapping[Rule, Micros] = {
        "stuck-sensor": np.where(memory.same_count > 0, memory.same_since_us, start),
        "clipping": np.where(memory.flat_count > 0, memory.flat_since_us, start),
        "curtailment": np.where(memory.flat_count > 0, memory.flat_since_us, start),
    }
    with np.errstate(invalid="ignore", divide="ignore"):
        return {rule: Finding(judge(view, limits), since.get(rule, start)) for rule, judge in RULES.items()}


def is_trusted(habits: Habits, seen: Observed, limits: Thresholds) -> Mask:
    """(rows,) Whose expectation is good enough for a single window to mean something."""
    settled = np.where(habits.is_ready, habits.learned.spread <= limits.trusted_spread, True)
    seasoned = seen.in_plane | ~seen.measured | habits.knows_clouds
    result: Mask = settled & seasoned & ~np.isnan(seen.expected_kw)
    return result


def _ceiling(view: View) -> Floats:
    """The power that a plant does not exceed: its rating, or what it reached where that is less."""
    return np.fmin(view.seen.capacity_kw, view.memory.ceiling_kw)


def _flat(view: View, limits: Thresholds) -> Mask:
    seen, memory = view.seen, view.memory
    long = seen.end_us - memory.flat_since_us >= limits.flat_s * SECOND
    return ~_moved(view) & (memory.flat_count + 1 >= limits.flat_windows) & long


def _moved(view: View) -> Mask:
    seen, memory = view.seen, view.memory
    near = np.abs(seen.actual_kw - memory.flat_kw) <= FLAT_TOLERANCE * np.abs(memory.flat_kw)
    return ~np.isnan(seen.actual_kw) & ~near


def _verdicts(fault: Mask, healthy: Mask) -> Verdicts:
    """FAULT where the one holds, HEALTHY where only the other does. Comparisons with NaN hold nowhere."""
    result: Verdicts = fault.astype(np.int8) - (healthy & ~fault).astype(np.int8)
    return result


def _ratio(part: Floats, whole: Floats) -> Floats:
    return part / whole
