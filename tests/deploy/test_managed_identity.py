"""Without any key: the services' way in by a managed identity, against a local identity endpoint."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from azure.cosmos import CosmosClient

from heliograph import credentials
from heliograph.blobs import open_blobs, open_queues
from heliograph.cosmos import open_cosmos
from heliograph.hub import consumer_client, open_sender
from heliograph.settings import CosmosSettings, ServiceSettings
from tests.conftest import COSMOS_KEY

CLIENT_ID, SECRET_HEADER = "11111111-2222-3333-4444-555555555555", "only-this-container-knows"
NAMES: dict[str, Any] = {"eventhub_namespace": "evhns-test.servicebus.windows.net", "storage_account": "sthelio"}


@dataclass
class IdentityEndpoint:
    """What Container Apps puts beside each replica: GET with a header and the identity's client id gives a token."""

    url: str
    asked: list[dict[str, str]] = field(default_factory=list)
    refused: int = 0


def _token(audience: str) -> str:
    """Signed as Microsoft's Cosmos DB emulator wants it: with its well-known key."""
    claims = json.dumps({"aud": audience, "exp": int(time.time()) + 3600})
    parts = [base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in ("{}", claims, COSMOS_KEY)]
    return ".".join(parts)


def _audience(token: str) -> str:
    return json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))["aud"]


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[IdentityEndpoint]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
            if self.headers.get("X-IDENTITY-HEADER") != SECRET_HEADER:
                state.refused += 1
                self.send_error(401)
                return
            state.asked.append(query)
            body = json.dumps(
                {
                    "access_token": _token(query["resource"]),
                    "expires_on": str(int(time.time()) + 3600),
                    "resource": query["resource"],
                    "token_type": "Bearer",
                    "client_id": query["client_id"],
                }
            ).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state = IdentityEndpoint(f"http://127.0.0.1:{server.server_port}/msi/token")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("IDENTITY_ENDPOINT", state.url)
    monkeypatch.setenv("IDENTITY_HEADER", SECRET_HEADER)
    monkeypatch.setenv("AZURE_CLIENT_ID", CLIENT_ID)
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
async def _fresh_identity(endpoint: IdentityEndpoint) -> AsyncIterator[None]:
    """The process's one credential is made anew, so that it meets this test's endpoint."""
    credentials._shared.clear()
    yield
    await credentials.close_identity()


@pytest.fixture
def settings() -> ServiceSettings:
    """As the Bicep files give them: names, no key and no connection string."""
    return ServiceSettings(**NAMES)


@pytest.mark.parametrize(
    ("scope", "resource"),
    [
        ("https://eventhubs.azure.net/.default", "https://eventhubs.azure.net"),
        ("https://storage.azure.com/.default", "https://storage.azure.com"),
        ("https://cosmos.azure.com/.default", "https://cosmos.azure.com"),
    ],
)
async def test_tokens_come_from_the_replicas_own_endpoint(
    endpoint: IdentityEndpoint, scope: str, resource: str
) -> None:
    """The credential asks for the app's own identity by client id, with the header that proves where it runs."""
    token = await credentials.identity().get_token(scope)
    assert _audience(token.token) == resource
    assert [(asked["resource"], asked["client_id"]) for asked in endpoint.asked] == [(resource, CLIENT_ID)]
    assert endpoint.refused == 0


async def test_one_credential_serves_all_clients_from_its_cache(endpoint: IdentityEndpoint) -> None:
    """A process asks once for each service it speaks to, however many clients it has."""
    for _ in range(5):
        await credentials.identity().get_token("https://storage.azure.com/.default")
    assert len(endpoint.asked) == 1


async def test_hub_clients_sign_in_without_a_connection_string(settings: ServiceSettings) -> None:
    """With a namespace and no connection string, reader and sender go to that namespace with the identity."""
    async with consumer_client(settings, "readings", "analyzer") as client:
        assert client._address.hostname == "evhns-test.servicebus.windows.net"
        assert client._credential is credentials.identity()
    async with open_sender(settings, "insights") as sender:
        assert sender._client._address.hostname == "evhns-test.servicebus.windows.net"
        assert sender._client._credential is credentials.identity()


async def test_storage_clients_sign_in_without_a_key(settings: ServiceSettings) -> None:
    """With an account's name and no connection string, blobs and queues are reached over TLS at its own host."""
    async with open_blobs(settings) as blobs, open_queues(settings) as queues:
        assert blobs.url == "https://sthelio.blob.core.windows.net/"
        assert queues.url == "https://sthelio.queue.core.windows.net/"
        assert blobs.credential is credentials.identity()


async def test_cosmos_db_gets_a_token_of_the_identity(
    endpoint: IdentityEndpoint, cosmos: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With no key, the account is asked over TLS with a token of the identity, and answers."""
    port = urlsplit(cosmos).port
    with CosmosClient(cosmos, COSMOS_KEY, enable_endpoint_discovery=False) as by_key:
        by_key.create_database_if_not_exists("by-identity")
    (tmp_path / "cosmos.pem").write_text(await asyncio.to_thread(ssl.get_server_certificate, ("localhost", port)))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cosmos.pem"))
    async with open_cosmos(CosmosSettings(cosmos_endpoint=f"https://localhost:{port}", **NAMES)) as client:
        assert (await client.get_database_client("by-identity").read())["id"] == "by-identity"
    assert {asked["client_id"] for asked in endpoint.asked} == {CLIENT_ID}
    assert endpoint.asked[0]["resource"] in (
        f"https://localhost:{port}",
        "https://localhost",
        "https://cosmos.azure.com",
    )


async def test_telemetry_signs_in_with_the_same_identity(endpoint: IdentityEndpoint) -> None:
    """Exporters run in threads: their blocking credential asks the same endpoint for the same identity."""
    with credentials.blocking_identity() as credential:  # type: ignore[attr-defined]
        token = await asyncio.to_thread(credential.get_token, "https://monitor.azure.com/.default")
    assert _audience(token.token) == "https://monitor.azure.com"
    assert endpoint.asked[-1]["client_id"] == CLIENT_ID
