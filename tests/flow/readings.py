"""Readings of a made-up fleet, with the unpleasantness of real ones: gaps, repeats, jitter, disorder, silence."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from heliograph.contracts import Reading

START = datetime(2026, 6, 21, 3, 0, tzinfo=UTC)


def fleet(prefix: str, seed: int, *, plants: int = 40, seconds: int = 180) -> list[Reading]:
    """Readings in the order of their arrival: at most 2 s out of order, each tenth sent twice, some without power."""
    dice = random.Random(seed)
    made: list[tuple[float, Reading]] = []
    for number in range(plants):
        for at_s in range(0, seconds, 3):
            observed = START + timedelta(seconds=at_s, milliseconds=dice.randrange(1000))
            reading = one(f"{prefix}-{number:03d}", f"{prefix}-r{number % 5}", observed, dice)
            times = 2 if dice.random() < 0.1 else 1
            made += [(observed.timestamp() + dice.random() * 1.9, reading) for _ in range(times)]
    return [reading for _, reading in sorted(made, key=lambda pair: pair[0]) if dice.random() > 0.02]


def slow_fleet(prefix: str, seed: int, *, plants: int = 40, seconds: int = 120) -> list[Reading]:
    """Readings in order of time of plants that report each 3, 15, 20 or 30 seconds, staggered."""
    dice = random.Random(seed)
    made: list[Reading] = []
    for number in range(plants):
        interval_s = (3.0, 15.0, 20.0, 30.0)[number % 4]
        at_s = dice.random() * interval_s
        while at_s < seconds:
            observed = START + timedelta(milliseconds=round(at_s * 1000))
            reading = one(f"{prefix}-{number:03d}", f"{prefix}-r{number % 5}", observed, dice, interval_s)
            made += [reading] if dice.random() > 0.1 else []
            at_s += interval_s
    return sorted(made, key=lambda reading: reading.observed_at)


def one(plant_id: str, region: str, observed: datetime, dice: random.Random, interval_s: float = 0.0) -> Reading:
    return Reading(
        v=1,
        plant_id=plant_id,
        source=plant_id.split("-", maxsplit=1)[0],
        observed_at=observed,
        interval_s=interval_s,
        region=region,
        capacity_kw=1000.0,
        generation_kw=None if dice.random() < 0.05 else round(dice.uniform(0, 1000), 3),
        poa_w_m2=round(dice.uniform(0, 1000), 2),
        module_c=round(dice.uniform(10, 60), 2),
        ambient_c=None if dice.random() < 0.3 else round(dice.uniform(0, 35), 1),
        wind_m_s=round(dice.uniform(0, 12), 2),
    )
