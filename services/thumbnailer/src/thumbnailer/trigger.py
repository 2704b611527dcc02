"""Takes BlobCreated and BlobDeleted messages from the storage queue, as Azure Functions' blob trigger does.

A message in hand is kept hidden from others. What fails comes back after a pause, five times in all, and then goes to
the poison queue with its reason; what can never succeed goes there at once, so that a malicious file costs one worker
process and not five. While storage or the machine fails, which is no photo's fault, messages come back for as long as
that lasts.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from azure.storage.queue import QueueMessage

from heliograph.concurrency import Slot, Slots
from heliograph.resilience import is_transient
from heliograph.telemetry import log
from thumbnailer.events import BlobEvent, MalformedEventError, Replay, parse_events, poison_message, replay_message
from thumbnailer.metrics import IN_HAND, PHOTOS, POISONED, REFUSED, WORK_SECONDS
from thumbnailer.queue import WorkQueue
from thumbnailer.reconcile import ContestedError, PhotoRefusedError, Reconciler
from thumbnailer.sandbox import SandboxError

T = TypeVar("T")

MAX_RECEIVED: Final = 32
"""A storage queue hands out this many messages at once."""
FIRST_PAUSE_S: Final = 0.05
MAX_RETRY_PAUSE_S: Final = 300


@dataclass(frozen=True, slots=True)
class TriggerSettings:
    """How messages are taken."""

    container: str
    tries: int
    visibility_s: int
    poll_s: float


class Trigger:
    """Hands each message's photos to the reconciler, as many messages at once as there are slots. `nudged` is set by
    whoever puts something into the queue; `replay` does what a `Replay` asks for."""

    def __init__(
        self,
        *,
        queue: WorkQueue,
        reconciler: Reconciler,
        replay: Callable[[Replay], Awaitable[None]],
        slots: Slots,
        nudged: asyncio.Event,
        settings: TriggerSettings,
    ) -> None:
        self.queue = queue
        self.reconciler = reconciler
        self._replay = replay
        self._slots = slots
        self._nudged = nudged
        self._settings = settings

    async def run(self, stopping: asyncio.Event) -> None:
        """Works until `stopping` is set and what is in hand is done."""
        async with asyncio.TaskGroup() as tasks:
            pause_s = FIRST_PAUSE_S
            while (free := await _unless(stopping, self._slots.free())) is not None:
                self._nudged.clear()
                messages = await self.queue.receive(min(free, MAX_RECEIVED), self._settings.visibility_s)
                for message in messages:
                    tasks.create_task(self._work(message, self._slots.take()))
                pause_s = FIRST_PAUSE_S if messages else min(2 * pause_s, self._settings.poll_s)
                if not messages:
                    await self._pause(stopping, pause_s)

    async def _pause(self, stopping: asyncio.Event, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await _unless(stopping, self._nudged.wait())

    async def _work(self, message: QueueMessage, slot: Slot) -> None:
        started = time.monotonic()
        with slot, IN_HAND.track_inprogress():
            async with self.queue.keep(message, self._settings.visibility_s):
                failure = await self._try(message)
            try:
                await self._settle(message, failure)
            except Exception as error:
                if not _is_passing(error):
                    raise
                await self._postpone(message, error)
        WORK_SECONDS.observe(time.monotonic() - started)

    async def _try(self, message: QueueMessage) -> Exception | None:
        """Works on a message; what went wrong with it is returned, for its fate is decided in `_settle`."""
        tries = message.dequeue_count or 1
        try:
            for event in parse_events(message.content):
                if isinstance(event, BlobEvent) and event.container != self._settings.container:
                    PHOTOS.labels("elsewhere").inc()
                elif tries > self._settings.tries:
                    await self._give_up(event, "gave-up", f"taken {tries - 1} times and never to an end", tries)
                elif isinstance(event, Replay):
                    await self._replay(event)
                else:
                    await self._reconcile(event, tries)
        except Exception as error:
            return error
        return None

    async def _reconcile(self, event: BlobEvent, tries: int) -> None:
        try:
            outcome = await self.reconciler.reconcile(event.name, force=event.force)
        except PhotoRefusedError as refusal:
            REFUSED.labels(refusal.reason).inc()
            await self._poison(event, refusal.etag, refusal.reason, refusal.detail, tries)
        else:
            PHOTOS.labels(outcome).inc()
            log.info("photo", blob=event.name, outcome=outcome, tries=tries)

    async def _settle(self, message: QueueMessage, failure: Exception | None) -> None:
        tries = message.dequeue_count or 1
        match failure:
            case None:
                await self.queue.delete(message)
            case MalformedEventError():
                log.warning("message poisoned", message_id=message.id, detail=str(failure))
                POISONED.labels("malformed-event").inc()
                await self.queue.send_poison(message.content)
                await self.queue.delete(message)
            case _ if tries >= self._settings.tries and not _is_passing(failure):
                for event in parse_events(message.content):
                    await self._give_up(event, "failed", f"{type(failure).__name__}: {failure}", tries)
                await self.queue.delete(message)
            case _:
                await self._postpone(message, failure)

    async def _postpone(self, message: QueueMessage, failure: Exception) -> None:
        """Lets a message come back after a pause; after its last try as a new one, whose tries begin anew."""
        tries = message.dequeue_count or 1
        pause_s = min(2**tries, MAX_RETRY_PAUSE_S)
        PHOTOS.labels("failed").inc()
        log.warning("photo failed", tries=tries, again_in_s=pause_s, exc_info=failure)
        if tries < self._settings.tries:
            await self.queue.hide(message, pause_s)
        else:
            await self.queue.send(message.content, hidden_s=pause_s)
            await self.queue.delete(message)

    async def _give_up(self, event: BlobEvent | Replay, reason: str, detail: str, tries: int) -> None:
        """Poisons what failed for reasons of its own that nobody foresaw."""
        if isinstance(event, BlobEvent):
            await self._poison(event, await self._etag(event.name), reason, detail, tries)
            return
        await self.queue.send_poison(
            replay_message(event.prefix, event.token, Reason=reason, Detail=detail[:2000], DequeueCount=tries)
        )
        POISONED.labels(reason).inc()
        log.warning("replay poisoned", prefix=event.prefix, reason=reason, detail=detail, tries=tries)

    async def _etag(self, name: str) -> str:
        """The photo's ETag now; empty when the storage refuses to say. Such a photo ends in the poison queue as any
        other: raised here, its refusal would end the process, and its message the next one."""
        try:
            return await self.reconciler.etag(name)
        except Exception as error:
            if _is_passing(error):
                raise
            return ""

    async def _poison(self, event: BlobEvent, etag: str, reason: str, detail: str, tries: int) -> None:
        """The poison message first and the receipt after: a crash between the two tells of a photo twice, never not
        at all. Without a receipt the scan finds the photo again later."""
        await self.queue.send_poison(poison_message(event, etag, reason, detail, tries))
        try:
            await self.reconciler.refuse(event.name, etag, reason)
        except Exception as error:
            if _is_passing(error):
                raise
            log.exception("photo poisoned without a receipt", blob=event.name)
        PHOTOS.labels("poisoned").inc()
        POISONED.labels(reason).inc()
        log.warning("photo poisoned", blob=event.name, reason=reason, detail=detail, tries=tries)


def _is_passing(failure: Exception) -> bool:
    """Whether a neighbour, the machine or a race is to blame, and not the photo."""
    return is_transient(failure) or isinstance(failure, SandboxError | ContestedError)


async def _unless(stopping: asyncio.Event, waiting: Coroutine[Any, Any, T]) -> T | None:
    """What is waited for, or None when the sign to stop comes first."""
    stop, wait = asyncio.ensure_future(stopping.wait()), asyncio.ensure_future(waiting)
    try:
        await asyncio.wait([stop, wait], return_when=asyncio.FIRST_COMPLETED)
        return None if stop.done() else wait.result()
    finally:
        stop.cancel()
        wait.cancel()
