"""The way that every observation goes, from whatever source: judged, enriched, packed, durable.

observations → known plant? → new or revised? → possible? → readings → packer (durable) → remembered
                    └──────────── refused, with the reason ────────────→ dead letters
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from heliograph.contracts import Reading
from heliograph.dead_letters import DeadLetters
from heliograph.sites import Site
from ingest import metrics
from ingest.deduplication import Deduplicator
from ingest.letters import letters_of
from ingest.observations import Observation, Refused
from ingest.packer import Packer
from ingest.validation import ImpossibleError, Validator

Lookup = Callable[[str], Site | None]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a submission."""

    accepted: int
    duplicates: int
    refused: Sequence[Refused] = ()


@dataclass(slots=True)
class Sorted:
    """A submission, judged."""

    readings: list[Reading]
    fresh: list[Observation]
    """The observations that the readings were made of."""
    duplicates: int
    refused: list[Refused]
    fates: Counter[str]


class Lane:
    """The memory of one source: its observations come here in order."""

    def __init__(self, name: str, *, memory: int) -> None:
        self.name = name
        self.seen = Deduplicator(memory)


def sort(
    observations: Sequence[Observation], seen: Deduplicator, lookup: Lookup, validator: Validator, now: datetime
) -> Sorted:
    """Judges each observation in its turn."""
    result = Sorted([], [], 0, [], Counter())
    inside: dict[tuple[str, str, datetime], Observation] = {}
    for index, observation in enumerate(observations):
        place = (observation.plant_id, observation.source, observation.observed_at)
        earlier = inside.get(place)
        verdict = seen.judge(observation) if earlier is None else "revised"
        if verdict == "duplicate" or (earlier is not None and earlier == observation):
            result.duplicates += 1
            result.fates["duplicate"] += 1
            continue
        try:
            reading = _reading(observation, lookup, validator, now, ("revised",) if verdict == "revised" else ())
        except ImpossibleError as error:
            original = msgspec.json.encode(observation)
            result.refused.append(Refused(error.reason, str(error), original, index))
            result.fates["refused"] += 1
            continue
        inside[place] = observation
        result.readings.append(reading)
        result.fresh.append(observation)
        result.fates["flagged" if reading.flags else "accepted"] += 1
    return result


def _reading(
    observation: Observation, lookup: Lookup, validator: Validator, now: datetime, flags: Sequence[str]
) -> Reading:
    site = lookup(observation.plant_id)
    if site is None:
        raise ImpossibleError("unknown-plant", f"plant {observation.plant_id!r} is in no site registry")
    return validator.reading(observation, site, now, flags)


class Intake:
    """One for all sources."""

    def __init__(self, lookup: Lookup, packer: Packer, letters: DeadLetters, validator: Validator) -> None:
        self._lookup = lookup
        self._packer = packer
        self._letters = letters
        self._validator = validator

    async def submit(
        self, lane: Lane, observations: Sequence[Observation], now: datetime, refused: Sequence[Refused] = ()
    ) -> Receipt:
        """Durable when it returns. `now` is the time on the source's clock, `refused` what its parser could not
        understand. Raises `OSError` when the disk fails, or the error of the blobs; then nothing is remembered, and
        the submission can be repeated."""
        judged = sort(observations, lane.seen, self._lookup, self._validator, now)
        judged.refused.extend(refused)
        if judged.refused:
            await self._letters.put(letters_of(judged.refused, source=lane.name, lane="", at=now))
        await self._packer.put_readings(judged.readings)
        for observation in judged.fresh:
            lane.seen.remember(observation)
        self._count(lane, judged, now)
        return Receipt(len(judged.readings), judged.duplicates, judged.refused)

    def _count(self, lane: Lane, judged: Sorted, now: datetime) -> None:
        for fate, count in judged.fates.items():
            metrics.READINGS.labels(lane.name, fate).inc(count)
        if judged.readings:
            newest = max(reading.observed_at for reading in judged.readings)
            metrics.EVENT_LAG.labels(lane.name).set((now - newest).total_seconds())
