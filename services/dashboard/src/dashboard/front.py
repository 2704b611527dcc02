"""Whether what signs users in really stands in front of us.

In the mode `entra` names come in headers, which Container Apps' authentication sets and takes away from what comes from
outside. Where that authentication is switched off, or the dashboard runs elsewhere, anybody can set them. So we come
from outside ourselves, through our public address, with made-up headers. They are believed only while that attempt is
turned away or loses them on its way.
"""

from __future__ import annotations

import asyncio
from typing import Final
from urllib.parse import urlsplit

import httpx
import msgspec

from heliograph.telemetry import log
from heliograph.wire import UNREADABLE

PATH: Final = "/api/v1/session/front"
"""Answers `{"principal": bool}`: whether sign-in headers came with the request."""
PRINCIPAL_HEADERS: Final = (
    "x-ms-client-principal",
    "x-ms-client-principal-id",
    "x-ms-client-principal-name",
    "x-ms-client-principal-idp",
)
LOOK_EVERY_S: Final = 60.0
TRY_AGAIN_S: Final = 5.0
_TIMEOUT_S: Final = 10.0
_SIGN_IN_PATH: Final = "/.auth/"


class _Seen(msgspec.Struct):
    principal: bool


class Front:
    """What is known of the sign-in in front of `url`. Nothing is believed before the first look."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.trouble: str | None = "the sign-in in front has not been looked at yet"
        """Why sign-in headers are not believed; None while they are."""

    async def watch(self) -> None:
        """Looks until cancelled."""
        async with httpx.AsyncClient(timeout=_TIMEOUT_S, follow_redirects=False) as http:
            while True:
                await self.look(http)
                await asyncio.sleep(TRY_AGAIN_S if self.trouble else LOOK_EVERY_S)

    async def look(self, http: httpx.AsyncClient) -> None:
        """Comes from outside with made-up headers and notes what becomes of them."""
        try:
            answer = await http.get(f"{self.url}{PATH}", headers=dict.fromkeys(PRINCIPAL_HEADERS, "made-up"))
        except httpx.HTTPError as error:
            trouble: str | None = f"{self.url} does not answer: {type(error).__name__}: {error}"
        else:
            trouble = trouble_in(answer, self.url)
        if trouble != self.trouble:
            log.log(40 if trouble else 20, "sign-in in front", url=self.url, trouble=trouble)
        self.trouble = trouble


def trouble_in(answer: httpx.Response, url: str) -> str | None:
    """Why this answer to made-up headers proves no sign-in in front, or None where it proves one."""
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        return None
    if answer.status_code == httpx.codes.FORBIDDEN:  # as a filter of addresses answers, whether or not one signs in
        return f"{url} answers this dashboard 403: let its own address in, and have the sign-in answer 302 or 401"
    if answer.is_redirect:
        there = urlsplit(answer.headers["location"])
        elsewhere = bool(there.netloc) and there.netloc != urlsplit(url).netloc
        return None if elsewhere or there.path.startswith(_SIGN_IN_PATH) else f"{url} sends on to {there.geturl()}"
    try:
        seen = msgspec.json.decode(answer.content, type=_Seen) if answer.is_success else None
    except UNREADABLE:
        seen = None
    if seen is None:
        return f"{url} answers {answer.status_code}, and not as this dashboard does"
    return f"{url} lets made-up sign-in headers through: switch authentication on in front" if seen.principal else None
