"""What was already said about each window, so that it is said again only when it changed, with a higher revision."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.columns import Floats, Ints, Mask

Digests = npt.NDArray[np.uint64]
_NO_KEYS, _NO_DIGESTS = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.uint64)
"""Shared by all windows that hold nothing of their own, so that a snapshot stores them once."""
_MIX = np.uint64(0x9E3779B97F4A7C15)


def digests_of(columns: Iterable[npt.NDArray[Any]]) -> Digests:
    """(k,) a 64-bit digest of each line; two lines that differ in a bit differ in it, but for one in 2^64."""
    digest: Digests = np.zeros(1, dtype=np.uint64)
    for column in columns:
        bits = (
            _canonical(column).view(np.uint64)
            if column.dtype == np.float64
            else column.astype(np.int64).view(np.uint64)
        )
        digest = (digest ^ bits) * _MIX
        digest ^= digest >> np.uint64(29)
    return digest


def _canonical(column: npt.NDArray[Any]) -> Floats:
    """NaN has many bit patterns; here it has one, and so has zero."""
    result: Floats = np.where(np.isnan(column), np.nan, column) + 0.0
    return result


@dataclass(slots=True)
class Published:
    """The published lines of one window, by plant (`keys` ascending), and its regions."""

    keys: Ints = field(default_factory=lambda: _NO_KEYS)
    digests: Digests = field(default_factory=lambda: _NO_DIGESTS)
    revisions: Ints = field(default_factory=lambda: _NO_KEYS)
    ends: Ints = field(default_factory=lambda: _NO_KEYS)
    """Ends of the lines' windows; microseconds."""
    regions: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Region → (digest, revision)."""

    def update(self, keys: Ints, digests: Digests, ends: Ints) -> tuple[Mask, Ints]:
        """Takes over lines of the window as they are now; which of them must be said, and with what revision. Lines
        that are not among them stay as they were.
        """
        revisions = np.zeros(keys.size, dtype=np.int64)
        changed = np.ones(keys.size, dtype=np.bool_)
        if self.keys.size:
            places = np.minimum(np.searchsorted(self.keys, keys), self.keys.size - 1)
            known = self.keys[places] == keys
            changed = ~(known & (self.digests[places] == digests))
            revisions[known] = self.revisions[places[known]] + changed[known]
        others = ~np.isin(self.keys, keys)
        if others.any():
            order = np.argsort(np.append(self.keys[others], keys))
            self.keys = np.append(self.keys[others], keys)[order]
            self.digests = np.append(self.digests[others], digests)[order]
            self.revisions = np.append(self.revisions[others], revisions)[order]
            self.ends = np.append(self.ends[others], ends)[order]
        else:
            self.keys, self.digests, self.revisions, self.ends = keys, digests, revisions, ends
        return changed, revisions

    def moved(self, new_row: Ints) -> None:
        """Renumbers plants; those that become -1 are forgotten."""
        kept = new_row[self.keys] >= 0
        self.keys = new_row[self.keys[kept]]
        self.digests, self.revisions, self.ends = self.digests[kept], self.revisions[kept], self.ends[kept]

    def update_region(self, region: str, digest: int) -> int | None:
        """The revision under which the region must be said, or None when it stands as published."""
        known = self.regions.get(region)
        if known is not None and known[0] == digest:
            return None
        revision = 0 if known is None else known[1] + 1
        self.regions[region] = (digest, revision)
        return revision
