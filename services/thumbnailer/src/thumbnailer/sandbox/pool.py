"""The parent's side: a few workers kept alive, each with one image at a time, replaced when they die or have served."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Self, TypeVar

import msgspec

from heliograph.telemetry import log
from thumbnailer.imaging.recipe import ImageRefusedError, Made, Recipe
from thumbnailer.metrics import WORKERS_ENDED, WORKERS_STARTED
from thumbnailer.sandbox.frames import Answer, Confinement, Refused
from thumbnailer.sandbox.process import WorkerDiedError, WorkerProcess

T = TypeVar("T")

_START_TIMEOUT_S = 30.0


class SandboxError(RuntimeError):
    """No worker could be started: this is the machine's fault or ours, not the image's."""


class UndecidedError(RuntimeError):
    """The worker was ended from outside, or had no time: that says nothing about the image, which is tried again."""


class SandboxSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How many workers there are, and what each may use."""

    workers: int = 2
    memory_bytes: int = 1024 * 1024 * 1024
    """Address space of a worker; its code and libraries take some 80 MB of it."""
    image_cpu_s: int = 10
    image_timeout_s: float = 20.0
    images_per_worker: int = 500


class Sandbox:
    """Makes thumbnails in worker processes; `async with` ends them."""

    def __init__(self, recipe: Recipe, settings: SandboxSettings) -> None:
        self._settings = settings
        self._confinement = Confinement(
            settings.memory_bytes, settings.image_cpu_s * (settings.images_per_worker + 1), recipe
        )
        self._idle: list[WorkerProcess] = []
        self.busy: set[int] = set()
        """Process ids of the workers that have an image in hand."""
        self._places = asyncio.Semaphore(settings.workers)
        self._threads = ThreadPoolExecutor(settings.workers, thread_name_prefix="sandbox")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for worker in self._idle:
            self._end(worker, "closed")
        self._idle.clear()
        await asyncio.to_thread(self._threads.shutdown)

    async def probe(self) -> None:
        """Raises `SandboxError` when there is no worker and none can be started. Busy ones are as good as idle ones."""
        self._drop_ended()
        if self.busy or self._idle:
            return
        async with self._places:
            self._idle.append(await self._take())

    async def make(self, data: bytes) -> Made:
        """The thumbnails of an image.

        Raises `ImageRefusedError` with the reason for an image that is broken, forbidden or too much for a worker,
        `UndecidedError` when the worker was kept from it, and `SandboxError` when there is no worker to be had.
        """
        async with self._places:
            worker = await self._take()
            answer = await self._ask(worker, data)
            spent = isinstance(answer.outcome, Refused) and answer.outcome.spent
            if spent or worker.images >= self._settings.images_per_worker:
                self._end(worker, "spent" if spent else "served")
            else:
                self._idle.append(worker)
        if isinstance(answer.outcome, Refused):
            raise ImageRefusedError(answer.outcome.reason, answer.outcome.detail)
        return answer.outcome

    async def _take(self) -> WorkerProcess:
        self._drop_ended()
        if self._idle:
            return self._idle.pop()
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                worker = WorkerProcess(self._confinement, self._settings.image_cpu_s)
                await self._in_thread(worker.start, worker.kill)
        except (OSError, TimeoutError, WorkerDiedError, msgspec.DecodeError) as error:
            raise SandboxError(f"a worker did not start: {type(error).__name__}: {error}") from error
        WORKERS_STARTED.inc()
        log.info("sandbox worker started", pid=worker.pid, confinement=worker.means)
        return worker

    async def _ask(self, worker: WorkerProcess, data: bytes) -> Answer:
        timeout_s = self._settings.image_timeout_s
        self.busy.add(worker.pid)
        try:
            async with asyncio.timeout(timeout_s):
                return await self._in_thread(lambda: worker.answer(data), worker.kill)
        except TimeoutError as error:
            WORKERS_ENDED.labels("timeout").inc()
            # An image that keeps a worker busy runs into its limit of CPU time: this one had to wait for it.
            raise UndecidedError(f"decoding has taken more than {timeout_s:g} s") from error
        except WorkerDiedError as error:
            if error.was_sent_away:
                WORKERS_ENDED.labels("signal").inc()
                raise UndecidedError(str(error)) from error
            verdict = error.verdict()
            WORKERS_ENDED.labels(verdict.reason).inc()
            log.warning("sandbox worker died", pid=worker.pid, reason=verdict.reason, detail=verdict.detail)
            raise verdict from error
        finally:
            self.busy.discard(worker.pid)

    async def _in_thread(self, call: Callable[[], T], abort: Callable[[], object]) -> T:
        """The call's result, from a thread. When this is cancelled, `abort` is called to make the thread return."""
        running = asyncio.get_running_loop().run_in_executor(self._threads, call)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            abort()
            with contextlib.suppress(WorkerDiedError, OSError, ValueError):
                await running
            raise

    def _drop_ended(self) -> None:
        """Forgets workers that died while they were idle: the next image would be blamed for it."""
        for worker in [one for one in self._idle if one.ended]:
            self._idle.remove(worker)
            log.warning("sandbox worker died", pid=worker.pid, reason="idle")
            self._end(worker, "idle")

    def _end(self, worker: WorkerProcess, cause: str) -> None:
        WORKERS_ENDED.labels(cause).inc()
        self._threads.submit(worker.retire)
