"""Ports of this machine: which are free, and who holds the others."""

from __future__ import annotations

import contextlib
import secrets
import socket
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import psutil

from stack.layout import HOST, Ports

LOWEST: Final = 11_000
RANGE: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")


def taken(ports: Mapping[str, int]) -> Iterator[str]:
    """A sentence for each port that is held by somebody: which port, what for, by whom."""
    for purpose, port in ports.items():
        if not _is_free(port):
            yield f"port {port} ({purpose}) is taken by {holder(port)}"


def holder(port: int) -> str:
    """The process that listens on the port, as well as this user may see it."""
    with contextlib.suppress(psutil.AccessDenied):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port:
                return _describe(connection.pid)
    return "a process that this user may not see"


def _describe(pid: int | None) -> str:
    if pid is None:
        return "a process that this user may not see"
    try:
        line = " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return f"process {pid}"
    return f"process {pid} ({line[:100]})"


def free_ports(purposes: Iterable[str]) -> Ports:
    """A free port for each purpose, all different.

    They lie under the range from which the system gives ports to outgoing connections: one of those could else take
    the port of a server while that is down, and keep it from starting again.
    """
    with contextlib.ExitStack() as held:
        return {purpose: _bound(held.enter_context(socket.socket())) for purpose in purposes}


def _bound(probe: socket.socket) -> int:
    while True:
        with contextlib.suppress(OSError):
            probe.bind((HOST, LOWEST + secrets.randbelow(_outgoing_from() - LOWEST)))
            return int(probe.getsockname()[1])


def _outgoing_from() -> int:
    """The lowest port that the system gives to outgoing connections."""
    try:
        return max(int(RANGE.read_text().split()[0]), LOWEST + 1000)
    except OSError:
        return 32_768


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
