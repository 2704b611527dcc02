"""Tokens of Entra ID, checked against keys that a server on this machine publishes."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from ingest.authority import Authority, DeniedError, EntraTokens, KeyRing
from tests.contract.ingest.poller import Asked, Said, provider

TENANT, AUDIENCE, ROLE = "tenant-1", "api://heliograph", "Readings.Write"
KEY, OTHER_KEY = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))


def keys(_asked: Asked) -> Said:
    key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key()))
    return Said({"keys": [key | {"kid": "k1", "use": "sig", "alg": "RS256"}]})


def token(url: str, *, key: Any = KEY, kid: str = "k1", algorithm: str = "RS256", **changes: Any) -> str:
    claims = {
        "iss": f"{url}/{TENANT}/v2.0",
        "aud": AUDIENCE,
        "exp": time.time() + 600,
        "oid": "plant-operator",
        "roles": [ROLE],
    }
    named = {name: value for name, value in (claims | changes).items() if value is not None}
    return jwt.encode(named, key, algorithm=algorithm, headers={"kid": kid})


async def test_only_a_valid_token_of_the_tenant_for_this_audience_and_role_may_push():
    """Another audience, issuer, role or key, an expired, unsigned or symmetric token is refused; keys come once."""
    async with provider(keys) as entra, httpx.AsyncClient(verify=False) as client:
        tokens = EntraTokens(client, entra.url, TENANT, AUDIENCE, ROLE)
        authority = Authority(host="0.0.0.0", keys=KeyRing({}), tokens=tokens, master_key="")
        assert await authority.may_push(None, token(entra.url)) == "plant-operator"
        refused = [
            token(entra.url, aud="api://another"),
            token("http://evil.example"),
            token(entra.url, roles=["Readings.Read"]),
            token(entra.url, roles=None),
            token(entra.url, exp=time.time() - 600),
            token(entra.url, exp=None),
            token(entra.url, key=OTHER_KEY),
            token(entra.url, kid="k2"),
            token(entra.url, key="k" * 64, algorithm="HS256"),
            token(entra.url, key="", algorithm="none"),
            "nonsense",
        ]
        for one in refused:
            with pytest.raises(DeniedError):
                await authority.may_push(None, one)
        with pytest.raises(DeniedError, match="needed"):
            await authority.may_push(None, None)
        assert [asked.path for asked in entra.asked] == [f"/{TENANT}/discovery/v2.0/keys"]
