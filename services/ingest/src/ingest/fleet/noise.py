"""Noise that is a function of its coordinates: the same everywhere, at any time, in any order.

Integers are mixed by the finaliser of SplitMix64 (G. L. Steele, D. Lea, C. H. Flood, "Fast splittable pseudorandom
number generators", OOPSLA 2014).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Words = NDArray[np.uint64]

_GAMMA = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


def _mixed(words: Words) -> Words:
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def uniform(seed: int, stream: int, *coordinates: ArrayLike) -> Floats:
    """Numbers in [0, 1), one for each point; the coordinates are integers that broadcast against each other."""
    with np.errstate(over="ignore"):
        words = np.asarray([(seed * _GAMMA + stream * 0x632BE59BD9B4E019) & _MASK], dtype=np.uint64)
        for coordinate in coordinates:
            words = _mixed(words + np.asarray(coordinate).astype(np.int64).astype(np.uint64) * np.uint64(_GAMMA))
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _smooth(fraction: Floats) -> Floats:
    return fraction * fraction * (3 - 2 * fraction)


def along_time(seed: int, stream: int, time: ArrayLike, period: float, *who: ArrayLike) -> Floats:
    """Smooth noise in [0, 1) over time with features of about one period, another for each `who`."""
    at = np.asarray(time, dtype=np.float64) / period
    cell = np.floor(at)
    weight = _smooth(at - cell)
    before = uniform(seed, stream, cell, *who)
    return before + weight * (uniform(seed, stream, cell + 1, *who) - before)


def over_plane(seed: int, stream: int, x: Floats, y: Floats) -> Floats:
    """Smooth noise in [0, 1) over a plane with features of about one unit."""
    left, below = np.floor(x), np.floor(y)
    across, up = _smooth(x - left), _smooth(y - below)
    corner = [[uniform(seed, stream, left + i, below + j) for j in (0, 1)] for i in (0, 1)]
    low = corner[0][0] + across * (corner[1][0] - corner[0][0])
    high = corner[0][1] + across * (corner[1][1] - corner[0][1])
    return low + up * (high - low)
