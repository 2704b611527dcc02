"""Tokens by OAuth2 client credentials (RFC 6749, section 4.4), asked for before they run out."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import httpx

from ingest.sources.declaration import AnswerError, Request
from ingest.sources.mapping import Auth

EARLY_S = 60.0
USUAL_LIFE_S = 300.0


class ClientCredentials:
    """The tokens of one provider, attached to its requests."""

    def __init__(self, client: httpx.AsyncClient, auth: Auth, secret: str) -> None:
        self._client = client
        self._auth = auth
        self._secret = secret
        self._token = ""
        self._until_s = 0.0
        self._asking = asyncio.Lock()

    async def attach(self, request: Request) -> Request:
        """The request with a token. Raises `httpx.HTTPError` or `AnswerError`."""
        async with self._asking:
            if time.monotonic() >= self._until_s:
                await self._ask()
        return replace(request, headers={**request.headers, "Authorization": f"Bearer {self._token}"})

    def forget(self) -> None:
        """The provider took the token back before its time: the next call gets a new one."""
        self._until_s = 0.0

    async def _ask(self) -> None:
        form = {"grant_type": "client_credentials", **({"scope": self._auth.scope} if self._auth.scope else {})}
        answer = await self._client.post(
            self._auth.token_url, data=form, auth=(self._auth.client_id, self._secret), timeout=15
        )
        answer.raise_for_status()
        try:
            body = answer.json()
            self._token = str(body["access_token"])
            life_s = float(body.get("expires_in", USUAL_LIFE_S))
        except (KeyError, TypeError, ValueError) as error:
            raise AnswerError(f"the token server's answer has another shape: {error!r}") from None
        self._until_s = time.monotonic() + max(life_s - EARLY_S, life_s / 2)
