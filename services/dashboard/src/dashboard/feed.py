"""Reads the hub `insights` from just before now and tells the pages what changed.

Every replica reads every partition, without owning any and without checkpoints: the pages' cursors are the only
positions that matter. Reading begins `replay_s` seconds back, so that a page that was connected before a restart finds
its place again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from azure.eventhub import EventData, LoadBalancingStrategy
from azure.eventhub.aio import EventHubConsumerClient, PartitionContext

from dashboard import metrics
from dashboard.broadcast import Broadcast, Frame
from dashboard.cursor import encode
from dashboard.fleet import LIVE_COLUMNS, REGION_COLUMNS, Changes, Fleet
from heliograph.contracts import Alert, AlertAction, Note, Photo, PlantWindow
from heliograph.hub import consumer_client
from heliograph.settings import ServiceSettings
from heliograph.telemetry import log
from heliograph.topology import INSIGHTS_HUB
from heliograph.wire import MalformedError, body_of, insights_codec, spelt_out

GROUP: Final = "dashboard"
TELL_EVERY_S: Final = 0.2
"""Changes are gathered so long before the pages are told: five messages a second, however many plants change."""
_QUEUED_BATCHES: Final = 64
_EVENT_NAMES: Final[Mapping[type, str]] = {Alert: "alert", AlertAction: "action", Note: "note", Photo: "photo"}

Batch = tuple[str, Sequence[EventData]]


class Feed:
    """Keeps `fleet` and `broadcast` up to date from the hub."""

    def __init__(self, settings: ServiceSettings, fleet: Fleet, broadcast: Broadcast, *, replay_s: float) -> None:
        self._settings = settings
        self._fleet = fleet
        self._broadcast = broadcast
        self._start = datetime.now(UTC) - timedelta(seconds=replay_s)
        self._cursor: dict[str, int] = {}
        self._news: dict[str, int] = {}
        """What of the cursor the pages were not told yet."""
        self._changes = Changes()
        self._batches: asyncio.Queue[Batch] = asyncio.Queue(_QUEUED_BATCHES)
        self._expected: set[str] = set()
        self._partitions: set[str] = set()
        self._behind: dict[str, int] | None = None
        """Sequence numbers that the hub held at the start and that were not taken yet, by partition; None at first."""
        broadcast.caught_up.clear()
        self.newest_arrival: datetime | None = None
        """When the hub took the newest plant window."""

    async def probe(self) -> None:
        """Raises unless every partition of the hub is being read."""
        missing = self._expected - self._partitions
        if missing or not self._expected:
            raise ConnectionError(f"partitions not read yet: {', '.join(sorted(missing)) or 'all'}")

    async def run(self) -> None:
        """Reads until cancelled. Raises what ends the reading."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._receive(), name="feed-receive")
            tasks.create_task(self._take(), name="feed-take")
            tasks.create_task(self._tell(), name="feed-tell")

    async def _receive(self) -> None:
        client = consumer_client(
            self._settings,
            INSIGHTS_HUB,
            GROUP,
            load_balancing_interval=2,
            load_balancing_strategy=LoadBalancingStrategy.GREEDY,
        )
        async with client:
            await self._receive_from(client)
        raise ConnectionError("the hub's processor ended")

    async def _receive_from(self, client: EventHubConsumerClient) -> None:
        positions: dict[str, Any] = dict.fromkeys(await client.get_partition_ids(), self._start)
        self._expected = set(positions)
        await self._look_ahead(client)
        receive: Awaitable[None] = client.receive_batch(
            on_event_batch=self._on_batch,
            on_partition_initialize=self._on_partition,
            on_error=_on_error,
            starting_position={**positions, **self._cursor},
            prefetch=1000,
            max_batch_size=100,
        )
        await receive

    async def _look_ahead(self, client: EventHubConsumerClient) -> None:
        """Notes what there is to be read of the past before the feed is of the present."""
        last: dict[str, int] = {}
        for partition in sorted(self._expected):
            known = await client.get_partition_properties(partition)
            if not known["is_empty"] and known["last_enqueued_time_utc"].astimezone(UTC) >= self._start:
                last[partition] = known["last_enqueued_sequence_number"]
        self._behind = last

    async def _on_partition(self, context: PartitionContext) -> None:
        self._partitions.add(context.partition_id)

    async def _on_batch(self, context: PartitionContext, events: list[EventData]) -> None:
        await self._batches.put((context.partition_id, events))

    async def _take(self) -> None:
        while True:
            partition, events = await self._batches.get()
            for event in events:
                self._take_event(partition, event)
                if not self._broadcast.caught_up.is_set():
                    self._tell_changes()  # a page that comes back knows some of these events and not others
            await asyncio.sleep(0)

    def _take_event(self, partition: str, event: EventData) -> None:
        sequence = event.sequence_number
        if sequence is None or sequence <= self._cursor.get(partition, -1):
            return  # read again after a reconnection
        self._broadcast.starts_at(partition, sequence)
        self._cursor[partition] = self._news[partition] = sequence
        try:
            insights = insights_codec.decode(body_of(event)).messages
        except MalformedError as error:
            log.warning("insight refused", partition=partition, sequence=sequence, error=str(error))
            return
        metrics.INSIGHTS.inc(len(insights))
        self._fleet.apply(insights, self._changes)
        if event.enqueued_time and any(isinstance(insight, PlantWindow) for insight in insights):
            self.newest_arrival = max(self.newest_arrival or event.enqueued_time, event.enqueued_time)

    async def _tell(self) -> None:
        while True:
            began_s = time.monotonic()
            self._tell_changes()
            if self._behind is not None and all(self._cursor.get(name, -1) >= at for name, at in self._behind.items()):
                self._broadcast.caught_up.set()
            await asyncio.sleep(max(0.0, began_s + TELL_EVERY_S - time.monotonic()))

    def _tell_changes(self) -> None:
        if not self._changes:
            return
        data = encode_changes(self._changes, self._fleet, self._cursor)
        self._broadcast.send(Frame(dict(self._cursor), data, self._news))
        self._changes, self._news = Changes(), {}


def encode_changes(changes: Changes, fleet: Fleet, cursor: Mapping[str, int]) -> bytes:
    """The SSE events that tell of changes. Only the last one carries the cursor: a page that is cut off in the middle
    gets all of them again."""
    events: list[tuple[str, object]] = []
    if changes.plants:
        events.append(("windows", {"columns": LIVE_COLUMNS, "rows": fleet.live_rows(sorted(changes.plants))}))
    if changes.regions:
        events.append(("regions", {"columns": REGION_COLUMNS, "rows": fleet.region_rows(sorted(changes.regions))}))
    events += [(_EVENT_NAMES[type(message)], spelt_out(message)) for message in changes.messages]
    last = len(events) - 1
    return b"".join(
        sse(name, data, encode(cursor) if place == last else "") for place, (name, data) in enumerate(events)
    )


def sse(event: str, data: object, event_id: str = "") -> bytes:
    """One server-sent event."""
    identity = f"id: {event_id}\n" if event_id else ""
    return f"{identity}event: {event}\ndata: ".encode() + msgspec.json.encode(data) + b"\n\n"


async def _on_error(context: PartitionContext | None, error: Exception) -> None:
    partition = context.partition_id if context else None
    log.warning("live feed", partition=partition, error=f"{type(error).__name__}: {error}")
