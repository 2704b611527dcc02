"""What the dashboard knows now: each plant's newest window, each region's partials, the alerts that are not over.

Filled from Cosmos at start and kept by the live feed; no I/O. What comes late or twice changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from heliograph.contracts import Alert, AlertAction, Insight, Note, Photo, PlantWindow, RegionWindow, iso_seconds
from heliograph.regions import BY_CODE
from heliograph.rollups import region_totals
from heliograph.rows import Standing, standing_of
from heliograph.sites import Site

PLANT_COLUMNS: Final = (
    "plant_id", "name", "region", "latitude", "longitude", "capacity_kw", "state", "utilisation_pct", "generation_kw",
    "expected_kw", "window_end", "open_alerts",
)  # fmt: skip
LIVE_COLUMNS: Final = (
    "plant_id", "state", "utilisation_pct", "generation_kw", "expected_kw", "window_end", "open_alerts",
)  # fmt: skip
REGION_COLUMNS: Final = (
    "region", "name", "name_ko", "latitude", "longitude", "generation_kw", "expected_kw", "capacity_kw",
    "utilisation_pct", "plants", "window_end",
)  # fmt: skip
FRESH_WINDOWS: Final = 3
"""A partition's partial counts for the region's present total while the region's newest window has moved on by at most
so many since it was told. How far the partition is behind does not matter: a provider may tell of a quarter of an hour
when it is over, and goes on telling."""
MAX_BEHIND: Final = timedelta(hours=1)
"""A partial further behind is no present."""
MAX_RESOLVED_KEPT: Final = 50_000
"""Of alerts that are over, to be known when an older state of them comes late."""

Row = list[Any]


@dataclass(slots=True)
class Changes:
    """What some insights changed, gathered until it is told to the pages."""

    plants: set[str] = field(default_factory=set)
    regions: set[str] = field(default_factory=set)
    messages: list[Alert | AlertAction | Note | Photo] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.plants or self.regions or self.messages)


@dataclass(frozen=True, slots=True)
class _Told:
    """A partition's newest partial of a region, and the end of the region's newest window when it was told."""

    partial: RegionWindow
    at: datetime


class Fleet:
    """The state of all plants and regions."""

    def __init__(self) -> None:
        self.plants: dict[str, PlantWindow] = {}
        self._partials: dict[str, dict[str, _Told]] = defaultdict(dict)
        self._open: dict[str, str] = {}
        self._open_of: dict[str, set[str]] = defaultdict(set)
        self._resolved: dict[str, None] = {}
        self.version = 0

    def apply(self, insights: Iterable[Insight], changes: Changes) -> None:
        """Takes insights in; notes in `changes` what is new."""
        for insight in insights:
            match insight:
                case PlantWindow():
                    self._apply_plant(insight, changes)
                case RegionWindow():
                    self._apply_region(insight, changes)
                case Alert():
                    self._apply_alert(insight, changes)
                case AlertAction(action="resolve"):
                    self._close(insight.alert_id, changes)
                    changes.messages.append(insight)
                case _:
                    changes.messages.append(insight)
        self.version += 1

    def _apply_plant(self, window: PlantWindow, changes: Changes) -> None:
        known = self.plants.get(window.plant_id)
        if known is None or (known.window_end, known.revision) < (window.window_end, window.revision):
            self.plants[window.plant_id] = window
            changes.plants.add(window.plant_id)

    def _apply_region(self, window: RegionWindow, changes: Changes) -> None:
        partials = self._partials[window.region]
        known = partials.get(window.partition)
        if known is None or _order(known.partial) < _order(window):
            newest = max((told.at for told in partials.values()), default=window.window_end)
            partials[window.partition] = _Told(window, max(newest, window.window_end))
            changes.regions.add(window.region)

    def _apply_alert(self, alert: Alert, changes: Changes) -> None:
        changes.messages.append(alert)
        if alert.state == "resolved":
            self._close(alert.alert_id, changes)
        elif alert.reopened or alert.alert_id not in self._resolved:
            self._resolved.pop(alert.alert_id, None)
            self.open_alert(alert.alert_id, alert.plant_id or alert.region)
            changes.plants.update({alert.plant_id} if alert.plant_id in self.plants else ())

    def open_alert(self, alert_id: str, subject: str) -> None:
        """An alert that is not over by what its source says; the end that the feed has told of is newer."""
        if alert_id in self._resolved:
            return
        self.version += 1
        self._open[alert_id] = subject
        self._open_of[subject].add(alert_id)

    def _close(self, alert_id: str, changes: Changes) -> None:
        self._resolved[alert_id] = None
        if len(self._resolved) > MAX_RESOLVED_KEPT:
            del self._resolved[next(iter(self._resolved))]
        subject = self._open.pop(alert_id, None)
        if subject is not None:
            self._open_of[subject].discard(alert_id)
            changes.plants.update({subject} if subject in self.plants else ())

    def open_alerts(self, subject: str) -> int:
        """How many alerts of a plant or region are not over."""
        return len(self._open_of.get(subject, ()))

    def knows_alert(self, alert_id: str) -> bool:
        """Whether the feed has told of the alert, open or over."""
        return alert_id in self._open or alert_id in self._resolved

    @property
    def all_open_alerts(self) -> int:
        """How many alerts are not over."""
        return len(self._open)

    @property
    def newest(self) -> datetime | None:
        """The latest window end of any plant."""
        return max((window.window_end for window in self.plants.values()), default=None)

    def live_rows(self, plant_ids: Iterable[str]) -> list[Row]:
        """Rows of `LIVE_COLUMNS` for plants that have a window."""
        return [
            [plant_id, *standing_of(self.plants[plant_id])[2:], self.open_alerts(plant_id)] for plant_id in plant_ids
        ]

    def region_rows(self, codes: Iterable[str]) -> list[Row]:
        """Rows of `REGION_COLUMNS` for regions that have windows: what their partitions know at present, summed."""
        return [region_row(code, _present_partials(self._partials[code].values())) for code in codes]

    @property
    def regions(self) -> list[str]:
        """The regions that have windows."""
        return sorted(self._partials)


class KeptRows:
    """The rows of all plants, encoded; of a plant made anew only when its window, its alerts or the sites change."""

    def __init__(self) -> None:
        self._sites_version = -1
        self._kept: dict[str, tuple[PlantWindow | None, int, msgspec.Raw]] = {}

    def rows(self, sites: Mapping[str, Site], sites_version: int, fleet: Fleet) -> list[msgspec.Raw]:
        """Rows of `PLANT_COLUMNS` for all plants of the registry and all that have a window, each encoded."""
        if sites_version != self._sites_version:
            self._sites_version, self._kept = sites_version, {}
        rows = []
        for plant_id in sites.keys() | fleet.plants.keys():
            window, alerts, kept = fleet.plants.get(plant_id), fleet.open_alerts(plant_id), self._kept.get(plant_id)
            if kept is None or kept[0] is not window or kept[1] != alerts:
                standing = standing_of(window) if window else None
                encoded = msgspec.Raw(msgspec.json.encode(plant_row(plant_id, sites.get(plant_id), standing, alerts)))
                kept = self._kept[plant_id] = (window, alerts, encoded)
            rows.append(kept[2])
        return rows


def past_plant_rows(sites: Mapping[str, Site], standings: Mapping[str, Standing]) -> list[Row]:
    """Rows of `PLANT_COLUMNS` for all plants of the registry and all that had a window; the fleet does not know which
    alerts were open then."""
    return [
        plant_row(plant_id, sites.get(plant_id), standings.get(plant_id), None)
        for plant_id in sites.keys() | standings.keys()
    ]


def plant_row(plant_id: str, site: Site | None, standing: Standing | None, open_alerts: int | None) -> Row:
    """The row of a plant that the registry knows, or that has a window, or both."""
    place = [site.latitude, site.longitude] if site else [None, None]
    region = site.region if site else standing.region if standing else ""
    capacity = standing.capacity_kw if standing else site.capacity_kw if site else None
    present = standing[2:] if standing else ("no-data", None, None, None, None)
    return [plant_id, site.name if site else plant_id, region, *place, capacity, *present, open_alerts]


def region_row(code: str, partials: Sequence[RegionWindow]) -> Row:
    """The row of a region whose partials are given; they may be of neighbouring windows."""
    newest = max(partials, key=lambda partial: partial.window_end)
    aligned = [_at(partial, newest) for partial in partials]
    [total] = region_totals(aligned)
    region = BY_CODE.get(code)
    facts = [region.name, region.name_ko, region.latitude, region.longitude] if region else [code, code, None, None]
    return [
        code, *facts, total.generation_kw, total.expected_kw, total.capacity_kw, total.utilisation_pct, total.plants,
        iso_seconds(newest.window_end),
    ]  # fmt: skip


def _at(partial: RegionWindow, newest: RegionWindow) -> RegionWindow:
    return RegionWindow(
        v=1,
        region=partial.region,
        partition=partial.partition,
        window=newest.window,
        window_start=newest.window_start,
        window_end=newest.window_end,
        revision=partial.revision,
        readings=partial.readings,
        plants=partial.plants,
        capacity_kw=partial.capacity_kw,
        generation_kw=partial.generation_kw,
        expected_kw=partial.expected_kw,
    )


def _order(window: RegionWindow) -> tuple[datetime, int]:
    return window.window_end, window.revision


def _present_partials(known: Collection[_Told]) -> list[RegionWindow]:
    now = max(told.at for told in known)
    length = next(told.partial.window_end - told.partial.window_start for told in known)
    return [
        told.partial
        for told in known
        if now - told.at <= FRESH_WINDOWS * length and now - told.partial.window_end <= MAX_BEHIND
    ]
