"""The door of the push routes: what is looked at, counted and kept before and beside the readings themselves."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from starlette.types import Message

from ingest import request_body
from ingest.authority import Authority, KeyRing
from ingest.idempotency import Idempotency, InProgressError, Replied
from ingest.intake import Intake, Lane
from ingest.packer import Packer
from ingest.push import MAX_NOTE_BYTES, Pressure, PushDesk, push_routes
from ingest.web import build_app

MEGABYTE = bytes(1_000_000)
_JSON = b"application/json"


class Caller:
    """One request over ASGI, so that what is read of its body can be counted."""

    def __init__(self, path: str, *chunks: bytes, wait: asyncio.Event | None = None, media: bytes = _JSON) -> None:
        self.read = 0
        self.status = 0
        self._path = path
        self._chunks = chunks
        self._wait = wait
        self._headers = [(b"content-type", media)] if media else []

    async def receive(self) -> Message:
        if self._wait:
            await self._wait.wait()
        self.read += 1
        return {"type": "http.request", "body": self._chunks[self.read - 1], "more_body": self.read < len(self._chunks)}

    async def send(self, message: Message) -> None:
        self.status = self.status or message["status"]

    async def call(self, desk: PushDesk) -> int:
        app = build_app()
        app.include_router(push_routes(desk))
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "path": self._path,
            "raw_path": self._path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": self._headers,
            "scheme": "http",
            "server": ("ingest", 80),
            "client": ("caller", 1),
        }
        await app(scope, self.receive, self.send)
        return self.status


def desk(host: str = "127.0.0.1", most_requests: int = 64) -> PushDesk:
    return PushDesk(
        cast("Intake", None),
        cast("Packer", None),
        Authority(host=host, keys=KeyRing({}), tokens=None, master_key="m" if host != "127.0.0.1" else ""),
        Pressure(lambda: 0.0, lambda: False, most_requests=most_requests),
        lookup=lambda _plant: None,
        lane=Lane("push", memory=100),
    )


@pytest.mark.parametrize("path", ["/v1/readings", "/v1/notes"])
async def test_nothing_of_a_body_is_read_before_the_key(path: str):
    """Who has no key gets 401 before the first byte of the body."""
    caller = Caller(path, *[MEGABYTE] * 20)
    assert (await caller.call(desk("0.0.0.0")), caller.read) == (401, 0)


@pytest.mark.parametrize(("path", "most"), [("/v1/readings", 5), ("/v1/notes", 1)])
async def test_a_body_is_read_up_to_its_limit(path: str, most: int):
    """A body that goes on and on is cut off with 413."""
    caller = Caller(path, *[MEGABYTE] * 20)
    assert (await caller.call(desk()), caller.read) == (413, most)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 422),
        (b'{"plant_id": "p", "author": "a"}', 422),
        (b'{"plant_id": "p", "author": "a", "text": "t", "more": 1}', 422),
        (b'{"plant_id": "p", "author": "a", "text": "t", "at": "2026-06-21T03:00:00"}', 422),
        (b'{"plant_id": "p", "author": "a", "text": "t", "at": "2026-06-21T03:00:00Z"}', 404),
        (b'{"plant_id": "p", "author": "a", "text": "%s"}' % (b"\\ud83d\\ude00" * 4000), 404),
    ],
)
async def test_a_note_is_judged_as_a_whole(body: bytes, status: int):
    """No JSON is 400, no note 422, an unknown plant 404; the longest text fits, however it is written."""
    assert len(body) < MAX_NOTE_BYTES
    assert await Caller("/v1/notes", body).call(desk()) == status


@pytest.mark.parametrize("media", [b"", b"text/plain", b"application/x-www-form-urlencoded"])
async def test_a_note_must_say_that_it_is_json(media: bytes):
    """Else any page in an operator's browser could write notes on a service that listens on loopback."""
    note = b'{"plant_id": "p", "author": "a", "text": "t"}'
    assert await Caller("/v1/notes", note, media=media).call(desk()) == 415


async def test_pushes_count_from_the_door_on():
    """Requests whose bodies are still on their way take up places too, and give them back."""
    one, bodies = desk(most_requests=8), asyncio.Event()
    calls = [asyncio.create_task(Caller("/v1/notes", b"{", wait=bodies).call(one)) for _ in range(20)]
    while one.in_progress < 8 or sum(call.done() for call in calls) < 12:
        await asyncio.sleep(0.01)
    bodies.set()
    assert sorted(await asyncio.gather(*calls)) == [400] * 8 + [429] * 12
    assert one.in_progress == 0


async def test_a_body_that_never_comes_gives_its_place_back(monkeypatch: pytest.MonkeyPatch):
    """After a while the caller gets 408."""
    monkeypatch.setattr(request_body, "MAX_BODY_S", 0.05)
    one = desk()
    assert await Caller("/v1/notes", b"{", wait=asyncio.Event()).call(one) == 408
    assert one.in_progress == 0


def test_answers_are_kept_up_to_so_many_bytes():
    """The oldest answers give way, the latest stay, and those that were dropped free their bytes."""
    memory = Idempotency(most_bytes=1000)
    for number in range(100):
        assert memory.begin(f"key-{number}", b"") is None
        memory.finish(f"key-{number}", Replied(202, bytes(300)))
    assert [number for number in range(100) if memory.begin(f"key-{number}", b"")] == [97, 98, 99]


def test_an_answer_over_the_bound_is_not_kept():
    """It leaves nothing behind, and the memory works on."""
    memory = Idempotency(most_bytes=1000)
    assert memory.begin("big", b"") is None
    memory.finish("big", Replied(202, bytes(2000)))
    assert memory.begin("big", b"") is None
    with pytest.raises(InProgressError):
        memory.begin("big", b"")
    memory.finish("big", Replied(202, b"small"))
    assert memory.begin("big", b"") == Replied(202, b"small")
