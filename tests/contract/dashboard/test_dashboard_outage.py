"""The dashboard while hub, Cosmos DB or blobs are down."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.conftest import running_azurite, running_broker, running_cosmos
from tests.contract.dashboard.conftest import plant_window, with_a_sink

pytestmark = pytest.mark.timeout(240)

PNG = {"file": ("roof.png", b"\x89PNG\r\n\x1a\n and more")}
NOTE = {"author": "Kim", "text": "dust"}


async def refused(call: Awaitable[httpx.Response]) -> None:
    """A 503 that says what to do, and not after minutes."""
    answer = await asyncio.wait_for(call, 30)
    assert answer.status_code == 503, answer.text
    assert answer.json()["detail"].startswith("what this needs does not answer now")
    assert answer.headers["retry-after"].isdigit()


async def test_each_neighbour_that_is_down_makes_503_of_what_needs_it_and_of_nothing_else(tmp_path: Path, until):
    """503 with Retry-After comes within seconds for what needs a neighbour that is down; the rest is answered. The age
    of the data counts from the start while there is none."""
    with ExitStack() as hub, ExitStack() as cosmos, ExitStack() as blobs:
        addresses = (
            hub.enter_context(running_broker(tmp_path)),
            cosmos.enter_context(running_cosmos(tmp_path)),
            blobs.enter_context(running_azurite(tmp_path)),
        )
        with with_a_sink(tmp_path, *addresses) as stack, stack.dashboard():
            stack.wait_ready()
            async with stack.http() as http:

                async def ages() -> bool:
                    told = (await http.get(f"{stack.url}/metrics")).text
                    return float(re.findall("^heliograph_dashboard_data_age_seconds (.*)$", told, re.MULTILINE)[0]) > 0

                await until(ages, "the age of no data")
                await stack.send([plant_window("p1", 0, 500.0)])

                async def known() -> bool:
                    return (await http.get("/plants/p1/photos")).status_code == 200

                await until(known, "the plant")
                blobs.close()
                await asyncio.gather(
                    refused(http.post("/plants/p1/photos", files=PNG)), refused(http.get("/thumbnails/p1/roof.webp"))
                )
                assert await known()
                cosmos.close()
                await asyncio.gather(refused(http.get("/plants/p1/photos")), refused(http.get("/alerts?state=all")))
                assert (await http.post("/plants/p1/notes", json=NOTE)).status_code == 202
                hub.close()
                await refused(http.post("/plants/p1/notes", json=NOTE))
                assert (await http.get("/plants")).status_code == 200
