"""When schedules are due, and what quotas allow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from ingest.asking import HOLD_S, Span, even_gap_s, next_cursor, revisions_done, since_of
from ingest.schedule.plan import Due, first_due, following, jitter_s, parse_schedule
from ingest.schedule.quota import QuotaBook, QuotaError
from ingest.sources.declaration import Declaration, Quota, Revision

NOW = datetime(2026, 6, 21, 3, 10, tzinfo=UTC)


def dues(text: str, zone: str, start: datetime, count: int) -> list[datetime]:
    schedule, found = parse_schedule(text, zone), []
    for _ in range(count):
        start = schedule.next_after(start)
        found.append(start)
    return found


def test_cron_is_read_in_its_time_zone():
    """Half past six in Seoul is half past nine the evening before in UTC."""
    assert dues("30 6 * * *", "Asia/Seoul", NOW, 1) == [datetime(2026, 6, 21, 21, 30, tzinfo=UTC)]


def test_seconds_in_front_as_azure_writes_them():
    """Six fields begin with seconds."""
    assert dues("*/20 * * * * *", "UTC", NOW, 2) == [NOW + timedelta(seconds=20), NOW + timedelta(seconds=40)]


@pytest.mark.parametrize(("text", "second"), [("30 2 * * *", 0), ("0 30 2 * * *", 0), ("15 30 2 * * *", 15)])
def test_a_time_that_spring_skips_is_due_once_and_one_that_autumn_repeats_is_due_once(text: str, second: int):
    """In Berlin 02:30 does not exist on 29 March 2026 and comes twice on 25 October: one run each."""
    spring = dues(text, "Europe/Berlin", datetime(2026, 3, 28, 12, tzinfo=UTC), 2)
    assert spring == [datetime(2026, 3, 29, 1, 0, second, tzinfo=UTC), datetime(2026, 3, 30, 0, 30, second, tzinfo=UTC)]
    autumn = dues(text, "Europe/Berlin", datetime(2026, 10, 24, 12, tzinfo=UTC), 2)
    assert autumn == [
        datetime(2026, 10, 25, 0, 30, second, tzinfo=UTC),
        datetime(2026, 10, 26, 1, 30, second, tzinfo=UTC),
    ]


def test_what_repeats_within_the_hour_goes_on_through_clock_changes():
    """Every quarter stays every quarter, both nights."""
    for start in (datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 10, 24, 23, tzinfo=UTC)):
        times = dues("*/15 * * * *", "Europe/Berlin", start, 20)
        assert {later - earlier for earlier, later in pairwise(times)} == {timedelta(minutes=15)}


@pytest.mark.parametrize("text", ["every 0s", "61 * * * *", "often", "", "* * * *"])
def test_a_wrong_schedule_is_named(text: str):
    """The expression is in the message."""
    with pytest.raises(ValueError, match="schedule"):
        parse_schedule(text)


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("every 10s", timedelta(seconds=10)),
        ("*/5 * * * *", timedelta(minutes=5)),
        ("15 6 * * *", timedelta(days=1)),
        ("0 9 * * 1-5", timedelta(days=3)),
        ("0 3 1 * *", timedelta(days=31)),
    ],
)
def test_the_longest_wait_of_a_schedule_spans_its_nights_and_weekends(text: str, wait: timedelta):
    """How long a source may say nothing although all is well follows from its schedule."""
    assert parse_schedule(text).longest_wait_s(NOW) == wait.total_seconds()


def test_missed_runs_are_caught_up_with_one():
    """After an hour of nobody running, one run is past due; then the plan goes on."""
    schedule = parse_schedule("every 5m")
    planned = NOW - timedelta(hours=1)
    assert first_due(schedule, planned, "every 5m UTC", NOW) == Due(planned, past_due=True)
    assert following(schedule, NOW, NOW + timedelta(seconds=1)) == Due(NOW + timedelta(minutes=5), past_due=False)


def test_a_changed_schedule_is_planned_anew():
    """What another schedule had planned is not past due."""
    schedule = parse_schedule("every 5m")
    assert first_due(schedule, NOW - timedelta(hours=1), "every 1h UTC", NOW).past_due is False


@pytest.mark.parametrize("text", ["every 1m", "* * * * *"])
def test_a_run_that_took_too_long_is_followed_by_one_catch_up(text: str):
    """A run that was due at :10 and ended at :13:30 is followed by that of :13, marked past due."""
    due = following(parse_schedule(text), NOW, NOW + timedelta(minutes=3, seconds=30))
    assert due == Due(NOW + timedelta(minutes=3), past_due=True)


def test_jitter_spreads_sources_and_is_the_same_on_every_replica():
    """Between 0 and the bound, another for each name and time, equal for equal ones."""
    spread = {jitter_s(f"source-{number}", NOW, 60) for number in range(100)}
    assert len(spread) == 100
    assert 0 <= min(spread) < 10
    assert 50 < max(spread) < 60
    assert jitter_s("a", NOW, 60) == jitter_s("a", NOW, 60)


def test_a_quota_holds_across_restarts_and_ends_with_its_day():
    """A hundred calls a Korean day, kept in the state; midnight in Seoul gives a hundred more."""
    quotas = (Quota(100, 86_400, "Asia/Seoul"), Quota(30, 60))
    book = QuotaBook("kpx", quotas, {})
    state: dict[str, str] = {}
    for minute in range(4):
        book = QuotaBook("kpx", quotas, state)
        book.take(25, NOW + timedelta(minutes=minute))
        state = book.state()
    with pytest.raises(QuotaError) as caught:
        QuotaBook("kpx", quotas, state).take(1, NOW + timedelta(minutes=10))
    assert caught.value.free_at == datetime(2026, 6, 21, 15, tzinfo=UTC)
    QuotaBook("kpx", quotas, state).take(30, caught.value.free_at)


def test_a_call_that_is_too_many_counts_in_no_quota():
    """What one quota refuses is not taken from the others."""
    book = QuotaBook("x", (Quota(10, 60), Quota(100, 3600)), {})
    book.take(8, NOW)
    with pytest.raises(QuotaError):
        book.take(5, NOW)
    assert book.left(NOW) == 2
    assert book.left(NOW + timedelta(minutes=1)) == 10


def test_revised_spans_are_asked_for_again_when_they_are_due():
    """Three hours every five minutes, three days once a day, else from the cursor on."""
    habits = Declaration(
        "pvlive",
        "every 5m",
        300,
        "end",
        "UTC",
        revisions=(Revision(10_800, 300), Revision(259_200, 86_400)),
        window_s=30 * 86_400,
    )
    cursor, state = NOW - timedelta(minutes=5), {}
    assert since_of(habits, cursor, state, NOW) == NOW - timedelta(days=3)
    state |= revisions_done(habits, NOW - timedelta(days=3), NOW)
    assert since_of(habits, cursor, state, NOW + timedelta(minutes=4)) == cursor
    assert since_of(habits, cursor, state, NOW + timedelta(minutes=5)) == NOW - timedelta(hours=3, minutes=-5)
    assert since_of(habits, cursor, state, NOW + timedelta(days=1)) == NOW - timedelta(days=2)


KPX = Declaration("kpx", "17 10 * * *", 3600, "end", "Asia/Seoul", lag_s=75 * 86_400, quotas=(Quota(100, 86_400),))


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def test_the_cursor_follows_the_newest_and_crosses_what_will_stay_empty():
    """Only a span that is older than the publication lag is left behind empty; one that may still come is not."""
    assert next_cursor(KPX, days_ago(70), Span(days_ago(40), days_ago(60)), NOW) == days_ago(60)
    assert next_cursor(KPX, days_ago(60), Span(days_ago(30), None), NOW) == days_ago(60)
    assert next_cursor(KPX, days_ago(150), Span(days_ago(120), None), NOW) == days_ago(120)
    assert next_cursor(KPX, days_ago(1), Span(NOW, None), NOW) == days_ago(1)


def test_a_record_that_can_not_be_read_holds_the_cursor_a_while_and_never_moves_it_ahead():
    """Within six hours the cursor stays for it; a provider two months late is not skipped over for one bad row."""
    unreadable = Span(NOW, NOW, has_unreadable=True)
    assert next_cursor(KPX, days_ago(0.1), unreadable, NOW) == days_ago(0.1)
    assert next_cursor(KPX, days_ago(3), unreadable, NOW) == NOW - timedelta(seconds=HOLD_S)
    late = Span(days_ago(40), days_ago(60), has_unreadable=True)
    assert next_cursor(KPX, days_ago(70), late, NOW) == days_ago(60)
    hourly = Declaration("kma", "45 * * * *", 0, "instant", "Asia/Seoul", window_s=10_800)
    assert next_cursor(hourly, days_ago(0.5), unreadable, NOW) == NOW - timedelta(seconds=5_400)


def test_rounds_are_as_far_apart_as_the_tightest_quota_wants():
    """Ten calls of 300 a day are 48 minutes apart; without a quota nothing waits."""
    habits = Declaration("x", "every 15m", 900, "end", "UTC", quotas=(Quota(300, 86_400), Quota(60, 60)))
    assert even_gap_s(habits, 10) == 2_880
    assert even_gap_s(Declaration("y", "every 15m", 900, "end", "UTC"), 10) == 0


def test_a_revision_longer_than_a_run_asks_for_is_refused():
    """It would be marked as done after its first part."""
    with pytest.raises(ValueError, match="revision of 172800 s"):
        Declaration("x", "every 15m", 900, "end", "UTC", revisions=(Revision(172_800, 3600),))
