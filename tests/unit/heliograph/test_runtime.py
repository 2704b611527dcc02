"""What a service answers before its own routes are there."""

from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from pydantic import SecretStr

from heliograph.runtime import Service
from heliograph.settings import ServiceSettings


async def passes() -> None:
    return


async def test_a_service_that_starts_says_so_and_not_404() -> None:
    """Until its work is set up a service answers 503 with Retry-After, so that nobody takes the address for a wrong
    one; its health is served all the same."""
    settings = ServiceSettings(eventhub_connection_string=SecretStr("x"), storage_connection_string=SecretStr("x"))
    service = Service("ingest", settings, FastAPI())
    async with AsyncClient(transport=ASGITransport(service.app), base_url="http://service") as client:
        early = await client.post("/v1/readings", json=[])
        assert (early.status_code, early.headers["retry-after"]) == (503, "1")
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/readyz")).json()["failures"] == {"start": "the service is still starting"}
        service.readiness.add("hub", passes)
        assert (await client.post("/v1/readings", json=[])).status_code == 404
