"""Who may do what at the Cosmos server, beside the holder of the account's key."""

import base64
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from local_azure.cosmos import EMULATOR_KEY
from local_azure.cosmos.account import Account, Settings

CONTAINER = "dbs/d/colls/c"


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def entra_token(*, ends_in_s: float = 600, seal: str = EMULATOR_KEY) -> str:
    """A JSON web token as clients of the emulator make it: the key stands where the signature would."""
    claims = {"exp": time.time() + ends_in_s, "oid": "somebody"}
    token = f"{_encoded(b'{}')}.{_encoded(json.dumps(claims).encode())}.{_encoded(seal.encode())}"
    return quote(f"type=aad&ver=1.0&sig={token}")


async def permission(app: Any, identifier: str, **body: Any) -> str:
    """A user's permission token, as an authorization header."""
    await app.send("POST", "users", "dbs/d", "dbs/d/users", b'{"id": "u"}')
    users = "dbs/d/users/u"
    content = json.dumps({"id": identifier, "resource": CONTAINER, **body}).encode()
    answer = await app.send("POST", "permissions", users, f"{users}/permissions", content)
    assert answer.status == 201, answer.body
    return quote(answer.json()["_token"])


@pytest.fixture
async def filled(app: Any) -> Any:
    for number in range(4):
        key = f"p{number % 2}"
        assert (await app.create({"id": str(number), "pk": key}, json.dumps([key]))).status == 201
    return app


async def read(app: Any, identifier: str, key: str, authorization: str) -> int:
    link = f"{CONTAINER}/docs/{identifier}"
    sent = {"x_ms_documentdb_partitionkey": json.dumps([key]), "authorization": authorization}
    return int((await app.send("GET", "docs", link, link, **sent)).status)


async def test_a_permission_reaches_its_resource_and_no_other(filled: Any) -> None:
    """A document's token opens the document and shows the container around it, and nothing else."""
    token = await permission(filled, "one", permissionMode="All", resource=f"{CONTAINER}/docs/0")
    assert await read(filled, "0", "p0", token) == 200
    assert await read(filled, "2", "p0", token) == 403
    for method, kind, path, expected in [
        ("GET", "colls", CONTAINER, 200),
        ("GET", "pkranges", f"{CONTAINER}/pkranges", 200),
        ("GET", "docs", f"{CONTAINER}/docs", 403),
        ("DELETE", "colls", CONTAINER, 403),
        ("GET", "dbs", "dbs/d", 403),
    ]:
        assert (await filled.send(method, kind, path, path, authorization=token)).status == expected, (method, path)


async def test_a_permission_may_name_a_document_by_its_rid(filled: Any) -> None:
    """A token for a document's `_self` opens it by its id too, and no other."""
    link = f"{CONTAINER}/docs/0"
    document = (await filled.send("GET", "docs", link, link, x_ms_documentdb_partitionkey='["p0"]')).json()
    token = await permission(filled, "self", permissionMode="All", resource=document["_self"])
    assert await read(filled, "0", "p0", token) == 200
    assert await read(filled, "2", "p0", token) == 403
    assert await read(filled, "absent", "p0", token) == 403


async def test_a_permission_for_a_partition_key_reaches_no_other(filled: Any) -> None:
    """With `resourcePartitionKey` the token reads under that key, and nothing that spans keys."""
    token = await permission(filled, "part", permissionMode="Read", resourcePartitionKey=["p1"])
    assert await read(filled, "1", "p1", token) == 200
    assert await read(filled, "0", "p0", token) == 403
    feed = f"{CONTAINER}/docs"
    assert (await filled.send("GET", "docs", CONTAINER, feed, authorization=token)).status == 403
    written = await filled.create({"id": "new", "pk": "p1"}, '["p1"]')
    assert written.status == 201
    refused = await filled.post(
        b'{"id": "newer", "pk": "p1"}', x_ms_documentdb_partitionkey='["p1"]', authorization=token
    )
    assert refused.status == 403


async def test_an_entra_token_works_on_data_alone(filled: Any) -> None:
    """It reads and writes documents and reads metadata; making and removing resources is 403 with sub-status 5300."""
    token = entra_token()
    assert await read(filled, "0", "p0", token) == 200
    assert (await filled.send("GET", "colls", CONTAINER, CONTAINER, authorization=token)).status == 200
    for method, kind, path in [("DELETE", "dbs", "dbs/d"), ("DELETE", "colls", CONTAINER), ("GET", "offers", "offers")]:
        refused = await filled.send(method, kind, path, path, authorization=token)
        assert (refused.status, refused.headers["x-ms-substatus"]) == (403, "5300"), path


@pytest.mark.parametrize(
    "token",
    [
        entra_token(seal="another key"),
        entra_token(ends_in_s=-1),
        quote("type=aad&ver=1.0&sig=a.b"),
        quote("type=aad&ver=1.0&sig=a.bm8.c"),
        quote("type=aad&ver=1.0&sig=é.é.é"),
        quote("type=resource&ver=1&sig=x:y:z;"),
        quote("type=resource&ver=1&sig=;"),
        "",
    ],
    ids=["foreign", "expired", "two parts", "no claims", "no base64", "no permission", "no seal", "none"],
)
async def test_a_token_that_proves_nothing_is_401(filled: Any, token: str) -> None:
    """Foreign, expired and malformed tokens are refused, whatever they look like."""
    assert await read(filled, "0", "p0", token) == 401


async def test_bearer_tokens_are_trusted_only_when_told(filled: Any, tmp_path: Path) -> None:
    """A token signed by somebody else is taken with `trust_bearer_tokens` and refused without."""
    token = entra_token(seal="another key")
    assert await read(filled, "0", "p0", token) == 401
    trusting = Account(tmp_path / "trusting", EMULATOR_KEY, replace(Settings(), trust_bearer_tokens=True))
    try:
        answer = await type(filled)(trusting).send("GET", "dbs", "", "dbs", authorization=token)
        assert answer.status == 200
    finally:
        trusting.close()
