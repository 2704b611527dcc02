"""The newest window of each plant of a cell, as one document. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from heliograph.contracts import PlantWindow, iso_seconds
from heliograph.rows import moment_of, pack_plant

Rows = dict[str, list[Any]]
LATEST_ID = "latest"


def row_of(window: PlantWindow) -> list[Any]:
    """The row of a plant: the name of the window definition, then the row of the window as from the epoch."""
    return [window.window, *pack_plant(window, 0)]


def merged(rows: Mapping[str, Sequence[Any]], other: Mapping[str, Sequence[Any]]) -> Rows:
    """Of each plant the row with the later window end, then with the higher revision. Order of merging is no matter."""
    result = {plant_id: list(row) for plant_id, row in rows.items()}
    for plant_id, row in other.items():
        known = result.get(plant_id)
        if known is None or rank(known) < rank(row):
            result[plant_id] = list(row)
    return result


def newest(windows: Iterable[PlantWindow]) -> Rows:
    """The rows of the windows, of each plant the newest."""
    best: dict[str, PlantWindow] = {}
    for window in windows:
        known = best.get(window.plant_id)
        if known is None or (known.window_end, known.revision) <= (window.window_end, window.revision):
            best[window.plant_id] = window
    return {plant_id: row_of(window) for plant_id, window in best.items()}


def rank(row: Sequence[Any]) -> tuple[float, int]:
    """Window end in seconds since the epoch, and revision."""
    _window, start, length, revision, *_ = row
    return start + length, revision


def latest_document(cell: str, rows: Rows) -> dict[str, Any]:
    """The document of a cell; `last` is the latest window end in it."""
    last_s = max(rank(row)[0] for row in rows.values())
    return {"id": LATEST_ID, "pk": cell, "last": iso_seconds(moment_of(last_s)), "rows": dict(sorted(rows.items()))}
