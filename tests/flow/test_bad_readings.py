"""Whatever comes in on the hub, the stream goes on, and what was refused is kept with its reason."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.eventhub import EventData
from azure.storage.blob import ContainerClient

from heliograph.dead_letters import DeadLetter, parse_dead_letters
from heliograph.topology import DEAD_LETTERS
from heliograph.wire import to_event
from tests.flow import batch, readings
from tests.flow.conftest import Stack, eventually

PREFIX = "badly"


def good(**changes: Any) -> dict[str, Any]:
    message = {
        "v": 1, "plant_id": f"{PREFIX}-x", "source": PREFIX, "observed_at": "2026-06-21T03:00:00Z",
        "region": f"{PREFIX}-r", "capacity_kw": 10.0, "generation_kw": 5.0,
    }  # fmt: skip
    return message | changes


def text(**changes: Any) -> bytes:
    return json.dumps(good(**changes)).encode()


FUTURE = (datetime.now(UTC) + timedelta(days=2)).isoformat()
BAD: dict[str, tuple[EventData, str]] = {
    "not JSON": (to_event(b"<error>quota</error>"), "malformed"),
    "a wrong type": (to_event(text(generation_kw="512")), "generation_kw"),
    "NaN": (to_event(text().replace(b"5.0", b"NaN")), "malformed"),
    "a negative capacity": (to_event(text(capacity_kw=-4)), "capacity_kw"),
    "a future stamp": (to_event(text(observed_at=FUTURE)), "future"),
    "an unknown version": (to_event(text(v=7)), "$.v"),
    "a missing field": (to_event(json.dumps({"v": 1}).encode()), "plant_id"),
    "a local time": (to_event(text(observed_at="2026-06-21T03:00:00")), "observed_at"),
    "1 MB of garbage": (EventData(os.urandom(1_000_000)), "malformed"),
    "no text": (EventData(b"\xff\xfe\x00"), "malformed"),
}


def letters(stack: Stack) -> list[DeadLetter]:
    with ContainerClient.from_connection_string(stack.storage, DEAD_LETTERS) as container:
        blobs = [container.download_blob(name).readall() for name in container.list_blob_names()]
    return [letter for blob in blobs for letter in parse_dead_letters(blob)]


@pytest.mark.timeout(120)
def test_each_kind_of_bad_reading_is_dead_lettered(stack: Stack) -> None:
    """Each bad event is kept with its reason and its bytes; the readings around it are analysed as if it were not."""

    sent = readings.fleet(PREFIX, 7, plants=6, seconds=60)
    stack.send(sent[:100])
    for event, _ in BAD.values():
        stack.send_raw(event)
    stack.send(sent[100:])
    kept = eventually(lambda: letters(stack), lambda seen: len(seen) >= len(BAD))
    for kind, (event, word) in BAD.items():
        original = b"".join(event.body)
        match = [one for one in kept if one.original == original]
        assert match, f"{kind}: no dead letter with its bytes"
        assert word in f"{match[0].reason} {match[0].detail}", f"{kind}: {match[0].reason} {match[0].detail}"
    truth = batch.plant_truth(sent)
    windows = eventually(
        lambda: stack.plant_windows(PREFIX), lambda seen: sum(one.readings for one in seen) >= sum(truth["readings"])
    )
    batch.assert_plants_equal(windows, truth)
