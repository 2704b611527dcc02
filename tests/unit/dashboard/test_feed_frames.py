"""Pages miss nothing and are told nothing twice."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from dashboard.broadcast import MAX_WAITING_BYTES, Broadcast, Frame, Page
from dashboard.cursor import covers, decode, encode
from dashboard.feed import encode_changes, sse
from dashboard.fleet import LIVE_COLUMNS, Changes, Fleet
from dashboard.routes_live import stream_events
from heliograph.contracts import Aggregate, Alert, AlertAction, PlantWindow, RegionWindow

START = datetime(2026, 6, 1, 3, tzinfo=UTC)


def plant_window(plant_id: str = "p1", after_s: int = 0, kw: float = 5.0, revision: int = 0) -> PlantWindow:
    start = START + timedelta(seconds=after_s)
    power = Aggregate(count=1, sum=kw, min=kw, max=kw, mean=kw, first=kw, last=kw)
    return PlantWindow(v=1, plant_id=plant_id, region="KR-46", window="10s", window_start=start, revision=revision,
                       window_end=start + timedelta(seconds=10), readings=1, capacity_kw=10.0, generation_kw=power,
                       state="ok")  # fmt: skip


def partial(partition: str, after_s: int, kw: float) -> RegionWindow:
    start = START + timedelta(seconds=after_s)
    return RegionWindow(v=1, region="KR-46", partition=partition, window="10s", window_start=start, readings=1,
                        window_end=start + timedelta(seconds=10), plants=1, capacity_kw=10.0,
                        generation_kw=kw)  # fmt: skip


def alert(state: str = "open", minutes: int = 0) -> Alert:
    at = START + timedelta(minutes=minutes)
    return Alert(v=1, alert_id="p1:trip:x", rule="trip", severity="critical", state=state, region="KR-46",
                 plant_id="p1", onset=START, updated_at=at, message="m")  # fmt: skip


@given(st.dictionaries(st.sampled_from("01234567"), st.integers(-1, 10**12), min_size=1))
def test_cursors_survive_the_way_to_the_page_and_back(cursor: dict[str, int]) -> None:
    """A cursor comes back from its text as it was."""
    assert decode(encode(cursor)) == cursor


def test_a_made_up_cursor_is_none() -> None:
    """Whatever a page sends that is no cursor counts as none."""
    for text in ("", "x", "1-", "-1", "1-2.", "0-1;drop", "0-99999999999999999999999", "é-1", "0-１"):
        assert decode(text) is None


def test_a_page_gets_exactly_what_it_missed(rng: random.Random) -> None:
    """For any place that a page left off, what it gets then is all that followed, once, in order."""
    broadcast, cursor, sent = Broadcast(10**6), {}, []
    for n in range(50):
        partition = str(rng.randrange(3))
        broadcast.starts_at(partition, cursor.get(partition, 100) + 1)
        cursor[partition] = cursor.get(partition, 100) + 1
        frame = Frame(dict(cursor), b"%d;" % n)
        broadcast.send(frame)
        sent.append(frame)
    for place, frame in enumerate(sent):
        after = broadcast.missed(frame.cursor)
        if after is not None:
            assert after == sent[place + 1 :]
    assert broadcast.missed(sent[-1].cursor) == []


def test_a_page_that_missed_more_than_is_kept_starts_anew() -> None:
    """Once frames have been dropped, a cursor from before them is answered by a reset."""
    broadcast = Broadcast(20)
    for n in range(1, 10):
        broadcast.starts_at("0", 1)
        broadcast.send(Frame({"0": n}, b"x" * 8))
    assert broadcast.missed({"0": 2}) is None
    assert [frame.cursor for frame in broadcast.missed({"0": 8}) or []] == [{"0": 9}]


def test_a_partition_first_seen_late_needs_no_reset() -> None:
    """A cursor that does not name a partition that was silent until now has missed nothing of it."""
    assert covers({"0": 5}, {"0": 5, "1": -1})


async def test_a_slow_page_is_cut_off_and_others_are_not() -> None:
    """A page that does not take what it is sent costs bounded memory and nobody else's time."""
    broadcast, slow, fast = Broadcast(10**9), Page(), Page()
    broadcast.pages |= {slow, fast}
    for _ in range(MAX_WAITING_BYTES // 10**6 + 2):
        broadcast.send_unkept(b"x" * 10**6)
        fast.take()
    assert slow.cut_off
    assert not fast.cut_off
    assert slow.waiting_bytes <= MAX_WAITING_BYTES


async def test_a_stream_ends_when_the_service_stops() -> None:
    """An open stream does not hold a shutdown back, and leaves no listener behind."""
    broadcast = Broadcast(10**6)
    stream = stream_events(broadcast, None, {"stale": False}, lambda: True)
    assert await anext(stream) == b"retry: 1000\n\n"
    assert b"event: heartbeat" in await anext(stream)
    waiting = asyncio.ensure_future(anext(stream, None))
    broadcast.send(Frame({"0": 1}, sse("note", {"n": 1}, "0-1")))
    assert await waiting == b'id: 0-1\nevent: note\ndata: {"n":1}\n\n'
    waiting = asyncio.ensure_future(anext(stream, None))
    await asyncio.sleep(0)
    broadcast.close()
    assert await waiting is None
    assert broadcast.pages == set()


def test_a_page_that_comes_back_gets_only_what_it_has_not_seen() -> None:
    """Another dashboard reads the partitions in another order: a frame counts by the events that it tells itself."""
    broadcast = Broadcast(10**6)
    for partition, sequence in (("0", 4), ("1", 7), ("0", 5)):
        broadcast.starts_at(partition, sequence)
    broadcast.send(Frame({"0": 4}, b"a", {"0": 4}))
    broadcast.send(Frame({"0": 4, "1": 7}, b"b", {"1": 7}))
    broadcast.send(Frame({"0": 5, "1": 7}, b"c", {"0": 5}))
    assert [frame.data for frame in broadcast.missed({"0": 5, "1": 6}) or []] == [b"b"]


async def test_a_page_is_asked_for_its_sign_in_at_heartbeats_only() -> None:
    """However much is told, a page's sign-in is looked at once in the time of a heartbeat."""
    broadcast, now, asked = Broadcast(10**6), [0.0], []
    stream = stream_events(
        broadcast, None, {"stale": False}, lambda: asked.append(now[0]) or now[0] < 12, lambda: now[0]
    )
    await anext(stream)
    await anext(stream)
    for now[0] in range(12):
        broadcast.send_unkept(b"news")
        assert await anext(stream) == b"news"
    for now[0] in range(12, 15):
        broadcast.send_unkept(b"news")
        assert await anext(stream) == b"news"
    now[0] = 15
    broadcast.send_unkept(b"news")
    assert await anext(stream, None) is None
    assert asked == [5, 10, 15]


async def test_the_past_that_is_read_first_is_no_news() -> None:
    """A page that comes while the feed still reads the past is let in when that is done, and told nothing of it."""
    broadcast = Broadcast(10**6)
    broadcast.caught_up.clear()
    stream = stream_events(broadcast, None, {"stale": False}, lambda: True)
    await anext(stream)
    beginning = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    broadcast.send(Frame({"0": 1}, sse("note", {"n": 1}, "0-1")))
    broadcast.caught_up.set()
    assert (await beginning).startswith(b"id: 0-1\nevent: heartbeat")
    broadcast.close()
    assert await anext(stream, None) is None


def test_only_the_last_event_of_a_frame_moves_the_cursor() -> None:
    """A page that is cut off in the middle of a frame gets the whole frame again."""
    fleet, changes = Fleet(), Changes()
    fleet.apply([plant_window(), partial("0", 0, 5.0), alert()], changes)
    text = encode_changes(changes, fleet, {"0": 7}).decode()
    assert [line for line in text.splitlines() if line.startswith("event")] == [
        "event: windows", "event: regions", "event: alert",
    ]  # fmt: skip
    assert text.count("id: 0-7") == 1
    assert text.index("id: 0-7") > text.index("event: regions")


def test_only_newer_windows_are_told(rng: random.Random) -> None:
    """In whatever order windows come, a plant shows the latest end and revision, and nothing older is told."""
    windows = [plant_window(after_s=10 * n, revision=r) for n in range(5) for r in (0, 1)]
    rng.shuffle(windows)
    fleet = Fleet()
    for window in [*windows, *windows]:
        changes, before = Changes(), fleet.plants.get("p1")
        fleet.apply([window], changes)
        newer = before is None or (window.window_end, window.revision) > (before.window_end, before.revision)
        assert bool(changes) == newer
    assert (fleet.plants["p1"].window_start, fleet.plants["p1"].revision) == (START + timedelta(seconds=40), 1)


def test_open_alerts_are_counted_once() -> None:
    """An alert told twice counts once; resolved, by whom ever, it does not count, and does not come back."""
    fleet = Fleet()
    fleet.apply([plant_window(), alert(), alert(minutes=1)], Changes())
    assert fleet.open_alerts("p1") == 1
    changes = Changes()
    resolve = AlertAction(v=1, action_id="a", alert_id="p1:trip:x", action="resolve", by="kim", at=START)
    fleet.apply([resolve, alert(minutes=2)], changes)
    assert fleet.open_alerts("p1") == 0
    row = dict(zip(LIVE_COLUMNS, fleet.live_rows(changes.plants)[0], strict=True))
    assert row["open_alerts"] == 0


def test_an_alert_that_is_reopened_counts_again() -> None:
    """The end of an alert is the last word on it, unless late readings showed that it went on."""
    fleet, over = Fleet(), alert("resolved", 5)
    fleet.apply([plant_window(), alert(), over, alert("open", 2)], Changes())
    assert fleet.all_open_alerts == 0
    fleet.apply([msgspec.structs.replace(alert("open", 5), reopened=True)], Changes())
    assert fleet.all_open_alerts == 1
    fleet.apply([msgspec.structs.replace(alert("resolved", 9), reopened=True)], Changes())
    assert fleet.all_open_alerts == 0


def test_a_stored_alert_that_the_feed_saw_end_does_not_count() -> None:
    """What Cosmos still says of an alert, read before the sink took its end, does not open it again."""
    fleet = Fleet()
    fleet.apply([plant_window(), alert("resolved", 5)], Changes())
    fleet.open_alert("p1:trip:x", "p1")
    fleet.open_alert("p1:stuck:x", "p1")
    assert (fleet.all_open_alerts, fleet.open_alerts("p1")) == (1, 1)
    fleet.apply([msgspec.structs.replace(alert("open", 5), reopened=True)], Changes())
    assert fleet.open_alerts("p1") == 2


def test_regions_sum_the_present_partials() -> None:
    """A region is the sum of what its partitions last said, those a little behind too, one long silent not."""
    fleet = Fleet()
    fleet.apply([partial("2", 0, 100.0), partial("0", 100, 5.0), partial("1", 80, 7.0)], Changes())
    [row] = fleet.region_rows(["KR-46"])
    assert (row[1], row[2], row[5], row[9]) == ("Jeonnam", "전남", 12.0, 2)


def test_a_provider_that_is_behind_counts_while_it_goes_on_telling() -> None:
    """A partial a quarter of an hour behind counts beside newer ones for three windows after it was told; one of hours
    ago does not count at all."""
    fleet = Fleet()
    fleet.apply([partial("0", 8000, 5.0), partial("slow", 7100, 7.0), partial("past", 0, 100.0)], Changes())
    sums = []
    for later_s in range(10, 60, 10):
        fleet.apply([partial("0", 8000 + later_s, 5.0)], Changes())
        [row] = fleet.region_rows(["KR-46"])
        sums.append(row[5])
    assert sums == [12.0, 12.0, 12.0, 5.0, 5.0]
    fleet.apply([partial("slow", 7140, 8.0)], Changes())
    assert fleet.region_rows(["KR-46"])[0][5] == 13.0


def test_events_are_json_on_one_line() -> None:
    """A text with line ends stays one event."""
    frame = sse("note", {"text": "a\nb\r\n\nid: 5"})
    assert frame.count(b"\n") == 3
    assert msgspec.json.decode(frame.split(b"data: ")[1]) == {"text": "a\nb\r\n\nid: 5"}
