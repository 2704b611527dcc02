"""The life of alerts: a verdict that holds opens one, a healthy verdict that holds resolves it.

             FAULT verdicts for open_s                     HEALTHY verdicts for resolve_s
    quiet ────────────────────────────▶ open (one alert) ─────────────────────────────────▶ resolved
      ▲   one HEALTHY starts it over     │  one FAULT starts it over
      └── onset = start of the first ◀───┘

When many plants of a region show the same fault at once, the cause is the region's (a storm, a lost network), and
the region gets one alert instead of each plant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import msgspec
import numpy as np

from analyzer.columns import SECOND, Ints, Mask, Micros, from_micros
from analyzer.memory import Columns
from analyzer.plants import Plants
from analyzer.rules import FAULT, HEALTHY, LIVES, Finding, Lifetime, Verdicts, View
from heliograph.contracts import Alert, Rule, alert_id

UNUSUAL: tuple[Rule, ...] = ("trip", "sudden-drop", "stuck-sensor", "over-capacity", "curtailment")
"""A plant with one of these teaches nothing about its habits."""
REGION_SHARE = 0.30
"""Of a region's plants, this share with the same fault makes it the region's."""
REGION_PLANTS = 5
"""And at least this many."""
REGION_OVER_SHARE = 0.10
"""The region's alert ends when so few of its plants still have the fault."""


@dataclass(frozen=True, slots=True)
class Life(Columns):
    """Of one rule over all plants, (rows,) each; never changed in place."""

    is_open: Mask
    onset_us: Micros
    since_us: Micros
    """Start of the verdicts that call for a change."""
    count: Ints
    """Of those verdicts."""

    def after(self, verdicts: Verdicts, since_us: Micros, end_us: int, lifetime: Lifetime) -> tuple[Life, Mask]:
        """After a window's verdicts, which hold since the times given: the new life, and who opened or resolved."""
        calls = np.where(self.is_open, verdicts == HEALTHY, verdicts == FAULT)
        calms = np.where(self.is_open, verdicts == FAULT, verdicts == HEALTHY) & (self.count > 0)
        if not calls.any() and not calms.any():
            return self, np.zeros(self.count.size, dtype=np.bool_)
        since = np.where(calls & (self.count == 0), since_us, self.since_us)
        count = np.where(calms, 0, self.count + calls)
        needed = np.where(self.is_open, lifetime.resolve_windows, lifetime.open_windows)
        patience = np.where(self.is_open, lifetime.resolve_s * SECOND, lifetime.open_s * SECOND)
        turned = calls & (count >= needed) & (end_us - since >= patience)
        onset = np.where(turned & ~self.is_open, since, self.onset_us)
        return Life(self.is_open ^ turned, onset, since, np.where(turned, 0, count)), turned


@dataclass(frozen=True, slots=True)
class Standing:
    """All open faults of a lane. Never changed in place."""

    lives: Mapping[Rule, Life]
    alerts: Mapping[str, Alert] = field(default_factory=dict)
    """Open alerts of single plants by plant and rule (`_key`)."""
    outbreaks: Mapping[str, Alert] = field(default_factory=dict)
    """Open alerts of regions by region and rule."""

    @classmethod
    def blank(cls, rows: int) -> Standing:
        """Of a lane without a fault."""
        return cls({rule: Life.blank(rows) for rule in LIVES})

    def grown(self, rows: int) -> Standing:
        """With blank lines up to that many rows."""
        return replace(self, lives={rule: life.grown(rows) for rule, life in self.lives.items()})

    def kept(self, mask: Mask, plants: Plants) -> Standing:
        """Without the plants outside the mask, whose names `plants` still has."""
        gone = {plant_id for plant_id, stays in zip(plants.ids, mask.tolist(), strict=True) if not stays}
        alerts = {key: alert for key, alert in self.alerts.items() if alert.plant_id not in gone}
        lives = {rule: life.kept(mask) for rule, life in self.lives.items()}
        return Standing(lives, alerts, self.outbreaks)

    def reopened(self, alert: Alert, now: datetime) -> tuple[Standing, Alert]:
        """With the word that this open alert, which was said to be over, goes on."""
        again = msgspec.structs.replace(alert, updated_at=now, reopened=True)
        one = {_key(alert.plant_id or alert.region, alert.rule): again}
        if alert.plant_id:
            return replace(self, alerts={**self.alerts, **one}), again
        return replace(self, outbreaks={**self.outbreaks, **one}), again

    def severities(self) -> tuple[Mask, Mask]:
        """Which rows have an open warning, and which an open critical fault."""
        warning, critical = (
            np.logical_or.reduce(
                [life.is_open for rule, life in self.lives.items() if LIVES[rule].severity == severity]
            )
            for severity in ("warning", "critical")
        )
        return warning, critical

    @property
    def down(self) -> Mask:
        """Which rows have an open trip."""
        return self.lives["trip"].is_open

    @property
    def known_ill(self) -> Mask:
        """Which rows have an open fault of power."""
        result: Mask = np.logical_or.reduce([self.lives[rule].is_open for rule in UNUSUAL])
        return result

    def ill(self, findings: Mapping[Rule, Finding]) -> Mask:
        """Which rows have a fault of power, open or only suspected, so that nothing usual can be learned from them."""
        suspected = [findings[rule].verdicts == FAULT for rule in UNUSUAL]
        result: Mask = np.logical_or.reduce([self.known_ill, *suspected])
        return result

    def after(self, view: View, findings: Mapping[Rule, Finding], plants: Plants) -> tuple[Standing, list[Alert]]:
        """After a window's verdicts: the new standing, and the alerts that opened or resolved, or grew."""
        lives: dict[Rule, Life] = {}
        desk = _Desk(view, plants, dict(self.alerts), dict(self.outbreaks))
        for rule, (verdict, since_us) in findings.items():
            life, turned = self.lives[rule].after(verdict, since_us, view.seen.end_us, LIVES[rule])
            lives[rule] = life
            if turned.any():
                desk.resolve(rule, np.flatnonzero(turned & ~life.is_open))
                desk.open(rule, np.flatnonzero(turned & life.is_open), life, verdict)
            desk.close_outbreaks(rule, life)
        if not desk.said:
            return replace(self, lives=lives), []
        return Standing(lives, desk.alerts, desk.outbreaks), desk.said


def _key(subject: str, rule: Rule) -> str:
    return f"{rule}:{subject}"


@dataclass(slots=True)
class _Desk:
    """Writes the alerts of one window."""

    view: View
    plants: Plants
    alerts: dict[str, Alert]
    outbreaks: dict[str, Alert]
    said: list[Alert] = field(default_factory=list)

    def resolve(self, rule: Rule, rows: Ints) -> None:
        for row in rows.tolist():
            alert = self.alerts.pop(_key(self.plants.ids[row], rule), None)
            if alert is not None:
                self._say(self._resolved(alert))

    def open(self, rule: Rule, rows: Ints, life: Life, verdict: Verdicts) -> None:
        for number in np.unique(self.plants.region[rows]).tolist():
            mine = rows[self.plants.region[rows] == number]
            if self._is_regional(rule, number, life, verdict):
                self._open_outbreak(rule, number, mine, life)
            else:
                for row in mine.tolist():
                    self._open_alert(rule, row, life)

    def _is_regional(self, rule: Rule, number: int, life: Life, verdict: Verdicts) -> bool:
        if _key(self.plants.regions[number], rule) in self.outbreaks:
            return True
        here = self.plants.region == number
        ill = here & (life.is_open | (verdict == FAULT))
        return int(ill.sum()) >= max(REGION_PLANTS, REGION_SHARE * int(here.sum()))

    def _open_outbreak(self, rule: Rule, number: int, rows: Ints, life: Life) -> None:
        """Opens a region's alert, or tells that it has grown: it counts the most plants that had the fault at once."""
        region = self.plants.regions[number]
        known = self.outbreaks.get(_key(region, rule))
        count = int((life.is_open & (self.plants.region == number)).sum())
        if known is not None and count <= (known.plants or 0):
            return
        onset = known.onset if known else from_micros(int(life.onset_us[rows].min()))
        alert = Alert(
            v=1,
            alert_id=alert_id(region, rule, onset),
            rule=rule,
            severity=LIVES[rule].severity,
            state="open",
            region=region,
            onset=onset,
            updated_at=from_micros(self.view.seen.end_us),
            plants=count,
            evidence=self._evidence(int(rows[0])),
            reopened=known is not None and known.reopened,
            message=f"{_WORDS[rule]}: {count} plants of {region} at once, so the cause is the region's",
        )
        self.outbreaks[_key(region, rule)] = alert
        self._say(alert)

    def _open_alert(self, rule: Rule, row: int, life: Life) -> None:
        plant_id = self.plants.ids[row]
        onset = from_micros(int(life.onset_us[row]))
        alert = Alert(
            v=1,
            alert_id=alert_id(plant_id, rule, onset),
            rule=rule,
            severity=LIVES[rule].severity,
            state="open",
            region=self.plants.regions[self.plants.region[row]],
            plant_id=plant_id,
            onset=onset,
            updated_at=from_micros(self.view.seen.end_us),
            expected_kw=_number(self.view.usual_kw[row]),
            actual_kw=_number(self.view.seen.actual_kw[row]),
            evidence=self._evidence(row),
            message=f"{_WORDS[rule]}: {self._figures(row)}",
        )
        self.alerts[_key(plant_id, rule)] = alert
        self._say(alert)

    def close_outbreaks(self, rule: Rule, life: Life) -> None:
        """Ends a region's alert when few of its plants still have the fault; those few get alerts of their own."""
        for outbreak in [one for one in self.outbreaks.values() if one.rule == rule]:
            region = outbreak.region
            number = self.plants.regions.index(region)
            alone = [row for row in np.flatnonzero(life.is_open & (self.plants.region == number)).tolist()
                     if _key(self.plants.ids[row], rule) not in self.alerts]  # fmt: skip
            if len(alone) <= REGION_OVER_SHARE * outbreak.plants:
                del self.outbreaks[_key(region, rule)]
                self._say(self._resolved(outbreak))
                for row in alone:
                    self._open_alert(rule, row, life)

    def _resolved(self, alert: Alert) -> Alert:
        now = from_micros(self.view.seen.end_us)
        return msgspec.structs.replace(alert, state="resolved", updated_at=now, resolved_at=now)

    def _say(self, alert: Alert) -> None:
        self.said.append(alert)

    def _evidence(self, row: int) -> dict[str, float | str]:
        view, seen = self.view, self.view.seen
        numbers = {
            "expected_kw": view.usual_kw[row],
            "actual_kw": seen.actual_kw[row],
            "capacity_kw": seen.capacity_kw[row],
            "clear_sky_kw": view.clear_day_kw[row],
            "usual_ratio": view.habits.learned.ratio[row],
            "usual_spread": view.habits.learned.spread[row],
            "neighbours_index": seen.index[row],
            "neighbours": float(seen.neighbours[row]),
            "sun_elevation_deg": seen.elevation_deg[row],
            "module_c": seen.module_c[row],
        }
        basis = {"basis": _basis(view, row)}
        return basis | {name: round(float(value), 3) for name, value in numbers.items() if not np.isnan(value)}

    def _figures(self, row: int) -> str:
        view, seen = self.view, self.view.seen
        parts = []
        if not np.isnan(seen.actual_kw[row]):
            parts.append(f"{seen.actual_kw[row]:.1f} kW of {seen.capacity_kw[row]:.1f} kW")
        if not np.isnan(view.usual_kw[row]):
            parts.append(f"expected {view.usual_kw[row]:.1f} kW")
        if not np.isnan(seen.module_c[row]):
            parts.append(f"module at {seen.module_c[row]:.1f} °C")
        return ", ".join(parts) or "no reading"


def _basis(view: View, row: int) -> str:
    if view.seen.measured[row]:
        return "irradiance at the plant"
    return "neighbours' clear-sky index" if view.seen.neighbours[row] else "the plant's own clear days"


_WORDS: Mapping[Rule, str] = {
    "trip": "No power although the sun is up",
    "sudden-drop": "Power far under what this weather should give",
    "temperature-spike": "Module hotter than sun and wind explain",
    "stuck-sensor": "The same power again and again",
    "silence": "No readings",
    "over-capacity": "More power than the plant can give",
    "clipping": "Power flat at the rating",
    "curtailment": "Power held under a flat ceiling",
}


def _number(value: np.floating) -> float | None:
    return None if np.isnan(value) else float(value)
