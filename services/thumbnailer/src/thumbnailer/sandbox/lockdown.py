"""Shuts the calling process in: what it has loaded and opened by now is all that it will ever have."""

from __future__ import annotations

import resource

from thumbnailer.sandbox.syscalls import filter_system_calls


def lock_down(memory_bytes: int, cpu_s: int) -> tuple[str, ...]:
    """Limits memory and CPU seconds, and takes away files, network and processes. Returns the means that hold here.

    With no file descriptor to be had, neither a file nor a socket can be opened, on any system; on Linux the filter
    of system calls says so a second time, and more.
    """
    _limit(resource.RLIMIT_AS, memory_bytes)
    _limit(resource.RLIMIT_CPU, cpu_s)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_NOFILE, 0)
    filtered = filter_system_calls()
    return ("rlimits", "seccomp") if filtered else ("rlimits",)


def _limit(what: int, value: int) -> None:
    _, hard = resource.getrlimit(what)
    bounded = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(what, (bounded, bounded))
