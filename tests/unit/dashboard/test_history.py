"""Days are read once for all who ask, and those that are over are not read again soon."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import date
from zoneinfo import ZoneInfo

import pytest

from dashboard import history
from dashboard.history import History
from heliograph.regions import KOREA

PRESENT, PAST = date(2026, 6, 21), date(2026, 6, 11)


class Slow:
    """A store that has nothing, takes its time to say so, and counts the asking; while `down` it fails."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.down = False

    async def query(self, label: str, *_rest, **_options) -> list:
        self.asked[label] += 1
        await asyncio.sleep(0.01)
        if self.down:
            raise ConnectionError("down")
        return []


@pytest.fixture
def store() -> Slow:
    return Slow()


@pytest.fixture
def now_s(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock, to be set."""
    now = [1000.0]
    monkeypatch.setattr(history, "monotonic", lambda: now[0])
    return now


def days_of(store: Slow) -> History:
    return History(store, cells=16, zone=ZoneInfo("Asia/Seoul"))


async def test_all_who_ask_for_a_day_wait_for_one_reading(store: Slow) -> None:
    """Seventeen provinces and the nation of one local day cost two queries for each UTC day that they touch."""
    past = days_of(store)
    await asyncio.gather(*(past.region(region.code, PAST) for region in KOREA), past.nation(PAST))
    assert store.asked == {"region-curves": 3, "open-spans": 3}


async def test_who_leaves_takes_no_answer_from_others(store: Slow) -> None:
    """The reading goes on for those who still wait when the one who began it leaves."""
    past = days_of(store)
    first, second = (asyncio.ensure_future(past.region("KR-46", PAST)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == []
    assert store.asked["region-curves"] == 2


async def test_a_reading_that_fails_fails_for_all_and_is_not_kept(store: Slow) -> None:
    """All who wait for a reading hear that it failed, and whoever asks next has it read again."""
    past, store.down = days_of(store), True
    answers = await asyncio.gather(*(past.region("KR-46", PAST) for _ in range(5)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [ConnectionError] * 5
    assert store.asked["region-curves"] == 1
    store.down = False
    assert await past.region("KR-46", PAST) == []


async def test_days_that_are_over_are_kept_longer(store: Slow, now_s: list[float]) -> None:
    """A day before yesterday is asked of the store again after ten minutes, today after half a minute."""
    days = days_of(store)
    await days.refresh_present(PRESENT)
    await days.region("KR-46", PAST)
    store.asked.clear()
    for later_s, of_past, of_present in ((31, 0, 2), (570, 2, 2)):
        now_s[0] += later_s
        await days.region("KR-46", PAST)
        assert store.asked["region-curves"] == of_past
        store.asked.clear()
        await days.region("KR-46", PRESENT)
        assert store.asked["region-curves"] == of_present
        store.asked.clear()


async def test_a_clock_that_goes_back_makes_days_present_again(store: Slow, now_s: list[float]) -> None:
    """A replay begins in a past that was over by the calendar: its days are then as fresh as today's."""
    days = days_of(store)
    await days.refresh_present(date(2026, 11, 27))
    await days.region("KR-46", PAST)
    await days.refresh_present(date(2026, 6, 10))
    store.asked.clear()
    now_s[0] += 31
    await days.region("KR-46", PAST)
    assert store.asked["region-curves"] == 2


async def test_days_kept_are_bounded_and_the_present_stays(store: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many past days are asked for, memory holds so many days, and today is among them."""
    monkeypatch.setattr(history, "MAX_DAYS_KEPT", 6)
    days = days_of(store)
    for day in range(1, 20, 2):
        await days.refresh_present(PRESENT)
        await days.region("KR-46", date(2026, 1, day))
        await days.region("KR-46", date(2026, 1, day + 1))
        store.asked.clear()
        await days.region("KR-46", PRESENT)
        assert not store.asked
    await days.region("KR-46", date(2026, 1, 1))
    assert store.asked["region-curves"] == 2
