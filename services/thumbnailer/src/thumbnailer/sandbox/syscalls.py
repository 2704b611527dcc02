"""A seccomp filter for Linux: of several hundred system calls, a worker keeps those that computing needs.

There is no socket, open, exec or kill among them, and of clone only what starts a thread (the HEVC decoder needs
one): what is not listed fails with EPERM. The filter is a classic BPF program
(https://www.kernel.org/doc/html/latest/userspace-api/seccomp_filter.html).
"""

from __future__ import annotations

import ctypes
import platform
import struct
import sys
from typing import Final

_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_SET_SECCOMP: Final = 22
_SECCOMP_MODE_FILTER: Final = 2

_LOAD_WORD: Final = 0x20
_JUMP_IF_EQUAL: Final = 0x15
_JUMP_IF_AT_LEAST: Final = 0x35
_JUMP_IF_ANY_BIT: Final = 0x45
_RETURN: Final = 0x06
_ALLOW: Final = 0x7FFF0000
_FAIL_WITH_EPERM: Final = 0x00050001
_FAIL_WITH_ENOSYS: Final = 0x00050026
_KILL_PROCESS: Final = 0x80000000

_OFFSET_OF_NUMBER: Final = 0
_OFFSET_OF_ARCHITECTURE: Final = 4
_OFFSET_OF_FIRST_ARGUMENT: Final = 16
_CLONE_THREAD: Final = 0x00010000
_X32_BIT: Final = 0x40000000
"""Marks the calls of the x32 ABI, which have other meanings under the same numbers."""

_AUDIT_ARCHITECTURE: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_CLONE: Final = {"x86_64": 56, "aarch64": 220}
_CLONE3: Final = 435
"""Its flags lie in memory, where a filter can't look; the C library takes clone when there is no clone3."""
_ALLOWED: Final[dict[str, dict[str, int]]] = {
    "x86_64": {
        "read": 0, "write": 1, "close": 3, "fstat": 5, "lseek": 8, "mmap": 9, "mprotect": 10, "munmap": 11,
        "brk": 12, "rt_sigaction": 13, "rt_sigprocmask": 14, "rt_sigreturn": 15, "writev": 20, "sched_yield": 24,
        "mremap": 25, "madvise": 28, "getpid": 39, "exit": 60, "getrusage": 98, "gettid": 186, "futex": 202,
        "sched_getaffinity": 204, "restart_syscall": 219, "clock_gettime": 228, "exit_group": 231,
        "newfstatat": 262, "set_robust_list": 273, "getrandom": 318, "rseq": 334,
    },
    "aarch64": {
        "close": 57, "lseek": 62, "read": 63, "write": 64, "writev": 66, "newfstatat": 79, "fstat": 80, "exit": 93,
        "exit_group": 94, "futex": 98, "set_robust_list": 99, "clock_gettime": 113, "sched_getaffinity": 123,
        "sched_yield": 124, "restart_syscall": 128, "rt_sigaction": 134, "rt_sigprocmask": 135, "rt_sigreturn": 139,
        "getrusage": 165, "getpid": 172, "gettid": 178, "brk": 214, "munmap": 215, "mremap": 216, "mmap": 222,
        "mprotect": 226, "madvise": 233, "getrandom": 278, "rseq": 293,
    },
}  # fmt: skip


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def filter_system_calls() -> bool:
    """Puts the filter on this process, for good. False where there is no such filter (not Linux, another machine).

    Raises `OSError` when the kernel refuses it.
    """
    machine = platform.machine()
    if not sys.platform.startswith("linux") or machine not in _ALLOWED:
        return False
    code = _program(_AUDIT_ARCHITECTURE[machine], _CLONE[machine], sorted(_ALLOWED[machine].values()))
    program = _Program(len(code) // 8, code)
    libc = ctypes.CDLL(None, use_errno=True)
    _prctl(libc, _PR_SET_NO_NEW_PRIVS, 1, 0)
    _prctl(libc, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program))
    return True


def _prctl(libc: ctypes.CDLL, option: int, first: int, second: object) -> None:
    if libc.prctl(option, ctypes.c_ulong(first), second, ctypes.c_ulong(0), ctypes.c_ulong(0)):
        code = ctypes.get_errno()
        raise OSError(code, f"prctl({option}) failed")


def _program(architecture: int, clone: int, allowed: list[int]) -> bytes:
    """The filter: another architecture kills, a listed call and the start of a thread pass, the rest fail."""
    code = [
        _instruction(_LOAD_WORD, _OFFSET_OF_ARCHITECTURE),
        _instruction(_JUMP_IF_EQUAL, architecture, when_true=1),
        _instruction(_RETURN, _KILL_PROCESS),
        _instruction(_LOAD_WORD, _OFFSET_OF_NUMBER),
        _instruction(_JUMP_IF_AT_LEAST, _X32_BIT, when_true=len(allowed) + 5),
        _instruction(_JUMP_IF_EQUAL, _CLONE3, when_true=len(allowed) + 5),
        _instruction(_JUMP_IF_EQUAL, clone, when_true=len(allowed) + 1),
        *(_instruction(_JUMP_IF_EQUAL, number, when_true=len(allowed) - at + 4) for at, number in enumerate(allowed)),
        _instruction(_RETURN, _FAIL_WITH_EPERM),
        _instruction(_LOAD_WORD, _OFFSET_OF_FIRST_ARGUMENT),
        _instruction(_JUMP_IF_ANY_BIT, _CLONE_THREAD, when_true=2),
        _instruction(_RETURN, _FAIL_WITH_EPERM),
        _instruction(_RETURN, _FAIL_WITH_ENOSYS),
        _instruction(_RETURN, _ALLOW),
    ]
    return b"".join(code)


def _instruction(operation: int, operand: int, *, when_true: int = 0) -> bytes:
    """One BPF instruction; `when_true` is how many to skip when a comparison holds."""
    return struct.pack("=HBBI", operation, when_true, 0, operand)
