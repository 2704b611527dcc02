"""Remembers what was seen lately, in bounded memory.

Two generations of at most `capacity / 2` keys each: when the younger is full, the older is forgotten. A key is kept
as a 64-bit hash with a hash of the whole observation, some 150 bytes, so the memory holds the last `capacity / 2` keys
at least.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from ingest.observations import Observation

Verdict = Literal["new", "revised", "duplicate"]

_encoder = msgspec.msgpack.Encoder()


class Deduplicator:
    """Of one source: tells new observations from repeated ones, and from those that were revised."""

    def __init__(self, capacity: int) -> None:
        self._limit = max(1, capacity // 2)
        self._young: dict[int, int] = {}
        self._old: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def judge(self, observation: Observation) -> Verdict:
        """`revised` is a known key with anything else changed. Remembers nothing: see `remember`."""
        key = _key(observation)
        known = self._young.get(key)
        if known is None:
            known = self._old.get(key)
        if known is None:
            return "new"
        return "duplicate" if known == _values(observation) else "revised"

    def remember(self, observation: Observation) -> None:
        """To be called when the observation is safe, so that a failed attempt can be repeated."""
        self._young[_key(observation)] = _values(observation)
        if len(self._young) >= self._limit:
            self._old, self._young = self._young, {}


def _key(observation: Observation) -> int:
    return hash((observation.plant_id, observation.source, observation.observed_at))


def _values(observation: Observation) -> int:
    """Of the bytes: Python's hash of -1.0 is that of -2.0."""
    return hash(_encoder.encode(observation))
