"""A storage queue with its poison queue, as the trigger uses them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from azure.core.exceptions import HttpResponseError
from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueClient

from heliograph.resilience import Guard
from heliograph.telemetry import log
from thumbnailer.metrics import QUEUED

_NO_LONGER_OURS = frozenset({"MessageNotFound", "PopReceiptMismatch"})


class WorkQueue:
    """Each call is guarded and tried again until it works: nothing else can be done without the queue.

    The poison queue is sent to, and no more: on Azure the service has no right to look at it.
    """

    def __init__(self, queue: QueueClient, poison: QueueClient) -> None:
        self._queue = queue
        self._poison = poison
        self._guard = Guard(f"queue-{queue.queue_name}", attempts=None)

    async def probe(self) -> None:
        """Raises when the queue can't be reached or is missing."""
        await self._queue.get_queue_properties()

    async def measure(self) -> None:
        """Says in the metrics how much waits in the queue."""
        found = await self._guard(self._queue.get_queue_properties)
        QUEUED.labels(self._queue.queue_name).set(found.approximate_message_count or 0)

    async def receive(self, count: int, visibility_s: int) -> list[QueueMessage]:
        """Up to so many messages, 32 at most, hidden from others for a while."""

        async def call() -> list[QueueMessage]:
            pages = self._queue.receive_messages(
                max_messages=count, messages_per_page=count, visibility_timeout=visibility_s
            )
            return [message async for message in pages]

        return await self._guard(call)

    async def send(self, content: str, *, hidden_s: int = 0) -> None:
        """Puts a message into the queue, to be seen after so many seconds."""
        await self._guard(lambda: self._queue.send_message(content, visibility_timeout=hidden_s))

    async def send_poison(self, content: str) -> None:
        """Puts a message into the poison queue, where it stays until somebody takes it out."""
        await self._guard(lambda: self._poison.send_message(content, time_to_live=-1))

    async def hide(self, message: QueueMessage, seconds: int) -> bool:
        """Hides a message in hand for so many seconds from now; false if it has passed to another."""
        try:
            fresh = await self._guard(lambda: self._queue.update_message(message, visibility_timeout=seconds))
        except HttpResponseError as error:
            if not _is_no_longer_ours(error):
                raise
            return False
        message.pop_receipt = fresh.pop_receipt
        return True

    async def delete(self, message: QueueMessage) -> None:
        """Removes a message in hand; one that has passed to another is left to that one."""
        try:
            await self._guard(lambda: self._queue.delete_message(message))
        except HttpResponseError as error:
            if not _is_no_longer_ours(error):
                raise

    @asynccontextmanager
    async def keep(self, message: QueueMessage, visibility_s: int) -> AsyncIterator[None]:
        """Keeps a message hidden from others for as long as the block lasts, renewing at half its time."""
        done = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            renewing = tasks.create_task(self._renew(message, visibility_s, done))
            try:
                yield
            finally:
                # A renewal that is cut off may have been carried out: the receipt that we hold would no longer count.
                done.set()
                await asyncio.wait([renewing])

    async def _renew(self, message: QueueMessage, visibility_s: int, done: asyncio.Event) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(done.wait(), visibility_s / 2)
            if done.is_set():
                return
            if not await self.hide(message, visibility_s):
                log.warning("message passed to another while in hand", message_id=message.id)
                return


def _is_no_longer_ours(error: HttpResponseError) -> bool:
    """The SDK sets `error_code`, a string enumeration, on errors that it got from the service."""
    return getattr(error, "error_code", None) in _NO_LONGER_OURS
