"""Plants that stand near each other share one place, so that a run costs no more calls than the provider allows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from heliograph.sites import Site

Cell = tuple[int, int]


def grouped(sites: Sequence[Site], cell_of: Callable[[Site], Cell], most: int) -> Mapping[Cell, list[Site]]:
    """The sites by cell. Where there are more cells than `most`, two by two of them become one, then three by three,
    and so on: each group then goes by the cell of its first site."""
    cells = [cell_of(site) for site in sites]
    step = 1
    while len({_coarse(cell, step) for cell in cells}) > most:
        step += 1
    groups: dict[Cell, tuple[Cell, list[Site]]] = {}
    for site, cell in zip(sites, cells, strict=True):
        groups.setdefault(_coarse(cell, step), (cell, []))[1].append(site)
    return dict(groups.values())


def _coarse(cell: Cell, step: int) -> Cell:
    return math.floor(cell[0] / step), math.floor(cell[1] / step)
