"""`POST /v1/readings` and `POST /v1/notes`: what plants and operators send by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Header, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from heliograph import azure_time
from heliograph.contracts import Note
from heliograph.resilience import is_transient
from heliograph.tracing import sourcing
from ingest import metrics
from ingest.authority import Authority, DeniedError
from ingest.idempotency import Idempotency, InProgressError, KeyReusedError, Replied
from ingest.intake import Intake, Lane, Lookup, Receipt
from ingest.observations import Refused
from ingest.packer import Packer
from ingest.push_body import MAX_ITEMS, NDJSON, BodyError, parse_push, reading_schema, unfold
from ingest.request_body import MAX_BODY_BYTES, read_body

MAX_PLAIN_BYTES = 32 * 1024 * 1024
IN_A_THREAD_BYTES = 128 * 1024
MAX_NOTE_BYTES = 64 * 1024
RETRY_AFTER_S = 5

_key_header = APIKeyHeader(name="X-Api-Key", auto_error=False, description="a key whose hash the service knows")
_bearer = HTTPBearer(auto_error=False, description="a token of Entra ID")


class Rejected(BaseModel):
    """One item that was not taken."""

    index: int = Field(description="place in the body, from 0")
    reason: str = Field(description="a short word, e.g. `malformed`, `unknown-plant`, `future`, `power-bounds`")
    detail: str


class Accepted(BaseModel):
    """What became of a push. All that is accepted is on disk."""

    accepted: int
    duplicates: int = Field(description="known already, with the same values")
    rejected: list[Rejected] = []


class Problem(BaseModel):
    """Why nothing was taken."""

    detail: str


class PushedNote(BaseModel):
    """An operator's log entry."""

    model_config = ConfigDict(extra="forbid")

    plant_id: str = Field(min_length=1, max_length=64)
    author: str = Field(min_length=1, max_length=64)
    text: str = Field(min_length=1, max_length=4000)
    at: AwareDatetime | None = Field(None, description="when it happened; now, if left out")


class NoteTaken(BaseModel):
    """The note's id, the same for a repeated note that has a time or a key."""

    note_id: str


@dataclass(frozen=True, slots=True)
class Pressure:
    """Whether the service can take more now."""

    fill: Callable[[], float]
    """Of the outbox, 0 to 1."""
    draining: Callable[[], bool]
    most_requests: int = 64
    """In progress at once, from the door to the answer: a body on its way counts too."""
    most_fill: float = 0.8


class PushDesk:
    """Takes pushes; all of them share one memory for repeated readings."""

    def __init__(
        self, intake: Intake, packer: Packer, authority: Authority, pressure: Pressure, *, lookup: Lookup, lane: Lane
    ) -> None:
        self._intake = intake
        self._packer = packer
        self._authority = authority
        self._pressure = pressure
        self._lookup = lookup
        self._lane = lane
        self._idempotency = Idempotency()
        self.in_progress = 0

    @property
    def is_loaded(self) -> bool:
        """Whether pushes get 429 now."""
        return self.in_progress >= self._pressure.most_requests or self._pressure.fill() >= self._pressure.most_fill

    async def allow(self, key: str | None, token: str | None) -> str:
        """The caller's name. Raises 401, 429 or 503."""
        try:
            name = await self._authority.may_push(key, token)
        except DeniedError as error:
            raise HTTPException(401, str(error), {"WWW-Authenticate": "Bearer"}) from None
        retry = {"Retry-After": str(RETRY_AFTER_S)}
        if self._pressure.draining():
            raise HTTPException(503, "the service drains", retry)
        if self.is_loaded:
            raise HTTPException(429, "readings wait for the hub; try again later", retry)
        return name

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Counts a request for as long as it lasts: to be entered at once after `allow`."""
        self.in_progress += 1
        try:
            yield
        finally:
            self.in_progress -= 1

    async def once(self, caller: str, key: str | None, body: bytes, work: Callable[[], Awaitable[Replied]]) -> Replied:
        """The work's answer, or the one that the same key got before."""
        if key is None:
            return await _kept(work)
        owned = f"{caller} {key}"
        try:
            before = self._idempotency.begin(owned, blake2b(body, digest_size=16).digest())
        except KeyReusedError as error:
            raise HTTPException(409, str(error)) from None
        except InProgressError as error:
            raise HTTPException(409, str(error), {"Retry-After": "1"}) from None
        if before is not None:
            return before
        try:
            reply = await _kept(work)
        except BaseException:
            self._idempotency.forget(owned)
            raise
        self._idempotency.finish(owned, reply)
        return reply

    async def take(self, body: bytes, content_type: str) -> Replied:
        """The readings of a plain body."""
        if len(body) > IN_A_THREAD_BYTES:
            readings, places, bad = await asyncio.to_thread(parse_push, body, content_type)
        else:
            readings, places, bad = parse_push(body, content_type)
        with sourcing("push readings"):
            receipt = await self._intake.submit(self._lane, readings, azure_time.now(), bad)
        return _answer(receipt, places, bad)

    async def take_note(self, note: PushedNote, key: str | None) -> Replied:
        """A note, on its way to the insights. Repeated with its time or its key, it is the same note."""
        if self._lookup(note.plant_id) is None:
            raise HTTPException(404, f"plant {note.plant_id!r} is in no site registry")
        at = note.at or azure_time.now()
        once = key if key and not note.at else at.isoformat()
        said = f"{note.plant_id}\n{note.author}\n{note.text}\n{once}"
        note_id = blake2b(said.encode(), digest_size=12).hexdigest()
        await self._packer.put_note(
            Note(v=1, note_id=note_id, plant_id=note.plant_id, author=note.author, text=note.text, at=at)
        )
        return Replied(202, NoteTaken(note_id=note_id).model_dump_json().encode())


async def _kept(work: Callable[[], Awaitable[Replied]]) -> Replied:
    """The work's answer. Raises 503 where the disk or the dead letters fail."""
    try:
        return await work()
    except Exception as error:
        if not (isinstance(error, OSError) or is_transient(error)):
            raise
        raise HTTPException(503, f"nothing was kept: {error}", {"Retry-After": str(RETRY_AFTER_S)}) from error


def _answer(receipt: Receipt, places: list[int], bad: list[Refused]) -> Replied:
    """`intake` counts among the good ones: their places in the body are given back."""
    known_bad = {id(one) for one in bad}
    placed = [(one.index if id(one) in known_bad else places[one.index], one) for one in receipt.refused]
    placed.sort(key=lambda pair: pair[0])
    rejected = [{"index": place, "reason": one.reason, "detail": one.detail} for place, one in placed]
    body = {"accepted": receipt.accepted, "duplicates": receipt.duplicates, "rejected": rejected}
    return Replied(207 if rejected else 202, msgspec.json.encode(body))


def push_routes(desk: PushDesk) -> APIRouter:
    """The routes."""

    async def let_in(
        request: Request,
        key: Annotated[str | None, Depends(_key_header)],
        bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    ) -> AsyncIterator[None]:
        request.state.caller = await desk.allow(key, bearer.credentials if bearer else None)
        with desk.admitted():
            yield

    routes = APIRouter(prefix="/v1", tags=["push"], dependencies=[Depends(let_in)])

    @routes.post(
        "/readings",
        status_code=202,
        summary="Push readings",
        responses=_RESPONSES,
        response_model=Accepted,
        openapi_extra={"requestBody": _REQUEST_BODY},
    )
    async def push_readings(request: Request, idempotency_key: _IdempotencyKey = None) -> Response:
        """One reading, an array of them, or one a line (`application/x-ndjson`), gzipped if you like.

        Each is judged by itself: `202` when all were taken, `207` names those that were not, and why. What is
        accepted is on disk when you get the answer. Sending a reading again does no harm. Use a fresh
        `Idempotency-Key` for each request to get the same answer to a repeat.
        """
        body = await read_body(request)
        try:
            encoding = request.headers.get("content-encoding", "").strip().lower()
            plain = await asyncio.to_thread(unfold, body, encoding, MAX_PLAIN_BYTES) if encoding else body
            content_type = _media_type(request)
            reply = await desk.once(request.state.caller, idempotency_key, body, lambda: desk.take(plain, content_type))
        except BodyError as error:
            raise HTTPException(error.status, str(error)) from None
        return _response(reply)

    @routes.post(
        "/notes",
        status_code=202,
        summary="Write a note",
        responses=_NOTE_RESPONSES,
        response_model=NoteTaken,
        openapi_extra={"requestBody": _NOTE_BODY},
    )
    async def push_note(request: Request, idempotency_key: _IdempotencyKey = None) -> Response:
        """An operator's log entry for a plant; it appears on the plant's page.

        Repeated with the same `at`, or with the same `Idempotency-Key`, it is the same note; else it is another one.
        """
        _check_json(request)
        note = _note(await read_body(request, MAX_NOTE_BYTES))
        said = note.model_dump_json().encode()
        key, caller = idempotency_key, request.state.caller
        return _response(await desk.once(caller, key, said, lambda: desk.take_note(note, key)))

    return routes


_IdempotencyKey = Annotated[
    str | None,
    Header(alias="Idempotency-Key", min_length=1, max_length=128, description="the same for a repeated request"),
]


def _check_json(request: Request) -> None:
    """A page in a browser can send anything but this to another origin without asking."""
    media_type = _content_type(request, "")
    if media_type != "application/json":
        raise HTTPException(415, f"content-type is {media_type!r}, known is application/json")


def _note(body: bytes) -> PushedNote:
    """Raises 400 or 422."""
    try:
        return PushedNote.model_validate_json(body)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        if faults[0]["type"] == "json_invalid":
            raise HTTPException(400, f"the body is no JSON: {faults[0]['msg']}") from None
        raise RequestValidationError([{**fault, "loc": ("body", *fault["loc"])} for fault in faults]) from None


def _content_type(request: Request, missing: str) -> str:
    """Without its parameters."""
    return request.headers.get("content-type", missing).partition(";")[0].strip().lower()


def _media_type(request: Request) -> str:
    media_type = _content_type(request, "application/json")
    if media_type not in ("application/json", *NDJSON):
        raise BodyError(415, f"content-type is {media_type!r}, known are application/json and {NDJSON[0]}")
    return media_type


def _response(reply: Replied) -> Response:
    metrics.PUSHES.labels(str(reply.status)).inc()
    return Response(reply.body, reply.status, media_type="application/json")


_PROBLEMS: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "no known key or token"},
    408: {"model": Problem, "description": "the body did not come in time"},
    409: {
        "model": Problem,
        "description": "the idempotency key came with another body, or its first request is in progress",
    },
    429: {"model": Problem, "description": "too much waits; `Retry-After` says for how long to pause"},
    503: {"model": Problem, "description": "the service drains, or its disk or dead letters fail; nothing was taken"},
}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    202: {"description": "all were taken"},
    207: {"model": Accepted, "description": "some were not taken: `rejected` names them"},
    400: {"model": Problem, "description": "no JSON, or broken gzip"},
    413: {"model": Problem, "description": f"over {MAX_BODY_BYTES} bytes, or over {MAX_ITEMS} readings"},
    415: {"model": Problem, "description": "another content type or encoding"},
    422: {"description": "the single reading is none"},
    **_PROBLEMS,
}
_NOTE_RESPONSES: dict[int | str, dict[str, Any]] = {
    202: {"description": "taken"},
    400: {"model": Problem, "description": "no JSON"},
    404: {"model": Problem, "description": "no such plant"},
    413: {"model": Problem, "description": f"over {MAX_NOTE_BYTES} bytes"},
    415: {"model": Problem, "description": "another content type"},
    422: {"description": "no such note"},
    **_PROBLEMS,
}
_NOTE_BODY: dict[str, Any] = {
    "required": True,
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/PushedNote"}}},
}
_REQUEST_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "anyOf": [
                    {"$ref": "#/components/schemas/PushedReading"},
                    {"type": "array", "items": {}, "maxItems": MAX_ITEMS, "description": "each judged by itself"},
                ]
            },
            "examples": {
                "one": {
                    "value": {
                        "plant_id": "kr46-00017",
                        "observed_at": "2026-06-21T03:00:00Z",
                        "interval_s": 60,
                        "generation_kw": 412.5,
                        "module_c": 47.1,
                    }
                }
            },
        },
        "application/x-ndjson": {"schema": {"type": "string", "description": "one reading a line"}},
    },
}


def add_schemas(document: dict[str, Any]) -> dict[str, Any]:
    """Puts what FastAPI can't see by itself into the OpenAPI document."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas["PushedReading"] = reading_schema()
    schemas["PushedNote"] = PushedNote.model_json_schema(ref_template="#/components/schemas/{model}")
    return document
