"""The Cosmos server's ASGI application in this process, asked with signed requests and without a socket."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from local_azure.cosmos import EMULATOR_KEY, auth
from local_azure.cosmos.account import Account, Settings
from local_azure.cosmos.app import Front
from local_azure.faults import Faults

CONTAINER = "dbs/d/colls/c"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class App:
    """Sends requests; `link` is what the signature covers and `path` where the request goes."""

    def __init__(self, account: Account) -> None:
        self._app = Front(account, Faults()).app()

    async def send(self, method: str, kind: str, link: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        date = formatdate(usegmt=True)
        signature = auth.sign(EMULATOR_KEY, method, kind, link, date)
        sent = {"authorization": quote(f"type=master&ver=1.0&sig={signature}"), "x-ms-date": date}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        scope = {
            "type": "http",
            "method": method,
            "path": f"/{path}",
            "raw_path": f"/{path}".encode(),
            "query_string": b"",
            "scheme": "http",
            "server": ("test", 80),
            "headers": [(name.encode(), value.encode("latin-1", "replace")) for name, value in sent.items()],
        }
        answer = Answer(0, {}, b"")

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body}

        async def sent_back(message: Any) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            else:
                answer.body += message.get("body", b"")

        await self._app(scope, receive, sent_back)
        return answer

    async def create(self, document: Any, key: str = '["p"]') -> Answer:
        return await self.post(json.dumps(document).encode(), x_ms_documentdb_partitionkey=key)

    async def post(self, body: bytes, **headers: str) -> Answer:
        return await self.send("POST", "docs", CONTAINER, f"{CONTAINER}/docs", body, **headers)

    async def query(self, text: str, parameters: Any = (), **headers: str) -> Answer:
        asked = {"x_ms_documentdb_isquery": "true", "x_ms_documentdb_partitionkey": '["p"]', **headers}
        return await self.post(json.dumps({"query": text, "parameters": list(parameters)}).encode(), **asked)


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    """An account with an empty container `c`, partitioned by `/pk`."""
    account = Account(tmp_path, EMULATOR_KEY, Settings(query_timeout_s=5, script_limit_s=0.5))
    app = App(account)
    await app.send("POST", "dbs", "", "dbs", b'{"id": "d"}')
    definition = {"id": "c", "partitionKey": {"paths": ["/pk"], "kind": "Hash", "version": 2}}
    await app.send("POST", "colls", "dbs/d", "dbs/d/colls", json.dumps(definition).encode())
    yield app
    account.close()
