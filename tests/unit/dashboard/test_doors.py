"""Bodies are bounded before anything holds them, and times must make sense."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from pydantic import TypeAdapter, ValidationError

from dashboard.app import build_app
from dashboard.doors import JSON_BYTES, Day, Moment
from dashboard.settings import DashboardSettings

MB = 1024 * 1024


def app(access: str = "public", max_photo_mb: float = 1):
    known = {"cosmos_endpoint": "http://x", "eventhub_namespace": "x", "storage_account": "x"}
    return build_app(DashboardSettings(access=access, max_photo_mb=max_photo_mb, **known))


async def post(path: str, taken: list[int], *, content_type: str, size: int, access: str = "public") -> httpx.Response:
    """Sends a body without telling its length; `taken` gets what the server read of it."""

    async def body() -> AsyncIterator[bytes]:
        head = b'--x\r\ncontent-disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
        yield head if "multipart" in content_type else b'{"text": "'
        for _ in range(size // 65536):
            taken[0] += 65536
            yield b"a" * 65536

    headers = {"content-type": content_type, "x-heliograph": "1"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app(access)), base_url="http://dash.example") as http:
        return await http.post(path, content=body(), headers=headers)


@pytest.mark.parametrize("access", ["public", "open"])
@pytest.mark.parametrize(
    ("path", "content_type", "limit"),
    [
        ("/api/v1/plants/p/photos", "multipart/form-data; boundary=x", MB),
        ("/api/v1/plants/p/notes", "application/json", JSON_BYTES),
        ("/api/v1/login", "application/json", JSON_BYTES),
    ],
)
async def test_a_body_that_is_too_big_is_stopped_as_it_comes(
    access: str, path: str, content_type: str, limit: int
) -> None:
    """An endless body is refused with 413 once it is over its limit, whoever sends it; no more of it is read."""
    taken = [0]
    answer = await post(path, taken, content_type=content_type, size=64 * MB, access=access)
    assert answer.status_code == 413
    assert "bytes" in answer.json()["detail"]
    assert taken[0] <= limit + 4 * 65536


@pytest.mark.parametrize("text", ["0", "0.5", "-1e3", "1234567890", "0285-03-24T00:00:00Z", "9999-12-31T00:00:00Z", ""])
def test_a_moment_is_iso_8601_of_our_time(text: str) -> None:
    """A bare number is no moment, and neither is a year that no plant has seen."""
    with pytest.raises(ValidationError):
        TypeAdapter(Moment).validate_python(text)


def test_days_and_moments_that_make_sense_are_taken() -> None:
    """With an offset, with none, and a plain day."""
    assert TypeAdapter(Moment).validate_python("2026-06-21T12:00:00+09:00").isoformat() == "2026-06-21T12:00:00+09:00"
    assert TypeAdapter(Moment).validate_python("2026-06-21T12:00:00").tzinfo is None
    assert TypeAdapter(Day).validate_python("2026-06-21").isoformat() == "2026-06-21"
