"""Who may push and who may administer: API keys known by their hash, tokens of Entra ID, and the master key."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import httpx
import jwt

from heliograph.telemetry import log

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
KEYS_LIVE_S = 3600.0
ASK_AGAIN_S = 30.0
"""An unknown key id may be a new one: but the provider is not asked for each forged token."""


class DeniedError(PermissionError):
    """The caller may not; the text says why, without saying what would be right."""


class KeyRing:
    """Names and SHA-256 hashes of keys. Each comparison takes the same time, whichever key matches."""

    def __init__(self, hashes: Mapping[str, str]) -> None:
        self._hashes = {name: bytes.fromhex(digest) for name, digest in hashes.items()}

    def __len__(self) -> int:
        return len(self._hashes)

    def owner(self, key: str) -> str | None:
        """The name of the key, or None."""
        digest = sha256(key.encode()).digest()
        found = None
        for name, known in self._hashes.items():
            if hmac.compare_digest(digest, known):
                found = name
        return found


class EntraTokens:
    """Bearer tokens of one tenant for one audience, checked against the tenant's published keys."""

    def __init__(self, client: httpx.AsyncClient, authority: str, tenant: str, audience: str, role: str) -> None:
        base = f"{authority.rstrip('/')}/{tenant}"
        self._client = client
        self._keys_url = f"{base}/discovery/v2.0/keys"
        self._issuer = f"{base}/v2.0"
        self._audience = audience
        self._role = role
        self._keys: dict[str, Any] = {}
        self._asked_s = float("-inf")
        self._asking = asyncio.Lock()

    async def owner(self, token: str) -> str:
        """The caller's object id. Raises `DeniedError`."""
        try:
            key_id = str(jwt.get_unverified_header(token).get("kid", ""))
            claims = jwt.decode(
                token,
                await self._key(key_id),
                algorithms=["RS256"],
                audience=self._audience,
                issuer=self._issuer,
                options={"require": ["exp", "iss", "aud"]},
                leeway=60,
            )
        except jwt.PyJWTError as error:
            raise DeniedError(f"the token is not valid: {error}") from None
        if self._role and self._role not in claims.get("roles", ()):
            raise DeniedError(f"the token lacks the role {self._role}")
        return str(claims.get("oid") or claims.get("sub") or "")

    async def _key(self, key_id: str) -> Any:  # noqa: ANN401 - a key of the cryptography package
        async with self._asking:
            age_s = time.monotonic() - self._asked_s
            if age_s > KEYS_LIVE_S or (key_id not in self._keys and age_s > ASK_AGAIN_S):
                await self._ask()
        if key_id not in self._keys:
            raise DeniedError("the token is signed by an unknown key")
        return self._keys[key_id]

    async def _ask(self) -> None:
        self._asked_s = time.monotonic()
        try:
            answer = await self._client.get(self._keys_url, timeout=10)
            answer.raise_for_status()
            self._keys = {key.key_id or "": key.key for key in jwt.PyJWKSet.from_dict(answer.json()).keys}
        except (httpx.HTTPError, ValueError, jwt.PyJWTError) as error:
            log.warning("keys of Entra ID", error=f"{type(error).__name__}: {error}")


class Authority:
    """Decides. Where nothing is set up, a service that listens on loopback lets everybody in, any other nobody."""

    def __init__(self, *, host: str, keys: KeyRing, tokens: EntraTokens | None, master_key: str) -> None:
        self._open = host in LOOPBACK
        self._keys = keys
        self._tokens = tokens
        self._master_key = master_key

    async def may_push(self, key: str | None, token: str | None) -> str:
        """The caller's name. Raises `DeniedError`."""
        if key is not None and (name := self._key_owner(key)):
            return name
        if token is not None and self._tokens:
            return await self._tokens.owner(token)
        if self._open and not len(self._keys) and not self._tokens and not self._master_key:
            return "local"
        raise DeniedError("a known key in X-Api-Key, or a token of Entra ID, is needed")

    def _key_owner(self, key: str) -> str | None:
        if self._is_master(key):
            return "master"
        return self._keys.owner(key)

    def may_administer(self, key: str | None) -> None:
        """Raises `DeniedError`."""
        if self._master_key:
            if key is None or not self._is_master(key):
                raise DeniedError("the master key is needed, as x-functions-key or ?code=")
        elif not self._open:
            raise DeniedError("HELIOGRAPH_MASTER_KEY is not set, so nobody may")

    def _is_master(self, key: str) -> bool:
        return bool(self._master_key) and hmac.compare_digest(key.encode(), self._master_key.encode())
