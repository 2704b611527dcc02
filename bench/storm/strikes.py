"""Plays the faults of a script on a running stack."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass

import httpx
from azure.eventhub import EventData
from azure.eventhub.aio import EventHubConsumerClient, PartitionContext

from bench.storm.script import Strike
from bench.storm.stack import Stack
from heliograph.topology import CONSUMER_GROUPS

HIGHER_OWNER = 7
"""Above the level of the services' readers, so that the hub takes their links away."""
STOLEN = ("0", "3", "6")


@dataclass(slots=True)
class Struck:
    """What a strike did. Times in seconds from the beginning of the load."""

    strike: Strike
    began_s: float
    ended_s: float
    felt: int | None = None
    """How often a fault of the local Azure struck; None where it can't be told."""


class Player:
    """Plays strikes, those that overlap too."""

    def __init__(self, stack: Stack, begun_s: float) -> None:
        self._stack = stack
        self._begun_s = begun_s
        self._http = httpx.AsyncClient(timeout=5, trust_env=False)
        self.struck: list[Struck] = []
        self.left_out: list[Strike] = []
        """What this machine does not allow."""

    async def play(self, strikes: Sequence[Strike]) -> None:
        """Returns when the last is over."""
        async with asyncio.TaskGroup() as tasks:
            for strike in strikes:
                await asyncio.sleep(max(0.0, self._begun_s + strike.at_s - time.monotonic()))
                tasks.create_task(self._play(strike))

    async def _play(self, strike: Strike) -> None:
        if not self._can(strike):
            self.left_out.append(strike)
            return
        began_s = time.monotonic() - self._begun_s
        felt = None
        match strike.kind:
            case "kill":
                self._signal(strike.target, signal.SIGKILL)
            case "restart":
                self._signal(strike.target, signal.SIGTERM)
            case "stop":
                await self._pause(strike)
            case "steal":
                await self._steal(strike)
            case "cut":
                await self._stack.networks.cut(strike.target, strike.lasts_s)
            case "clock":
                await self._stack.clocks.move(strike.target, strike.fault["ahead_s"], strike.lasts_s)
            case _:
                felt = await self._arm(strike)
        self.struck.append(Struck(strike, began_s, time.monotonic() - self._begun_s, felt))

    def _can(self, strike: Strike) -> bool:
        match strike.kind:
            case "cut":
                return strike.target in self._stack.networks.numbers
            case "clock":
                return strike.target in self._stack.clocks.files
        return True

    def _signal(self, name: str, sign: signal.Signals) -> int:
        pid = self._stack.pids[name]
        try:
            os.kill(pid, sign)
        except ProcessLookupError:
            return 0  # between its end and its restart
        return pid

    async def _pause(self, strike: Strike) -> None:
        pid = self._signal(strike.target, signal.SIGSTOP)
        await asyncio.sleep(strike.lasts_s)
        if pid and self._stack.pids[strike.target] == pid:
            self._signal(strike.target, signal.SIGCONT)

    async def _arm(self, strike: Strike) -> int | None:
        url = f"{self._stack.url(f'{strike.target}-admin')}/faults"
        try:
            answer = await self._http.post(url, json={"kind": strike.kind, **strike.fault})
            answer.raise_for_status()
            number = answer.json()["id"]
            await asyncio.sleep(strike.lasts_s)
            armed = {one["id"]: one["taken"] for one in (await self._http.get(url)).json()}
            await self._http.delete(f"{url}/{number}")
        except httpx.TransportError:
            return None  # the server itself was struck down meanwhile
        return int(armed.get(number, strike.fault.get("count", 0)))

    async def _steal(self, strike: Strike) -> None:
        """Reads partitions of a service's consumer group with a higher owner level for a while."""
        hub = next(hub for hub, groups in CONSUMER_GROUPS.items() if strike.target in groups)
        client = EventHubConsumerClient.from_connection_string(self._stack.hubs, strike.target, eventhub_name=hub)
        async with client:
            thieves = [
                asyncio.create_task(
                    client.receive(_ignore, partition_id=one, owner_level=HIGHER_OWNER, starting_position="@latest")
                )
                for one in STOLEN
            ]
            await asyncio.sleep(strike.lasts_s)
            for thief in thieves:
                thief.cancel()
            await asyncio.gather(*thieves, return_exceptions=True)


async def _ignore(_context: PartitionContext, _event: EventData | None) -> None:
    return
