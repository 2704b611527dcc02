"""Empties the outbox into the hubs: batches filled to the hub's limit, each plant's readings in their order."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

from azure.eventhub import EventData

from heliograph.dead_letters import DeadLetters
from heliograph.wire import packed_event
from ingest import metrics
from ingest.alarms import Alarms
from ingest.letters import letters_of
from ingest.observations import Refused
from ingest.outbox import Outbox, Position, Record
from ingest.packing import is_gzipped
from ingest.traces import Traces

WINDOW_BYTES = 8_000_000
"""Read from the outbox at once: the memory that sending takes."""
PARALLEL_SENDS = 8
IDLE_S = 1.0
PAUSE_S = 2.0
SLOW, SLOW_S = "hub", 20.0
DISK = "outbox disk"


class Sender(Protocol):
    """As `heliograph.hub.HubSender`."""

    async def send(self, partition_key: str, events: Sequence[EventData]) -> None:
        """Durable in the hub when it returns."""


class Sending:
    """Sends what the outbox holds, oldest first; never gives up on a hub."""

    def __init__(
        self,
        outbox: Outbox,
        senders: Mapping[str, Sender],
        letters: DeadLetters,
        alarms: Alarms,
        traces: Traces | None = None,
    ) -> None:
        self._traces = traces or Traces()
        self._outbox = outbox
        self._senders = senders
        self._letters = letters
        self._alarms = alarms
        self._slots = asyncio.Semaphore(PARALLEL_SENDS)
        self._unsaved: Position | None = None
        metrics.OUTBOX_BYTES.set_function(lambda: outbox.waiting_bytes)
        metrics.OUTBOX_FILL.set_function(lambda: outbox.fill)

    async def run(self, appended: asyncio.Event, finished: asyncio.Event) -> None:
        """Sends until `finished` is set and the outbox is empty."""
        while not (finished.is_set() and self._outbox.is_empty):
            appended.clear()
            if not await self._try_window():
                await _wait(appended, IDLE_S)
            self._report()

    async def _try_window(self) -> bool:
        """Whether to go on at once. A failing disk is an alarm and a pause: what is in the hub is not sent again
        by this process, and segments that are sent make room on a full disk.
        """
        try:
            sent = await self.send_window()
        except OSError as error:
            self._alarms.set(DISK, f"{type(error).__name__}: {error}")
            await asyncio.sleep(PAUSE_S)
            return True
        self._alarms.set(DISK, None)
        return sent > 0

    async def send_window(self) -> int:
        """Sends the oldest records, and forgets them once all are in the hub. Returns how many there were."""
        window = await asyncio.to_thread(self._outbox.peek, WINDOW_BYTES)
        if window:
            await self._send_all([record for _, record in window])
            self._unsaved = window[-1][0]
        if self._unsaved:
            await asyncio.to_thread(self._outbox.forget, self._unsaved)
            self._unsaved = None
        return len(window)

    async def _send_all(self, records: Sequence[Record]) -> None:
        groups: dict[tuple[str, str], list[Record]] = {}
        for record in records:
            groups.setdefault((record.hub, record.key), []).append(record)
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(self._watch())
            async with asyncio.TaskGroup() as sends:
                for (hub, key), group in groups.items():
                    sends.create_task(self._send(hub, key, group))
            watching.cancel()
        self._alarms.set(SLOW, None)

    async def _watch(self) -> None:
        """The hub's client tries again by itself for as long as it takes; here the outage becomes an alarm."""
        while True:
            await asyncio.sleep(SLOW_S)
            self._alarms.set(SLOW, f"a send has taken more than {SLOW_S:g} s, {self._outbox.waiting_bytes} bytes wait")
            self._report()

    async def _send(self, hub: str, key: str, records: Sequence[Record]) -> None:
        async with self._slots:
            await self._send_until_done(hub, key, records)

    async def _send_until_done(self, hub: str, key: str, records: Sequence[Record]) -> None:
        while True:
            if await self._try(hub, key, records):
                return
            await asyncio.sleep(PAUSE_S)

    async def _try(self, hub: str, key: str, records: Sequence[Record]) -> bool:
        try:
            await self._senders[hub].send(key, [self._event(record) for record in records])
        except ValueError as error:
            return await self._refuse(hub, key, records, error)
        except Exception as error:
            metrics.SEND_FAILURES.labels(hub).inc()
            self._alarms.set(f"hub {hub}", f"{type(error).__name__}: {error}")
            return False
        self._alarms.set(f"hub {hub}", None)
        metrics.SENT_EVENTS.labels(hub).inc(len(records))
        metrics.SENT_BYTES.labels(hub).inc(sum(len(record.body) for record in records))
        metrics.SENT_READINGS.labels(hub).inc(sum(record.messages for record in records))
        return True

    async def _refuse(self, hub: str, key: str, records: Sequence[Record], error: ValueError) -> bool:
        """An event over the hub's limit would stop the queue for ever: each goes alone, and to the dead letters if
        it is the one."""
        if len(records) > 1:
            for record in records:
                await self._send_until_done(hub, key, [record])
            return True
        refused = Refused("rejected", f"the hub refused the event: {error}", records[0].body)
        try:
            await self._letters.put(letters_of([refused], source=hub, lane=key, at=datetime.now(UTC)))
        except Exception as failed:
            self._alarms.set("dead letters", f"{type(failed).__name__}: {failed}")
            return False
        self._alarms.set("dead letters", None)
        return True

    def _event(self, record: Record) -> EventData:
        event = packed_event(record.body, encoding="gzip" if is_gzipped(record.body) else None)
        if carrier := self._traces.take(record.body):
            event.properties = dict(carrier)  # type: ignore[assignment]
        return event

    def _report(self) -> None:
        full = f"{self._outbox.fill:.0%} of the outbox is taken" if self._outbox.fill > 0.8 else None
        self._alarms.set("outbox", full)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
