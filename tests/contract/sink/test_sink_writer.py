"""The sink's writer against a real Cosmos DB server: exact under redelivery, corrections, refusals and throttling."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from azure.core.exceptions import HttpResponseError
from msgspec.structs import replace

from heliograph.contracts import Aggregate, Alert, AlertAction, Note, Photo, PlantWindow, RegionWindow, alert_id
from heliograph.dead_letters import DeadLetter, parse_dead_letters
from heliograph.rows import region_windows
from heliograph.storage import ALERTS, CONTAINERS, LATEST, NOTES, PHOTOS, WINDOWS, ContainerSpec, cell_of
from heliograph.topology import DATABASE, INSIGHTS_HUB
from heliograph.wire import insights_codec
from local_azure.faults import Fault, FaultKind
from sink.journal import Commit, journal
from sink.latest import newest
from sink.store import Operation

CELLS = 32
ONSET = datetime(2026, 6, 1, 3, tzinfo=UTC)


def alert(minutes: int, plant_id: str = "p1", **fields) -> Alert:
    at = ONSET + timedelta(minutes=minutes)
    known = {"alert_id": alert_id(plant_id, "trip", ONSET), "state": "open", **fields}
    return Alert(v=1, rule="trip", severity="critical", region="KR-46", plant_id=plant_id, onset=ONSET, updated_at=at,
                 message="tripped", **known)  # fmt: skip


async def test_replicas_that_start_together_make_the_containers_once(account) -> None:
    """Who finds that another was faster at making the database or a container goes on with what is there."""
    await asyncio.gather(*(account.replica() for _ in range(6)))
    database = account.client.get_database_client(DATABASE)
    assert {one["id"] async for one in database.list_containers()} == {spec.name for spec in CONTAINERS}


async def test_containers_are_made_as_described(account) -> None:
    """Partition keys, indexed paths and times to live in Cosmos are those of `heliograph.storage`."""
    await account.replica()
    await account.replica()
    database = account.client.get_database_client(DATABASE)
    for spec in CONTAINERS:
        properties = await database.get_container_client(spec.name).read()
        included = [entry["path"] for entry in properties["indexingPolicy"]["includedPaths"]]
        assert properties["partitionKey"]["paths"] == [spec.partition_key]
        assert included == [f"{path}/?" for path in (spec.partition_key, *spec.indexed)]
        assert properties["defaultTtl"] == spec.default_ttl_s


async def test_redelivery_and_corrections_in_any_grouping(account, make_plant, rng: random.Random) -> None:
    """However events are grouped, repeated and overtaken, each window is there once, at its last revision."""
    sink = await account.replica()
    stream = [make_plant(f"p{n % 7}", 10 * (n // 7), float(n), 0) for n in range(140)]
    stream += [make_plant(w.plant_id, (w.window_start - ONSET).total_seconds(), 7.5, 1) for w in rng.sample(stream, 40)]
    position = 0
    while position < len(stream):
        size = rng.randrange(1, 40)
        await sink.commit(stream[position : position + size], position, position + size - 1)
        position += size if rng.random() < 0.7 else 0
    expected = {(w.plant_id, w.window_start): w for w in stream}
    assert {(w.plant_id, w.window_start): w for w in await account.windows()} == expected


async def test_an_older_revision_never_shows_over_a_newer(account, make_plant) -> None:
    """A stale revision that is written last, by another replica, changes nothing."""
    new, old = await account.replica(), await account.replica()
    await new.commit([make_plant("p1", 0, 2.0, revision=2)], 5, 5)
    await old.commit([make_plant("p1", 0, 1.0, revision=1)], 9, 9)
    [window] = await account.windows()
    assert window.revision == 2


async def test_region_partials_of_all_partitions(account) -> None:
    """The partials of a region are all there, for their readers to sum."""
    sink = await account.replica()
    partials = [
        RegionWindow(v=1, region="KR-46", partition=str(p), window="10s", window_start=ONSET,
                     window_end=ONSET + timedelta(seconds=10), readings=1, plants=1, capacity_kw=10.0,
                     generation_kw=float(p))
        for p in range(8)
    ]  # fmt: skip
    for partial in partials:
        await sink.commit([partial], int(partial.partition), int(partial.partition))
    assert region_windows(await account.documents(WINDOWS.name)) == partials


async def test_records_of_every_kind(account) -> None:
    """An acknowledgement before its alert, a note, and a photo that is deleted end as they should."""
    sink = await account.replica()
    action = AlertAction(v=1, action_id="a1", alert_id=alert(1).alert_id, action="acknowledge", by="kim", at=ONSET)
    note = Note(v=1, note_id="n1", plant_id="p1", author="kim", text="cleaned", at=ONSET)
    photo = Photo(v=1, photo_id="f1", plant_id="p1", blob="p1/x", etag="e", uploaded_at=ONSET)
    gone = Photo(v=1, photo_id="f1", plant_id="p1", blob="p1/x", etag="e", uploaded_at=ONSET, deleted=True)
    for _ in range(2):
        await sink.commit([action, note, gone])
        await sink.commit([alert(1), photo, note, alert(2)], 1, 1)
    [stored] = await account.documents(ALERTS.name)
    assert (stored["status"], stored["updated_at"], len(stored["actions"])) == (
        "acknowledged",
        "2026-06-01T03:02:00Z",
        1,
    )
    assert [d["text"] for d in await account.documents(NOTES.name)] == ["cleaned"]
    assert [d["deleted"] for d in await account.documents(PHOTOS.name)] == [True]


async def test_replicas_that_write_one_alert_lose_nothing(account) -> None:
    """Two replicas that add actions to one alert at the same time both succeed."""
    replicas = [await account.replica() for _ in range(2)]
    actions = [
        AlertAction(v=1, action_id=f"a{n}", alert_id=alert(1).alert_id, action="acknowledge", by="kim", at=ONSET)
        for n in range(10)
    ]
    await asyncio.gather(*(replicas[n % 2].commit([action], n, n) for n, action in enumerate(actions)))
    [stored] = await account.documents(ALERTS.name)
    assert {action["action_id"] for action in stored["actions"]} == {f"a{n}" for n in range(10)}


async def test_latest_states_of_two_replicas_merge(account, make_plant) -> None:
    """A replica that holds an outdated copy of a cell's latest state merges, and never writes an older over a newer."""
    first, second = await account.replica(), await account.replica()
    cell = cell_of("p1", 32)
    await first.states.merge(cell, newest([make_plant("p1", 0, 1.0)]))
    await second.states.merge(cell, newest([make_plant("p1", 50, 2.0)]))
    await first.states.merge(cell, newest([make_plant("p1", 20, 3.0), make_plant("other", 20, 3.0)]))
    [document] = await account.documents(LATEST.name)
    assert document["last"] == "2026-06-01T03:01:00Z"
    assert set(document["rows"]) == {"p1", "other"}


async def test_poison_goes_to_the_dead_letters(account) -> None:
    """What Cosmos refuses is kept with Cosmos's own error and its place; what came with it is stored."""
    sink = await account.replica()
    poison = alert(1, alert_id="x" * 1100)
    await sink.commit([poison, alert(1), Note(v=1, note_id="n1", plant_id="p1", author="k", text="t", at=ONSET)], 7, 9)
    assert [d["plant_id"] for d in await account.documents(ALERTS.name)] == ["p1"]
    [letter] = [one for one in await letters_of(account) if one.sequence == 7]
    assert b"x" * 1100 in letter.original
    assert (letter.reason, letter.source, letter.partition, letter.sequence) == ("cosmos-refused", INSIGHTS_HUB, "0", 7)
    assert letter.detail.startswith("400")


async def letters_of(account) -> list[DeadLetter]:
    names = [name async for name in account.folder.names("sink/insights/0/")]
    return [letter for name in names for letter in parse_dead_letters((await account.folder.get(name)).data)]


def of_one_cell(make_plant, plants: int, windows: int) -> list[PlantWindow]:
    """Windows of plants that share a cell, back to back."""
    names = [name for name in (f"p{n}" for n in range(100 * plants)) if cell_of(name, CELLS) == "c0003"][:plants]
    return [make_plant(name, 10 * n, 100.0 + n) for n in range(windows) for name in names]


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
async def test_a_batch_that_is_too_big_loses_nothing(account, make_plant, rng: random.Random) -> None:
    """What Cosmos refuses as a whole, because it is over 2 MB together, is written in parts, and is no letter."""
    sink = await account.replica()
    weather = ("poa_w_m2", "ghi_w_m2", "module_c", "module_c_max", "ambient_c", "wind_m_s", "performance_ratio")
    values = [rng.uniform(100, 900) for _ in range(3)]
    power = Aggregate(count=3, sum=sum(values), min=min(values), max=max(values), mean=sum(values) / 3,
                      first=values[0], last=values[-1])  # fmt: skip
    windows = [
        replace(window, generation_kw=power, **{name: rng.uniform(100, 900) for name in weather})
        for window in of_one_cell(make_plant, 100, 80)
    ]
    before = len(await letters_of(account))
    await sink.commit(windows, 40, 49)
    assert sorted(await account.windows(), key=_place) == sorted(windows, key=_place)
    assert len(await letters_of(account)) == before
    assert {span.pk for span in sink.marks.due(1e12)} == {"c0003"}


def _place(window: PlantWindow) -> tuple[str, datetime]:
    return window.plant_id, window.window_start


async def test_refused_windows_can_be_sent_again(account, make_plant, monkeypatch) -> None:
    """A document that Cosmos refuses is found among the others; its letters hold the windows as the hub carries them,
    within the size of an event, and come to the same document."""
    sink = await account.replica()
    write = sink.store.batch

    async def batch(spec: ContainerSpec, pk: str, operations: Sequence[Operation]) -> object:
        if any(operation[1][0].get("window") == "60s" for operation in operations):
            raise HttpResponseError("too large", SimpleNamespace(status_code=413, reason="too large"))
        return await write(spec, pk, operations)

    monkeypatch.setattr(sink.store, "batch", batch)
    monkeypatch.setattr("sink.writer.MAX_WINDOWS_IN_LETTER", 10)
    good, commit = of_one_cell(make_plant, 4, 5), Commit("0", 60, 69, 1)
    bad = [replace(window, window="60s") for window in good]
    await sink.writer.commit([*good[:10], *bad, *good[10:]], commit)
    assert sorted(await account.windows(), key=_place) == sorted(good, key=_place)
    letters = [letter for letter in await letters_of(account) if letter.sequence == 60]
    assert [(letter.index, letter.detail) for letter in letters] == [(0, "413: too large"), (1, "413: too large")]
    decoded = [insights_codec.decode(letter.original) for letter in letters]
    assert not any(one.rejected for one in decoded)
    again = [window for one in decoded for window in one.messages]
    assert journal(again, commit, CELLS).documents == journal(bad, commit, CELLS).documents


async def test_429_is_waited_out(account, make_plant) -> None:
    """A throttled write comes through after the time that Cosmos asked for, at a lower rate."""
    sink = await account.replica(ru_budget_per_s=1000)
    account.server.faults.add(Fault(FaultKind.THROTTLE, operation="batch", count=4, retry_after_s=0.2))
    began = time.monotonic()
    await sink.commit([make_plant("p1", 0, 1.0)])
    assert time.monotonic() - began >= 0.4
    assert sink.store._budget.rate_per_s < 1000
    assert len(await account.windows()) == 1


async def test_the_budget_is_kept_to(account, make_plant) -> None:
    """A replica with a small budget writes everything, no faster than the budget allows."""
    sink = await account.replica(ru_budget_per_s=200)
    began = time.monotonic()
    for step in range(10):
        await sink.commit([make_plant(f"p{n}", 10 * step, 1.0) for n in range(10)], step, step)
    took_s = time.monotonic() - began
    least_ru = 100 * 6.0
    assert took_s > (least_ru - 200) / 200
    assert len(await account.windows()) == 100


@pytest.mark.parametrize(
    "kind", [FaultKind.LOST_ACK, FaultKind.UNAVAILABLE, FaultKind.DROP_CONNECTION, FaultKind.TIMEOUT]
)
async def test_failures_of_cosmos_lose_and_double_nothing(account, make_plant, kind: FaultKind) -> None:
    """Lost answers, 503, cut connections and time-outs only make the sink slower."""
    sink = await account.replica()
    account.server.faults.add(Fault(kind, operation="batch", count=3))
    insights = [make_plant(f"p{n}", 0, float(n)) for n in range(40)]
    await sink.commit([*insights, alert(1)])
    assert sorted(w.plant_id for w in await account.windows()) == sorted(w.plant_id for w in insights)
    assert len(await account.documents(ALERTS.name)) == 1


async def test_what_is_not_poison_is_raised(account, make_plant) -> None:
    """A refusal that no document is to blame for, such as a wrong key, ends the commit: it must not become a letter."""
    sink = await account.replica()
    account.server.faults.add(Fault(FaultKind.REFUSE_CLAIMS, operation="batch", count=50))
    with pytest.raises(ExceptionGroup) as raised:
        await sink.commit([make_plant("p1", 0, 1.0)])
    [error] = raised.value.exceptions
    assert isinstance(error, HttpResponseError)
    assert error.status_code == 401
