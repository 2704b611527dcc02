"""`POST /v1/readings` and `/v1/notes` of the running service."""

from __future__ import annotations

import gzip
import json
import uuid
from collections import defaultdict
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from azure.storage.blob import BlobServiceClient

from tests.conftest import running_azurite
from tests.contract.ingest.ingest_process import CLIENT, Ingest, Tail, dead_letters, running_ingest

pytestmark = pytest.mark.timeout(180)


def reading(number: int = 0, *, minutes_ago: float = 5, **values: Any) -> dict[str, Any]:
    at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    return {"plant_id": f"plant-{number}", "observed_at": at.isoformat(), "module_c": 21.5} | values


def push(service: Ingest, body: Any, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return CLIENT.post(
        f"{service.url}/v1/readings", content=content, headers={"content-type": "application/json"} | named, timeout=30
    )


def test_pushed_readings_reach_the_hub_in_each_plants_order(pushed: Ingest, readings: Tail):
    """Readings of one plant come out of one partition in the order in which they were pushed, however they came."""
    source = f"order-{uuid.uuid4().hex[:8]}"
    rows = [reading(number % 5, minutes_ago=60 - number, source=source) for number in range(50)]
    lines = b"\n".join(json.dumps(row).encode() for row in rows[10:30])
    assert push(pushed, rows[0]).status_code == 202
    assert push(pushed, rows[1:10]).json() == {"accepted": 9, "duplicates": 0, "rejected": []}
    assert push(pushed, lines, content_type="application/x-ndjson").json()["accepted"] == 20
    assert push(pushed, gzip.compress(json.dumps(rows[30:]).encode()), content_encoding="gzip").status_code == 202
    found = readings.take(lambda one: one["source"] == source, 50)
    by_plant: dict[str, list[str]] = defaultdict(list)
    partitions: dict[str, set[str]] = defaultdict(set)
    for one in found:
        by_plant[one["plant_id"]].append(one["observed_at"])
        partitions[one["plant_id"]].add(one["partition"])
    assert all(times == sorted(times) and len(times) == 10 for times in by_plant.values())
    assert all(len(places) == 1 for places in partitions.values())
    assert {(one["region"], one["capacity_kw"]) for one in found} == {("KR-46", 1000.0)}


def test_each_bad_item_is_named_and_kept_and_the_good_ones_are_taken(pushed: Ingest, blobs: BlobServiceClient):
    """207 names each rejected item by place and reason, and the dead letters hold its original."""
    future = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    answer = push(
        pushed,
        [
            reading(1),
            {"plant_id": "plant-1"},
            reading(2, generation_kw=900_000),
            reading(99),
            reading(3, observed_at=future),
            reading(4, module_c=None),
            "garbage",
            reading(5),
        ],
    )
    assert answer.status_code == 207
    body = answer.json()
    assert body["accepted"] == 2
    assert [(one["index"], one["reason"]) for one in body["rejected"]] == [
        (1, "malformed"),
        (2, "power-bounds"),
        (3, "unknown-plant"),
        (4, "future"),
        (5, "empty"),
        (6, "malformed"),
    ]
    letters = dead_letters(blobs, "push")
    assert {"malformed", "power-bounds", "unknown-plant", "future", "empty"} <= {one["reason"] for one in letters}


def test_a_body_that_is_none_is_refused_as_a_whole(pushed: Ingest):
    """No JSON is 400, no reading 422, another type or encoding 415, too much 413, broken gzip 400."""
    assert push(pushed, b"{").status_code == 400
    assert push(pushed, {"plant_id": "plant-1"}).status_code == 422
    assert push(pushed, b"a,b", content_type="text/csv").status_code == 415
    assert push(pushed, b"[]", content_encoding="br").status_code == 415
    assert push(pushed, b"nothing", content_encoding="gzip").status_code == 400
    assert push(pushed, b" " * 5_000_000).status_code == 413
    assert push(pushed, gzip.compress(b" " * 40_000_000), content_encoding="gzip").status_code == 413
    assert push(pushed, [1] * 10_001).status_code == 413


def test_a_repeat_is_a_duplicate_and_other_values_a_revision(pushed: Ingest, readings: Tail):
    """The same reading again is dropped; the same key with other values is sent on, flagged as revised."""
    source = f"again-{uuid.uuid4().hex[:8]}"
    first = reading(7, source=source)
    assert push(pushed, first).json()["accepted"] == 1
    assert push(pushed, first).json() == {"accepted": 0, "duplicates": 1, "rejected": []}
    assert push(pushed, first | {"module_c": 30}).json()["accepted"] == 1
    found = readings.take(lambda one: one["source"] == source, 2)
    assert [one.get("flags", []) for one in found] == [[], ["revised"]]


def test_an_idempotency_key_gets_the_first_answer_again(pushed: Ingest):
    """The same key and body get the same answer; another body under the key is refused."""
    key, body = uuid.uuid4().hex, [reading(8), "garbage"]
    first = push(pushed, body, Idempotency_Key=key)
    assert first.status_code == 207
    again = push(pushed, body, Idempotency_Key=key)
    assert (again.status_code, again.content) == (207, first.content)
    assert push(pushed, [reading(8)], Idempotency_Key=key).status_code == 409


def test_a_note_flows_to_the_insights(pushed: Ingest, insights: Tail):
    """A note for a known plant reaches the hub of insights; with its time or a key a repeat is the same note, without
    either another one; an unknown plant is 404, a wrong field 422 and no JSON 400."""
    text = f"inverter 3 replaced {uuid.uuid4().hex[:6]}"
    note = {"plant_id": "plant-2", "author": "Kim", "text": text, "at": "2026-06-21T03:00:00+09:00"}
    taken = CLIENT.post(f"{pushed.url}/v1/notes", json=note)
    assert taken.status_code == 202
    assert CLIENT.post(f"{pushed.url}/v1/notes", json=note).json() == taken.json()
    timeless = {name: value for name, value in note.items() if name != "at"}
    same, again = ({"Idempotency-Key": uuid.uuid4().hex} for _ in range(2))
    written = [CLIENT.post(f"{pushed.url}/v1/notes", json=timeless, headers=one) for one in ({}, {}, same, same, again)]
    assert len({one.json()["note_id"] for one in written}) == 4
    found = insights.take(lambda one: one.get("text") == text, 5)[0]
    assert (found["kind"], found["note_id"], found["author"]) == ("note", taken.json()["note_id"], "Kim")
    assert CLIENT.post(f"{pushed.url}/v1/notes", json=note | {"plant_id": "x"}).status_code == 404
    assert CLIENT.post(f"{pushed.url}/v1/notes", json=note | {"text": ""}).status_code == 422
    assert CLIENT.post(f"{pushed.url}/v1/notes", json=note | {"colour": "red"}).status_code == 422
    wrong = CLIENT.post(
        f"{pushed.url}/v1/notes", content=b'{"plant_id": ', headers={"content-type": "application/json"}
    )
    assert (wrong.status_code, "no JSON" in wrong.json()["detail"]) == (400, True)


def test_only_known_keys_may_push(pushed: Ingest):
    """Without a known key a push is 401, whatever its body."""
    assert push(pushed, reading(1), X_Api_Key="wrong").status_code == 401
    assert push(pushed, b"{", X_Api_Key="wrong").status_code == 401


def test_a_drained_host_takes_nothing_until_it_is_resumed(pushed: Ingest):
    """While the host drains, pushes get 503 with Retry-After; after resume they are taken again."""
    assert CLIENT.post(f"{pushed.url}/admin/host/drain").status_code == 202
    refused = push(pushed, reading(3))
    assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
    assert CLIENT.post(f"{pushed.url}/admin/host/resume").status_code == 200
    assert push(pushed, reading(3)).status_code == 202


def test_where_bad_items_can_not_be_kept_nothing_is_taken(tmp_path: Path, broker: str, sites_file: Path):
    """Without the blobs, a push with a bad item gets 503 with Retry-After and no item of it is taken; one of good items
    alone is taken."""
    with ExitStack() as storage:
        connection = storage.enter_context(running_azurite(tmp_path))
        env = {"HELIOGRAPH_EVENTHUB_CONNECTION_STRING": broker, "HELIOGRAPH_STORAGE_CONNECTION_STRING": connection}
        with running_ingest(tmp_path, env, sites_url=sites_file) as service:
            storage.close()
            answer = push(service, [reading(1), {"plant_id": "plant-2"}])
            assert (answer.status_code, answer.headers["retry-after"].isdigit()) == (503, True)
            assert answer.json()["detail"].startswith("nothing was kept: ")
            assert service.metric("heliograph_ingest_readings_total") == 0
            assert push(service, [reading(1)]).json()["accepted"] == 1
