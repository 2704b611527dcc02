"""What the API's doors let in: moments and days that make sense, bodies of a bounded size, and how they say no."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from http import HTTPStatus
from typing import Annotated, Any, Final, TypeVar, cast

from azure.core.exceptions import AzureError
from azure.eventhub.exceptions import EventHubError
from fastapi import HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import AfterValidator, BeforeValidator
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from heliograph.resilience import is_transient
from heliograph.telemetry import log

T = TypeVar("T", date, datetime)

FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2199
JSON_BYTES: Final = 64 * 1024
_MULTIPART_BYTES: Final = 64 * 1024
"""What the frame around an uploaded file may take."""


def _is_text_of_time(value: object) -> object:
    """pydantic takes a bare number for seconds since the epoch; we say ISO 8601 and mean it."""
    if isinstance(value, str) and value.lstrip("+-").replace(".", "", 1).isdigit():
        raise ValueError(f"{value} is not ISO 8601, e.g. 2026-11-23T08:00:00Z")
    return value


def _is_of_our_time(value: T) -> T:
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise ValueError(f"{value.isoformat()} lies outside the years {FIRST_YEAR} to {LAST_YEAR}")
    return value


Moment = Annotated[datetime, BeforeValidator(_is_text_of_time), AfterValidator(_is_of_our_time)]
Day = Annotated[date, BeforeValidator(_is_text_of_time), AfterValidator(_is_of_our_time)]


def refusals(*codes: int) -> dict[int | str, dict[str, Any]]:
    """How OpenAPI tells of answers that say no, each `{"detail": "…"}`."""
    schema = {"type": "object", "properties": {"detail": {"type": "string"}}, "required": ["detail"]}
    content = {"application/json": {"schema": schema}}
    return {code: {"description": HTTPStatus(code).phrase, "content": content} for code in codes}


NEIGHBOURS_FAIL: Final = (AzureError, EventHubError, TimeoutError, ConnectionError)


async def neighbour_fails(_request: Request, error: Exception) -> JSONResponse:
    """503 where trying again may help. Raises the error again where it won't."""
    if not is_transient(error):
        raise error
    log.warning("a neighbour fails", error=f"{type(error).__name__}: {error}")
    detail = "what this needs does not answer now; try again soon (/readyz says what fails)"
    return JSONResponse({"detail": detail}, 503, {"Retry-After": "5"})


async def wrong_input(_request: Request, error: Exception) -> JSONResponse:
    """422 in the form of every other answer that says no, naming each field that is wrong and what it was given."""
    errors = cast("RequestValidationError", error).errors()
    return JSONResponse({"detail": "; ".join(_wrong(one) for one in errors)}, 422)


def _wrong(error: Mapping[str, Any]) -> str:
    given = error.get("input")
    # A body as a whole may hold a password as well.
    telling = isinstance(given, str | int | float) and "password" not in error["loc"]
    field = " ".join(str(part) for part in error["loc"])
    return f"{field}: {error['msg']}{f', not {given!r:.100}' if telling else ''}"


class BoundedBodies:
    """Stops a body that is too big as it comes, before any of our code or the disk has to hold it."""

    def __init__(self, app: ASGIApp, max_upload_bytes: int) -> None:
        self._app = app
        self._max_upload_bytes = max_upload_bytes + _MULTIPART_BYTES

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_upload = dict(scope["headers"]).get(b"content-type", b"").startswith(b"multipart/form-data")
        limit = self._max_upload_bytes if is_upload else JSON_BYTES
        taken = 0

        async def receive_bounded() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > limit:
                raise HTTPException(413, f"the request's body is over {limit} bytes")
            return message

        await self._app(scope, receive_bounded, send)
