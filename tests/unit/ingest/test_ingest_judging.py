"""Validation, de-duplication and the sun."""

from __future__ import annotations

import gzip
import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pvlib
import pytest

from heliograph.sites import Site
from ingest.deduplication import Deduplicator
from ingest.fleet import clear_sky
from ingest.intake import sort
from ingest.observations import Observation
from ingest.packing import pack
from ingest.sun import sun_position
from ingest.validation import ImpossibleError, Validator

SITE = Site(plant_id="p", name="P", region="KR-46", latitude=34.8, longitude=126.9, capacity_kw=1000)
NOON, MIDNIGHT = datetime(2026, 6, 21, 3, 30, tzinfo=UTC), datetime(2026, 6, 21, 15, 30, tzinfo=UTC)
DUSK = datetime(2026, 6, 21, 11, 20, tzinfo=UTC)


def seen(at: datetime = NOON, **values: Any) -> Observation:
    return Observation(plant_id="p", observed_at=at, source="test", **(values or {"generation_kw": 500.0}))


def flags(observation: Observation, now: datetime | None = None) -> tuple[str, ...]:
    return Validator().reading(observation, SITE, now or observation.observed_at).flags


@pytest.mark.parametrize(
    ("observation", "reason"),
    [
        (seen(generation_kw=3001.0), "power-bounds"),
        (seen(generation_kw=-102.0), "power-bounds"),
        (seen(MIDNIGHT, generation_kw=300.0), "sun-down"),
        (seen(generation_kw=math.nan), "not-finite"),
        (seen(generation_kw=None), "empty"),
        (seen(ghi_w_m2=2300.0), "irradiance-bounds"),
        (seen(MIDNIGHT, ghi_w_m2=300.0), "irradiance-bounds"),
        (seen(poa_w_m2=2100.0), "irradiance-bounds"),
        (seen(module_c=151.0), "temperature-bounds"),
        (seen(wind_m_s=-1.0), "wind-bounds"),
        (seen(interval_s=90_000.0, generation_kw=1.0), "interval"),
        (seen(datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=9))), generation_kw=1.0), "past"),
    ],
)
def test_the_impossible_is_refused_with_its_reason(observation: Observation, reason: str):
    """What physics forbids never becomes a reading."""
    with pytest.raises(ImpossibleError) as caught:
        flags(observation)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("observation", "expected"),
    [
        (seen(generation_kw=1000.0), ()),
        (seen(MIDNIGHT, generation_kw=-5.0), ()),
        (seen(generation_kw=1300.0), ("above-capacity",)),
        (seen(MIDNIGHT, generation_kw=100.0), ("sun-down",)),
        (seen(ghi_w_m2=1100.0), ()),
        (seen(MIDNIGHT, ghi_w_m2=-3.0), ()),
        (seen(ghi_w_m2=1650.0), ("irradiance-rare",)),
        (seen(module_c=97.0, wind_m_s=60.0), ("temperature-rare", "wind-rare")),
    ],
)
def test_the_suspicious_is_flagged_and_the_usual_is_not(observation: Observation, expected: tuple[str, ...]):
    """A flag says what is odd about a reading that may still be true."""
    assert flags(observation) == expected


def test_an_hour_that_ends_after_sunset_is_judged_by_its_sun():
    """The mean of an hour in which the sun set is not dark."""
    late = DUSK + timedelta(minutes=30)
    assert flags(seen(late, generation_kw=50.0, interval_s=3600.0)) == ()
    assert flags(seen(late, generation_kw=50.0)) == ("sun-down",)


def test_a_clock_that_is_ahead_is_flagged_and_far_ahead_refused():
    """Five seconds are nothing, a minute is skew, ten minutes are impossible; the past is only late."""
    assert flags(seen(), NOON - timedelta(seconds=4)) == ()
    assert flags(seen(), NOON - timedelta(minutes=1)) == ("clock-skew",)
    assert flags(seen(), NOON + timedelta(days=60)) == ()
    with pytest.raises(ImpossibleError, match="600 s ahead"):
        flags(seen(), NOON - timedelta(minutes=10))


def test_watts_given_as_kilowatts_are_told_so():
    """The reason for a power a thousand times too high names the likely cause."""
    with pytest.raises(ImpossibleError, match="watts"):
        flags(seen(generation_kw=820_000.0))


def test_the_memory_for_duplicates_is_bounded_and_holds_the_latest():
    """A million keys leave no more than the capacity behind, and the latest half of it is always known."""
    memory = Deduplicator(1000)
    for number in range(5000):
        memory.remember(seen(NOON + timedelta(seconds=number)))
        assert len(memory) <= 1000
    assert memory.judge(seen(NOON + timedelta(seconds=4600))) == "duplicate"
    assert memory.judge(seen(NOON + timedelta(seconds=4600), generation_kw=1.0)) == "revised"
    assert memory.judge(seen(NOON)) == "new"


def test_repeats_within_one_submission_count_once():
    """Equal ones are duplicates, another value for the same key is a revision, both in their order."""
    rows = [seen(), seen(), seen(generation_kw=400.0), seen(NOON + timedelta(minutes=1))]
    judged = sort(rows, Deduplicator(100), {"p": SITE}.get, Validator(), NOON + timedelta(minutes=1))
    assert [one.flags for one in judged.readings] == [(), ("revised",), ()]
    assert judged.duplicates == 1


def test_the_sun_stands_where_pvlib_has_it():
    """Over a year, four places: within 0.02 degrees of the NREL algorithm, and the distance within 0.1 %."""
    times = pd.date_range("2026-01-01", "2026-12-31", freq="173min", tz="UTC")
    epoch_s = times.as_unit("s").asi8.astype(float)
    for latitude, longitude in ((36.5, 127.2), (-33.9, 18.4), (64.1, -21.9), (0.0, 0.0)):
        known = pvlib.solarposition.get_solarposition(times, latitude, longitude, method="nrel_numpy")
        found = sun_position(epoch_s, latitude, longitude)
        assert np.abs(np.degrees(np.arccos(found.cos_zenith)) - known["zenith"]).max() < 0.02
        extra = pvlib.irradiance.get_extra_radiation(times, solar_constant=1361.0, method="nrel")
        assert np.abs(found.extra_w_m2 / extra - 1).max() < 0.001


def test_the_clear_sky_and_the_modules_are_pvlibs():
    """Air mass, Ineichen, Faiman and PVWatts give pvlib's numbers to a billionth."""
    zenith = np.linspace(0, 89.5, 400)
    airmass = pvlib.atmosphere.get_relative_airmass(zenith, model="kastenyoung1989")
    np.testing.assert_allclose(clear_sky.relative_airmass(zenith), airmass, rtol=1e-12)
    extra = np.full_like(zenith, 1361.0)
    known = pvlib.clearsky.ineichen(zenith, airmass, 3.5, altitude=80, dni_extra=extra)
    ghi, dni = clear_sky.ineichen(np.cos(np.radians(zenith)), airmass, 3.5, 80, extra)
    np.testing.assert_allclose(ghi, known["ghi"], rtol=1e-9)
    np.testing.assert_allclose(dni, known["dni"], rtol=1e-9)
    module = clear_sky.module_temperature(ghi, np.array(20.0), np.array(3.0))
    np.testing.assert_allclose(module, pvlib.temperature.faiman(ghi, 20.0, 3.0), rtol=1e-12)
    power = clear_sky.dc_power(ghi, module, np.array(500.0), -0.004)
    np.testing.assert_allclose(power, pvlib.pvsystem.pvwatts_dc(ghi, module, 500.0, -0.004), rtol=1e-12)


def test_bodies_stay_under_the_limit_and_keep_the_order():
    """Ten thousand readings of one shard become several bodies, none over 900 kB, in order."""
    readings = [
        Validator().reading(seen(NOON + timedelta(seconds=n)), SITE, NOON + timedelta(days=1)) for n in range(9000)
    ]
    bodies = list(pack(readings))
    times = []
    for body, count in bodies:
        plain = gzip.decompress(body)
        rows = msgspec.json.decode(plain)
        assert (len(plain) <= 900_000, len(rows)) == (True, count)
        times += [row["observed_at"] for row in rows]
    assert times == sorted(times)
    assert len(times) == 9000
