"""Reading the body of a request, never more of it than a limit."""

from __future__ import annotations

from fastapi import HTTPException, Request

MAX_BODY_BYTES = 4 * 1024 * 1024


async def read_body(request: Request, limit: int = MAX_BODY_BYTES) -> bytes:
    """The raw body. Raises 413."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise HTTPException(413, f"the body has more than {limit} bytes")
    return bytes(body)
