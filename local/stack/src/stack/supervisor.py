"""Starts the processes of a plan, keeps them running, and stops them in order."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import httpx
import msgspec
from azure.core.exceptions import AzureError

from heliograph.stopping import grace
from local_azure.directory import owned
from stack.layout import (
    Plan,
    ProcessSpec,
    azure_processes,
    hub_config,
    replica_name,
    service_process,
    service_processes,
    storage_connection,
)
from stack.ports import free_ports
from stack.provision import provision
from stack.state import STATE_FILE, StackState, own_start, remove_state, write_state

START_TIMEOUT_S: Final = 180.0
DRAIN_S: Final = 28.0
STEADY_S: Final = 30.0
"""A process that lived this long is not in a crash loop."""
MAX_PAUSE_S: Final = 15.0

Report = Callable[[str], None]


class StartError(RuntimeError):
    """A process did not become ready; the text names it and the end of its log."""


@dataclass(slots=True)
class _Kept:
    """A process that is kept running until its `stop`."""

    stop: asyncio.Event
    task: asyncio.Task[None]


class Supervisor:
    """Runs one plan. `report` gets a line for everything that a person would want to see."""

    def __init__(self, plan: Plan, report: Report) -> None:
        self._plan = plan
        self._report = report
        self._logs = plan.folder / "logs"
        self._stopping = asyncio.Event()
        self._azure: dict[str, _Kept] = {}
        self._services: dict[str, _Kept] = {}
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self.state = StackState(pid=os.getpid(), started=own_start(), phase="starting", plan=plan)

    async def run(self, stopping: asyncio.Event, ready: Callable[[float], None]) -> None:
        """Until `stopping` is set. Calls `ready` with the seconds it took.

        Raises `StartError`, `DataDirectoryInUseError`, and `OSError` when the folder takes no files.
        """
        self._logs.mkdir(parents=True, exist_ok=True)
        with owned(self._plan.folder, "stack.lock", "stack"):
            (self._plan.folder / "eventhubs.json").write_text(hub_config())
            write_state(self._plan.folder, self.state)
            await self._run(stopping, ready)

    async def _run(self, stopping: asyncio.Event, ready: Callable[[float], None]) -> None:
        begun = time.monotonic()
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                tasks.create_task(self._stop_on(stopping))
                try:
                    await self._bring_up()
                except BaseException:
                    stopping.set()
                    raise
                if not stopping.is_set():
                    self.state.phase = "ready"
                    self._save()
                    ready(time.monotonic() - begun)
        except BaseExceptionGroup as group:
            failures = group.subgroup(StartError)
            raise (failures.exceptions[0] if failures else group) from None
        finally:
            remove_state(self._plan.folder)

    async def _bring_up(self) -> None:
        azure, services = azure_processes(self._plan), service_processes(self._plan)
        self._start_all(azure, self._azure)
        await self._all_ready(azure)
        try:
            async with grace(self._stopping, 0) as limit:  # it would retry on servers that are told to stop, too
                await provision(storage_connection(self._plan.ports, self._plan.azure_host))
        except AzureError as error:
            raise StartError(f"azurite does not take its containers and queues: {error}") from error
        except TimeoutError:
            if not limit.expired():
                raise
        if not self._stopping.is_set():
            self._start_all(services, self._services)
            await self._all_ready(services)

    def _start_all(self, specs: Sequence[ProcessSpec], kept: dict[str, _Kept]) -> None:
        for spec in specs:
            stop = asyncio.Event()
            kept[spec.name] = _Kept(stop, self._tasks.create_task(self._keep(spec, stop), name=spec.name))

    async def _stop_on(self, stopping: asyncio.Event) -> None:
        """The services drain while the local Azure still answers; then it goes too."""
        await stopping.wait()
        self._stopping.set()
        for group in (self._services, self._azure):
            for one in group.values():
                one.stop.set()
            await asyncio.gather(*(one.task for one in group.values()), return_exceptions=True)

    def replicas(self, service: str) -> list[str]:
        """The names of a service's processes that are to run."""
        return [name for name, one in self._services.items() if _is_of(name, service) and not one.stop.is_set()]

    def scale(self, service: str, count: int) -> None:
        """Starts replicas of a service, or lets the youngest drain, until `count` are to run. Returns at once."""
        if self._stopping.is_set():
            return
        running = self.replicas(service)
        for name in running[count:]:
            self._services[name].stop.set()
        names = (replica_name(service, number) for number in itertools.count(1))
        unused = (name for name in names if name not in self._services or self._services[name].task.done())
        fresh = list(itertools.islice(unused, max(0, count - len(running))))
        ports = {**free_ports(fresh), **self._plan.ports}
        self._plan = self.state.plan = msgspec.structs.replace(self._plan, ports=ports)
        for name in fresh:
            self._services.pop(name, None)
        self._start_all([service_process(self._plan, name) for name in fresh], self._services)
        if running[count:] or fresh:
            self._report(f"{service} goes from {len(running)} to {count} replicas")

    async def _keep(self, spec: ProcessSpec, stop: asyncio.Event) -> None:
        pause = 0.5
        while not stop.is_set():
            begun = time.monotonic()
            code = await self._run_once(spec, stop)
            if stop.is_set():
                self.state.pids.pop(spec.name, None)
                self._save()
                return
            pause = 0.5 if time.monotonic() - begun > STEADY_S else min(pause * 2, MAX_PAUSE_S)
            self._report(
                f"{spec.name} ended with code {code}; starting it again in {pause:g} s (see {self._log(spec)})"
            )
            self.state.restarts[spec.name] = self.state.restarts.get(spec.name, 0) + 1
            await _wait(stop, pause)

    async def _run_once(self, spec: ProcessSpec, stop: asyncio.Event) -> int:
        with self._log(spec).open("ab") as output:
            process = await self._start(spec, output)
            exited = asyncio.ensure_future(process.wait())
            stopped = asyncio.ensure_future(stop.wait())
            try:
                await asyncio.wait({exited, stopped}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                stopped.cancel()
                await _end(process, exited)
                del self._running[spec.name]
        return process.returncode or 0

    async def _start(self, spec: ProcessSpec, output: IO[bytes]) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            *_ending_with_us(spec.command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **spec.env},
            start_new_session=True,
        )
        self._running[spec.name] = process
        self.state.pids[spec.name] = process.pid
        self._save()
        return process

    async def _all_ready(self, specs: Sequence[ProcessSpec]) -> None:
        async with httpx.AsyncClient(timeout=5, trust_env=False) as http:
            await asyncio.gather(*(self._ready(spec, http) for spec in specs))

    async def _ready(self, spec: ProcessSpec, http: httpx.AsyncClient) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._stopping.is_set():
            if await _answers(spec, http):
                self._report(f"{spec.name} is ready")
                return
            if self.state.restarts.get(spec.name, 0) >= 3 or time.monotonic() > deadline:
                raise StartError(f"{spec.name} does not start; the end of {self._log(spec)}:\n{_tail(self._log(spec))}")
            await asyncio.sleep(0.1)

    def _log(self, spec: ProcessSpec) -> Path:
        return self._logs / f"{spec.name}.log"

    def _save(self) -> None:
        """A full disk leaves the file behind the times; the processes go on."""
        try:
            write_state(self._plan.folder, self.state)
        except OSError as error:
            self._report(f"{STATE_FILE} can not be written: {error.strerror}")


_PR_SET_PDEATHSIG: Final = 1
_PRELUDE: Final = f"""
import ctypes, os, sys
ctypes.CDLL(None).prctl({_PR_SET_PDEATHSIG}, {signal.SIGTERM:d})
if os.getppid() == int(sys.argv[1]):
    os.execvp(sys.argv[2], sys.argv[2:])
"""


def _ending_with_us(command: Sequence[str]) -> Sequence[str]:
    """The command in a process that Linux sends SIGTERM when the supervisor dies, be it by `kill -9`.

    Nobody would else find it, to end it, and it would keep its ports and its data from the next stack. Done before the
    program in the child: Python warns of a `preexec_fn` in a process that has threads.
    """
    if sys.platform != "linux":
        return command
    return (sys.executable, "-ISc", _PRELUDE, str(os.getpid()), *command)


def _is_of(name: str, service: str) -> bool:
    return name.partition("-")[0] == service


async def _answers(spec: ProcessSpec, http: httpx.AsyncClient) -> bool:
    try:
        if spec.ready_url:
            return (await http.get(spec.ready_url)).status_code == httpx.codes.OK
        for port in spec.ready_ports:
            _, writer = await asyncio.open_connection(spec.host, port)
            writer.close()
    except (OSError, httpx.HTTPError):
        return False
    return True


async def _end(process: asyncio.subprocess.Process, exited: asyncio.Future[int]) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(DRAIN_S):
                await asyncio.shield(exited)
        except TimeoutError:
            process.kill()
    await exited


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


def _tail(log: Path, lines: int = 12) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
