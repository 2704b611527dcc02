"""Reading the body of a request, never more of it than a limit."""

from __future__ import annotations

import asyncio

from fastapi import HTTPException, Request

MAX_BODY_BYTES = 4 * 1024 * 1024
MAX_BODY_S = 60.0
"""A caller that went away without a word must not hold its place for ever."""


async def read_body(request: Request, limit: int = MAX_BODY_BYTES) -> bytes:
    """The raw body. Raises 408 or 413."""
    body = bytearray()
    try:
        async with asyncio.timeout(MAX_BODY_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise HTTPException(413, f"the body has more than {limit} bytes")
    except TimeoutError:
        raise HTTPException(408, f"the body was not there after {MAX_BODY_S:g} s") from None
    return bytes(body)
