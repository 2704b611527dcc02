"""Plants that push their readings each second, to whichever replica of ingest takes them."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence

import httpx
import msgspec

from bench.storm.stack import PUSH_KEY
from bench.storm.world import World

TIMEOUT_S = 5.0
RETRY_S = 0.3
A_REQUEST = 100
"""Readings; each request is answered 202 when all of them are on ingest's disk."""


class Pusher:
    """Sends a request again, to the other replica, until one says 202. A replica that has taken a request and whose
    answer was lost leads to readings that come twice."""

    def __init__(self, world: World, urls: Sequence[str]) -> None:
        self._world = world
        self._urls = itertools.cycle(urls)
        self.accepted = 0
        self.retries = 0

    async def run(self, begun_s: float) -> None:
        """Returns when all is accepted; `begun_s` is the monotonic time of the world's beginning."""
        async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as http, asyncio.TaskGroup() as tasks:
            for second in range(self._world.seconds):
                await asyncio.sleep(max(0.0, begun_s + second - time.monotonic()))
                said = self._world.pushed(second)
                for start in range(0, len(said), A_REQUEST):
                    tasks.create_task(self._push(http, msgspec.json.encode(said[start : start + A_REQUEST])))

    async def _push(self, http: httpx.AsyncClient, body: bytes) -> None:
        while True:
            try:
                answer = await http.post(
                    f"{next(self._urls)}/v1/readings",
                    content=body,
                    headers={"content-type": "application/json", "x-api-key": PUSH_KEY},
                )
                if answer.status_code == httpx.codes.ACCEPTED:
                    outcome = answer.json()
                    self.accepted += outcome["accepted"] + outcome["duplicates"]
                    return
                if answer.status_code not in (429, 503):
                    raise RuntimeError(f"a push was answered {answer.status_code}: {answer.text[:500]}")
            except httpx.TransportError:
                pass
            self.retries += 1
            await asyncio.sleep(RETRY_S)
