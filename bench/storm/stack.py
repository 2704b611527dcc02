"""The stack under test: the supervisor that `heliograph up` runs, two replicas of each service, and fault ports."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from bench.storm.clocks import Clocks
from bench.storm.network import Networks
from bench.storm.script import REPLICATED
from bench.storm.world import World
from heliograph.sites import encode_sites
from stack.layout import COSMOS_KEY, WELL_KNOWN_PORTS, Plan, hub_connection, process_names, storage_connection
from stack.ports import free_ports
from stack.supervisor import Supervisor

READY_S = 240.0
PUSH_KEY = "storm"
"""Opens ingest, which off loopback lets nobody in without a key."""


@dataclass
class Stack:
    """The ways into a running stack."""

    plan: Plan
    supervisor: Supervisor
    networks: Networks = field(default_factory=Networks)
    clocks: Clocks = field(default_factory=Clocks)
    lines: list[str] = field(default_factory=list)
    """What the supervisor had to say."""

    @property
    def pids(self) -> Mapping[str, int]:
        """Of the processes by name."""
        return self.supervisor.state.pids

    @property
    def hubs(self) -> str:
        """Connection string."""
        return hub_connection(self.plan.ports, self.plan.azure_host)

    @property
    def storage(self) -> str:
        """Connection string."""
        return storage_connection(self.plan.ports, self.plan.azure_host)

    @property
    def cosmos(self) -> tuple[str, str]:
        """Endpoint and key."""
        return f"http://{self.plan.azure_host}:{self.plan.ports['cosmos']}", COSMOS_KEY

    def url(self, name: str) -> str:
        """Of a process, by the purpose of its port."""
        return f"http://{self.plan.host_of(name.removesuffix('-admin'))}:{self.plan.ports[name]}"


def plan_of(folder: Path, world: World, settings: Mapping[str, str], replicas: Mapping[str, int] | None = None) -> Plan:
    """Two replicas of each service but the dashboard, unless it is said otherwise."""
    wanted = dict(replicas or dict.fromkeys(REPLICATED, 2))
    sites = folder / "push-sites.json"
    sites.write_bytes(encode_sites(world.push_sites))
    plan = Plan(
        data=str(folder),
        ports={},
        plants=world.plants - world.pushing,
        replicas=wanted,
        extra={
            **world.ingest_settings(),
            "HELIOGRAPH_SITES_URL": str(sites),
            "HELIOGRAPH_MASTER_KEY": PUSH_KEY,
            **settings,
        },
    )
    purposes = {*WELL_KNOWN_PORTS, "eventhubs-admin", "cosmos-admin", *process_names(plan)}
    return msgspec.structs.replace(plan, ports=free_ports(sorted(purposes)))


@asynccontextmanager
async def running(plan: Plan, networks: Networks | None = None, clocks: Clocks | None = None) -> AsyncIterator[Stack]:
    """The stack, ready, in networks that can be cut and with clocks that can be moved, if they are given. Raises
    `stack.supervisor.StartError`."""
    if networks and networks.tag:
        plan = msgspec.structs.replace(plan, azure_host=networks.azure_host, hosts=networks.hosts)
    launchers = [one.launchers for one in (networks, clocks) if one]
    names = {name for one in launchers for name in one}
    plan = msgspec.structs.replace(
        plan, launchers={name: tuple(word for one in launchers for word in one.get(name, ())) for name in names}
    )
    ready, stopping = asyncio.Event(), asyncio.Event()
    lines: list[str] = []
    supervisor = Supervisor(plan, report=lines.append)
    task = asyncio.create_task(supervisor.run(stopping, lambda _took_s: ready.set()))
    waiting = asyncio.create_task(ready.wait())
    try:
        await asyncio.wait([task, waiting], timeout=READY_S, return_when=asyncio.FIRST_COMPLETED)
        if not ready.is_set():
            if task.done():
                await task
            raise TimeoutError(f"the stack is not ready after {READY_S:g} s: {lines}")
        yield Stack(plan, supervisor, networks or Networks(), clocks or Clocks(), lines)
    finally:
        waiting.cancel()
        stopping.set()
        await task
