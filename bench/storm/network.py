"""Networks that can be cut: each replica in a namespace of its own, joined to the local Azure by a cable.

    namespace of analyzer-2          this machine
      eth0 10.x.y.7  ── veth pair ──  bridge 10.x.y.1: hubs, Cosmos DB, blobs and queues; the benchmark itself

A cut takes the cable's end at the bridge down: what either side sends is lost without a word, connections neither end
nor go on, and after the cut TCP goes on where it was, if nobody has given up meanwhile. That needs root and `ip`;
without them replicas stay on loopback, and no cut is played.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Networks:
    """The namespaces of a run, by process."""

    tag: str = ""
    """Begins the names of its namespaces and links; empty when there are none."""
    subnet: str = ""
    numbers: dict[str, int] = field(default_factory=dict)

    @property
    def azure_host(self) -> str:
        """Of the bridge, as replicas and this machine see it."""
        return f"{self.subnet}.1"

    @property
    def hosts(self) -> dict[str, str]:
        """Of the replicas."""
        return {name: f"{self.subnet}.{number}" for name, number in self.numbers.items()}

    @property
    def launchers(self) -> dict[str, tuple[str, ...]]:
        """What starts a process within its namespace."""
        return {name: ("ip", "netns", "exec", f"{self.tag}{number}") for name, number in self.numbers.items()}

    async def cut(self, name: str, seconds: float) -> None:
        """Pulls the replica's cable out and, when the time is over, in again."""
        cable = f"{self.tag}v{self.numbers[name]}"
        await asyncio.to_thread(_ip, f"link set {cable} down")
        try:
            await asyncio.sleep(seconds)
        finally:
            _ip(f"link set {cable} up")


@contextmanager
def laid(names: Sequence[str]) -> Iterator[Networks]:
    """Networks for the processes, gone at the end; none where this machine doesn't allow them."""
    drawn = secrets.token_hex(3)
    tag, subnet = f"hg{drawn}", f"10.{200 + int(drawn[:2], 16) % 50}.{int(drawn[2:4], 16)}"
    networks = Networks(tag, subnet, {name: number for number, name in enumerate(names, 2)})
    if os.geteuid() or not shutil.which("ip"):
        yield Networks()
        return
    try:
        try:
            _lay(networks)
        except subprocess.CalledProcessError:
            _clear(networks)
            networks = Networks()
        yield networks
    finally:
        if networks.tag:
            _clear(networks)


def _lay(networks: Networks) -> None:
    tag, subnet = networks.tag, networks.subnet
    _ip(f"link add {tag}b type bridge")
    _ip(f"addr add {subnet}.1/24 dev {tag}b")
    _ip(f"link set {tag}b up")
    for number in networks.numbers.values():
        space, cable = f"{tag}{number}", f"{tag}v{number}"
        _ip(f"netns add {space}")
        _ip(f"link add {cable} type veth peer name eth0 netns {space}")
        _ip(f"link set {cable} master {tag}b up")
        _ip(f"-n {space} addr add {subnet}.{number}/24 dev eth0")
        _ip(f"-n {space} link set eth0 up")
        _ip(f"-n {space} link set lo up")


def _clear(networks: Networks) -> None:
    """Whatever is there of it. A cable goes with its namespace's end of it."""
    for number in networks.numbers.values():
        _ip(f"link del {networks.tag}v{number}", check=False)
        _ip(f"netns del {networks.tag}{number}", check=False)
    _ip(f"link del {networks.tag}b", check=False)


def _ip(arguments: str, *, check: bool = True) -> None:
    subprocess.run(["ip", *arguments.split()], check=check, capture_output=True, timeout=20)
