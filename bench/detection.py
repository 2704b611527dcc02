"""How well the analyzer finds faults in real traces, and how often it cries wolf.

    python -m bench.detection [--quick] [--seed N] [--json] [--trace FILE.csv --capacity-kw X]

Every trace runs through the analyzer's own core, JSON readings in and alerts out: once as measured, for the false
alarms, and once for each injected fault (`bench.injection`). No plant has a neighbour or a known place here, which is
the hard case. Beside our rules runs the naive one, "power fell by half since the last reading, from over 20 % of
capacity". Thresholds of trips were tuned on the traces marked `tuned` and only reported on the others; those of losses
were chosen with all of them in view. The two F1 are of pvanalytics' labelled inverters, whatever the trace.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np

from analyzer.columns import SECOND, from_micros, to_micros
from analyzer.lane import Definitions
from analyzer.partition import Partition, Timing
from analyzer.rules import Thresholds
from analyzer.windows import Tumbling
from bench import report
from bench.injection import KINDS, SUN_UP_SHARE, Fault, draw, inject
from bench.outages import outages
from bench.trace_csv import read_csv
from bench.traces import Trace, labelled_clipping, labelled_stale, packaged
from heliograph.contracts import MAX_POWER_KW, Alert, iso_seconds

ALARMS = ("warning", "critical")
"""Severities that call somebody; clipping and curtailment are notes."""
FINDERS = {
    "trip": {"trip"},
    "loss": {"sudden-drop", "trip", "curtailment"},
    "stuck": {"stuck-sensor"},
    "spike": {"temperature-spike"},
    "silence": {"silence"},
}
WINDOW_US = 10 * SECOND
DAY_US = 86_400 * SECOND


@dataclass
class Score:
    """Of one trace."""

    trace: Trace
    hits: dict[str, list[bool]] = field(default_factory=dict)
    delays_s: dict[str, list[float]] = field(default_factory=dict)
    false_alarms: list[Alert] = field(default_factory=list)
    gaps: int = 0
    """Silences told where the trace itself has no readings: true, so no false alarms."""
    in_outages: int = 0
    """Of the false alarms, those of power told during an outage that the trace itself holds (`bench.outages`)."""
    naive_hits: dict[str, list[bool]] = field(default_factory=dict)
    naive_alarms: int = 0
    naive_in_outages: int = 0


def replay(traces: Sequence[Trace]) -> list[list[Alert]]:
    """The alerts of each trace; all have the same times, and each is a plant alone in a region."""
    main = Tumbling(WINDOW_US, "tumbling-10s")
    definitions = Definitions(main, (), WINDOW_US, Thresholds())
    timing = Timing(2 * SECOND, 60 * SECOND, 10**15, 300 * SECOND, 400 * DAY_US)
    partition = Partition("0", definitions, timing)
    alerts: list[list[Alert]] = [[] for _ in traces]
    for sequence, (hub_us, body) in enumerate(_events(traces)):
        for part in partition.take(sequence, hub_us, body).parts:
            if isinstance(part, Alert) and part.plant_id is not None:
                alerts[int(part.plant_id)].append(part)
    return alerts


def _events(traces: Sequence[Trace]) -> Iterator[tuple[int, bytes]]:
    times = traces[0].times_us
    columns = [_columns(trace) for trace in traces]
    for place, time_us in enumerate(times.tolist()):
        stamp = iso_seconds(from_micros(time_us))
        readings = []
        for plant, (trace, held) in enumerate(zip(traces, columns, strict=True)):
            values = {name: value for name, column in held if (value := column[place]) == value}
            if "generation_kw" in values:
                values |= {"v": 1, "plant_id": str(plant), "source": "trace", "observed_at": stamp}  # type: ignore[dict-item]
                readings.append(values | {"region": f"alone-{plant}", "capacity_kw": trace.capacity_kw})
        if readings:
            yield time_us + SECOND, msgspec.json.encode(readings)
    end_us = int(times[-1]) + 30 * SECOND
    flush = {"v": 1, "plant_id": "end", "source": "trace", "observed_at": iso_seconds(from_micros(end_us))}
    yield end_us, msgspec.json.encode(flush | {"region": "end", "capacity_kw": 1.0})


def _columns(trace: Trace) -> list[tuple[str, list[float]]]:
    names = {"generation_kw": "power_kw"} | {name: name for name in ("poa_w_m2", "ghi_w_m2", "module_c", "ambient_c")}
    held = [(name, getattr(trace, mine)) for name, mine in (names | {"wind_m_s": "wind_m_s"}).items()]
    return [(name, column.tolist()) for name, column in held if column is not None]


def naive_alarms(trace: Trace) -> list[int]:
    """Samples at which power is under half of the last reading's, that being over 20 % of capacity."""
    power = np.nan_to_num(trace.power_kw)
    fell = (power[1:] < 0.5 * power[:-1]) & (power[:-1] > 0.2 * trace.capacity_kw)
    return (np.flatnonzero(fell) + 1).tolist()


def score(trace: Trace, per_kind: int, seed: int) -> Score:
    """Runs a trace as it is and with faults."""
    rng = np.random.default_rng(seed)
    warm_up = min(10.0, trace.days / 4)
    faults = [fault for kind in KINDS for fault in draw(trace, kind, per_kind, warm_up, rng)]
    found = replay([trace, *(inject(trace, fault) for fault in faults)])
    result = Score(trace)
    opened = _opened(found[0])
    result.false_alarms = [alert for alert in opened if alert.rule != "silence"]
    result.gaps = len(opened) - len(result.false_alarms)
    naive_us = trace.times_us[naive_alarms(trace)].tolist()
    told_us = [to_micros(alert.updated_at) for alert in result.false_alarms if alert.rule in FINDERS["loss"]]
    spans = outages(trace)
    result.in_outages, result.naive_alarms, result.naive_in_outages = (
        _inside(told_us, spans), len(naive_us), _inside(naive_us, spans)
    )  # fmt: skip
    quiet = {alert.alert_id.split(":", 1)[1] for alert in opened}
    for fault, alerts in zip(faults, found[1:], strict=True):
        kind = fault.kind if fault.kind != "loss" else f"loss-{fault.size:.0%}"
        fresh = [alert for alert in _opened(alerts) if alert.alert_id.split(":", 1)[1] not in quiet]
        _note(result, kind, fault, fresh)
        naive = [place for place in naive_alarms(inject(trace, fault)) if fault.begin <= place < fault.begin + 2]
        result.naive_hits.setdefault(kind, []).append(bool(naive))
    return result


def _inside(times_us: Sequence[int], spans: Sequence[tuple[int, int]]) -> int:
    return sum(any(begin <= at <= end for begin, end in spans) for at in times_us)


def _opened(alerts: Sequence[Alert]) -> list[Alert]:
    return [alert for alert in alerts if alert.state == "open" and alert.severity in ALARMS]


def _note(result: Score, kind: str, fault: Fault, alerts: Sequence[Alert]) -> None:
    """In time means: told by the end of the window of the second sample after the fault began, or, for a loss where
    irradiance is not measured on site, within a day."""
    times = result.trace.times_us
    begin_us = int(times[fault.begin])
    slow = fault.kind == "loss" and not result.trace.on_site
    limit_us = begin_us + DAY_US if slow else int(times[min(fault.begin + 1, len(times) - 1)]) + WINDOW_US
    if fault.kind in ("silence", "stuck"):
        limit_us = begin_us + (
            26 * 3600 * SECOND if fault.kind == "silence" else 6 * int(result.trace.interval_s * SECOND)
        )
    told = [to_micros(alert.updated_at) for alert in alerts if alert.rule in FINDERS[fault.kind]]
    delays = [
        at - begin_us for at in told if begin_us <= at <= max(limit_us, int(times[min(fault.end, len(times) - 1)]))
    ]
    result.hits.setdefault(kind, []).append(any(at <= limit_us for at in told if at >= begin_us))
    if delays:
        result.delays_s.setdefault(kind, []).append(min(delays) / SECOND)


def f1(trace: Trace, labels: np.typing.NDArray[np.bool_], rule: str) -> float:
    """Of a rule on a labelled trace, sample by sample: a sample is positive while the rule's alert lasts."""
    positive = np.zeros(labels.size, dtype=bool)
    open_from: dict[str, int] = {}
    for alert in replay([trace])[0]:
        if alert.rule == rule:
            onset_us = to_micros(alert.onset)
            if alert.state == "open":
                open_from[alert.alert_id] = onset_us
            elif alert.resolved_at is not None:
                open_from.pop(alert.alert_id, None)
                last_us = to_micros(alert.resolved_at) - WINDOW_US
                positive |= (trace.times_us >= onset_us) & (trace.times_us < last_us)
    for onset_us in open_from.values():
        positive |= trace.times_us >= onset_us
    return float(2 * (positive & labels).sum() / max(positive.sum() + labels.sum(), 1))


def by_trace(scores: Sequence[Score]) -> dict[str, object]:
    """What the JSON holds about the traces."""
    detail: dict[str, object] = {}
    for one in scores:
        detail[one.trace.name] = {
            "tuned": one.trace.tuned,
            "irradiance_on_site": one.trace.on_site,
            "days": round(one.trace.days, 1),
            "recall": {kind: round(float(np.mean(hits)), 3) for kind, hits in one.hits.items()},
            "naive_recall": {kind: round(float(np.mean(hits)), 3) for kind, hits in one.naive_hits.items()},
            "median_s_to_detect": {kind: float(np.median(delays)) for kind, delays in one.delays_s.items()},
            "false_alarms_per_plant_day": round(len(one.false_alarms) / one.trace.days, 4),
            "gaps_told": one.gaps,
            "told_in_outages_of_the_trace": one.in_outages,
            "false_alarms": sorted({alert.rule for alert in one.false_alarms}),
            "naive_false_alarms_per_plant_day": round(one.naive_alarms / one.trace.days, 4),
        }
    return detail


def recall(scores: Sequence[Score], prefix: str, *, naive: bool = False) -> float | None:
    """Over all faults of the traces whose kind begins so; None if there were none."""
    hits = [hit for one in scores for kind, group in (one.naive_hits if naive else one.hits).items()
            if kind.startswith(prefix) for hit in group]  # fmt: skip
    return round(float(np.mean(hits)), 4) if hits else None


def rate(scores: Sequence[Score], *, naive: bool = False, besides_outages: bool = False) -> float:
    """False alarms per plant and day over the traces; all of them, or besides the outages that the traces hold."""
    alarms = sum(one.naive_alarms if naive else len(one.false_alarms) for one in scores)
    if besides_outages:
        alarms -= sum(one.naive_in_outages if naive else one.in_outages for one in scores)
    return round(alarms / max(sum(one.trace.days for one in scores), 1e-9), 4)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs and prints."""
    parser = report.parser(__doc__, quick="fewer faults, and only 120 days of a trace")
    parser.add_argument("--seed", type=int, default=20261123)
    parser.add_argument("--faults", type=int, default=0, help="faults of each kind and trace")
    parser.add_argument("--trace", type=Path, help="a CSV of your own instead of the packaged traces")
    parser.add_argument("--capacity-kw", type=float, help="rated AC power of that plant")
    options = parser.parse_args(arguments)
    if options.trace and options.capacity_kw is None:
        parser.error("--trace needs --capacity-kw")
    if options.trace and not 0 < options.capacity_kw <= MAX_POWER_KW:
        parser.error(f"--capacity-kw is {options.capacity_kw}, outside (0, {MAX_POWER_KW:g}]")
    per_kind = options.faults or (10 if options.quick else 40)
    try:
        traces = [read_csv(options.trace, options.capacity_kw)] if options.trace else list(packaged())
    except (OSError, ValueError) as error:
        parser.error(str(error))
    longest = 120.0 if options.quick else 400.0
    scores = [score(trace.first_days(longest), per_kind, options.seed) for trace in traces]
    if recall(scores, "trip") is None:
        parser.error(f"{options.trace}: no sample after the warm-up is over {SUN_UP_SHARE:.0%} of "
                     f"{options.capacity_kw:g} kW, so there is no fault to inject")  # fmt: skip
    held_out = [one for one in scores if not one.trace.tuned] or scores
    loss_on_site = recall([one for one in scores if one.trace.on_site], "loss")
    loss_elsewhere = recall([one for one in scores if not one.trace.on_site], "loss")
    detail: dict[str, object] = {
        "recall": {
            "trip": recall(scores, "trip"),
            "loss_on_site": loss_on_site,
            "loss_elsewhere_in_a_day": loss_elsewhere,
        },
        "recall_held_out": {"trip": recall(held_out, "trip")},
        "false_alarms_per_plant_day": rate(scores),
        "false_alarms_per_plant_day_besides_outages": rate(scores, besides_outages=True),
        "naive_false_alarms_per_plant_day": rate(scores, naive=True),
        "naive_false_alarms_per_plant_day_besides_outages": rate(scores, naive=True, besides_outages=True),
        "seed": options.seed,
        "faults_per_kind_and_trace": per_kind,
        "traces": by_trace(scores),
    }
    detail |= {"stuck_f1": round(f1(*labelled_stale(), "stuck-sensor"), 4),
               "clipping_f1": round(f1(*labelled_clipping(), "clipping"), 4)}  # fmt: skip
    result = {
        "bench": "detection",
        "unit": "recall of trips within two intervals",
        "ours": recall(scores, "trip"),
        "peers": {"naive": recall(scores, "trip", naive=True)},
        "detail": detail,
    }
    report.tell(result, as_json=options.json)


if __name__ == "__main__":
    main()
