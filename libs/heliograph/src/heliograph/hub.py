"""Event hubs: a sender that fills batches, and a reader that turns the SDK's processor into a pull iterator.

The SDK's processor swallows what a handler raises and later feeds the same events again. Here its handlers only hand
the events over and wait, so a failure surfaces in the task that iterates, and a slow consumer holds the hub back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

from azure.eventhub import CloseReason, EventData, LoadBalancingStrategy
from azure.eventhub.aio import EventHubConsumerClient, EventHubProducerClient, PartitionContext
from azure.eventhub.exceptions import EventHubError
from azure.eventhub.extensions.checkpointstoreblobaio import BlobCheckpointStore
from prometheus_client import Gauge
from pydantic import Field

from heliograph import azure_time
from heliograph.blobs import SOON
from heliograph.credentials import identity
from heliograph.resilience import Guard
from heliograph.settings import ServiceSettings, named
from heliograph.telemetry import log
from heliograph.topology import CHECKPOINTS
from heliograph.tracing import processing, sending

START_OF_STREAM = "-1"
PROPERTIES_S = 10.0
"""Patience with a question that is asked again anyway."""
LAG_EVERY_S = 30.0
"""Between two looks at how far the hub is ahead, beside what comes with each batch."""

LAG = Gauge("heliograph_hub_lag_events", "Events in the hub beyond the last one taken", ["hub", "partition"])
CHECKPOINTED = Gauge(
    "heliograph_hub_checkpoint_timestamp_seconds",
    "When the last checkpoint was written, or the partition claimed",
    ["hub", "partition"],
)


class ReaderSettings(ServiceSettings):
    """Of the services that read a hub in a consumer group."""

    balance_s: float = Field(2.0, gt=0, le=60, description="seconds between two looks at who owns which partition")
    ownership_s: float = Field(
        15.0, gt=1, le=600, description="seconds after which the partitions of a silent replica are taken over"
    )
    idle_s: float = Field(1.0, gt=0, le=60, description="seconds after which a silent partition is reported idle")
    prefetch: int = Field(3000, ge=1, le=100_000, description="events fetched ahead of the work, per partition")
    max_batch: int = Field(100, ge=1, le=10_000, description="events handed over at once")


@dataclass(frozen=True, slots=True)
class Claimed:
    """The partition is ours from here on: load its state."""

    partition: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Events of one partition, in order; none when the partition has been silent for `idle_s`."""

    partition: str
    events: Sequence[EventData]


@dataclass(frozen=True, slots=True)
class Released:
    """The partition is another's: forget its state."""

    partition: str


Item = Claimed | Batch | Released


@dataclass(slots=True)
class _Handover:
    item: Item
    done: asyncio.Event


class HubReader:
    """Iterates over what happens on the partitions that this replica owns, one item at a time.

    The next batch of a partition is fetched only after the loop has come back for another item.
    """

    def __init__(self, client: EventHubConsumerClient, store: BlobCheckpointStore, settings: ReaderSettings) -> None:
        self._client = client
        self._store = store
        self._settings = settings
        self._guard = Guard("checkpoints")
        self._contexts: dict[str, PartitionContext] = {}
        self._handovers: asyncio.Queue[_Handover] = asyncio.Queue()
        self._taken: dict[str, int] = {}
        self._claimed: set[str] = set()
        self.owned: set[str] = set()

    async def probe(self) -> None:
        """Raises unless the hub answers. A failed receiver is silent in the SDK, so the properties are asked for."""
        await self._client.get_eventhub_properties()

    async def is_at_end(self, partition: str, sequence: int) -> bool:
        """Whether the hub holds nothing of the partition beyond that sequence number. A silent link says no such
        thing: after a restart or an outage the events may still be on their way. False when the hub does not answer."""
        last = await self._last_enqueued(partition)
        return last is not None and last <= sequence

    async def _last_enqueued(self, partition: str) -> int | None:
        """Sequence number of the last event that the hub holds, -1 if there is none; None if it does not answer."""
        try:
            async with asyncio.timeout(PROPERTIES_S):
                known = await self._client.get_partition_properties(partition)
        except (EventHubError, TimeoutError) as error:
            log.warning("partition properties", partition=partition, error=f"{type(error).__name__}: {error}")
            return None
        return -1 if known["is_empty"] else int(known["last_enqueued_sequence_number"])

    async def watch_lag(self) -> None:
        """Counts what waits until cancelled; `open_reader` runs it. Where work on a batch hangs no other comes, and
        with it no word of the lag."""
        while True:
            await asyncio.sleep(LAG_EVERY_S)
            for partition in sorted(self.owned):
                last = await self._last_enqueued(partition)
                if last is not None and partition in self.owned and partition in self._taken:
                    LAG.labels(self._client.eventhub_name, partition).set(max(0, last - self._taken[partition]))

    async def items(self, stopping: asyncio.Event) -> AsyncGenerator[Item]:
        """Yields until `stopping` is set. To be closed by who iterates (`contextlib.aclosing`): what its body raises
        would else leave the span of the batch to the garbage collector."""
        stop = asyncio.create_task(stopping.wait())
        try:
            while (handover := await self._next(stop)) is not None:
                try:
                    with self._traced(handover.item):
                        yield handover.item
                finally:
                    handover.done.set()
        finally:
            stop.cancel()

    def _traced(self, item: Item) -> AbstractContextManager[None]:
        if isinstance(item, Batch) and item.events:
            return processing(self._client.eventhub_name, item.partition, item.events)
        return nullcontext()

    async def _next(self, stop: asyncio.Task[Literal[True]]) -> _Handover | None:
        while True:
            getting = asyncio.create_task(self._handovers.get())
            try:
                await asyncio.wait([getting, stop], return_when=asyncio.FIRST_COMPLETED)
                if stop.done():
                    return None
                handover = getting.result()
            finally:
                getting.cancel()
            if not handover.done.is_set() and self._is_current(handover.item):
                return handover
            handover.done.set()

    def _is_current(self, item: Item) -> bool:
        """Keeps `owned`, and drops the batch that a lost partition left in the queue."""
        match item:
            case Claimed(partition):
                self.owned.add(partition)
                CHECKPOINTED.labels(self._client.eventhub_name, partition).set_to_current_time()
                return True
            case Released(partition):
                known = partition in self.owned
                self.owned.discard(partition)
                self._forget(partition)
                return known
            case Batch(partition, _):
                return partition in self.owned

    def _forget(self, partition: str) -> None:
        """Another replica tells of the partition from here on: what we last saw would stay for ever."""
        self._taken.pop(partition, None)
        for gauge in (LAG, CHECKPOINTED):
            gauge.remove(self._client.eventhub_name, partition)

    async def checkpoint(self, partition: str, event: EventData) -> None:
        """Marks the event, and all before it, as done. To be called after its results are durable."""
        context = self._contexts[partition]
        await self._guard(lambda: context.update_checkpoint(event))
        CHECKPOINTED.labels(context.eventhub_name, partition).set_to_current_time()

    async def receive(self) -> None:
        """Feeds `items` until cancelled; `open_reader` runs it. Raises what ends the SDK's processor."""
        settings = self._settings
        receive: Awaitable[None] = self._client.receive_batch(
            on_event_batch=self._on_batch,
            on_error=_on_error,
            on_partition_initialize=self._on_claimed,
            on_partition_close=self._on_released,
            max_batch_size=settings.max_batch,
            max_wait_time=settings.idle_s,
            prefetch=settings.prefetch,
            starting_position=START_OF_STREAM,
            track_last_enqueued_event_properties=True,
        )
        await receive
        raise ConnectionError("the hub's processor ended")

    async def _hand_over(self, item: Item) -> None:
        done = asyncio.Event()
        self._handovers.put_nowait(_Handover(item, done))
        try:
            await done.wait()
        finally:
            done.set()  # cancelled with the partition: what still waits in the queue is another's by now

    async def _on_batch(self, context: PartitionContext, events: list[EventData]) -> None:
        if context.partition_id not in self._claimed:  # the SDK goes on where its claim failed; this lets it try again
            raise ConnectionError(f"partition {context.partition_id} was not claimed")
        if events:
            last = (context.last_enqueued_event_properties or {}).get("sequence_number")
            taken = self._taken[context.partition_id] = events[-1].sequence_number or 0
            LAG.labels(context.eventhub_name, context.partition_id).set(max(0, (last or 0) - taken))
        await self._hand_over(Batch(context.partition_id, events))

    async def _on_claimed(self, context: PartitionContext) -> None:
        self._contexts[context.partition_id] = context
        await self._first_checkpoint(context)
        self._claimed.add(context.partition_id)
        await self._hand_over(Claimed(context.partition_id))

    async def _on_released(self, context: PartitionContext, _reason: CloseReason) -> None:
        self._claimed.discard(context.partition_id)
        self._handovers.put_nowait(_Handover(Released(context.partition_id), asyncio.Event()))

    async def _first_checkpoint(self, context: PartitionContext) -> None:
        """Gives a partition that was never read a checkpoint at its start. Without one, KEDA counts all that the
        hub retains as lag, and never scales to zero. What was taken is known from here on, so that the lag is told of
        a receiver, too, that stays silent from the beginning."""
        place = (context.fully_qualified_namespace, context.eventhub_name, context.consumer_group)
        known = await self._guard(lambda: self._store.list_checkpoints(*place))
        taken = [one["sequence_number"] for one in known if one["partition_id"] == context.partition_id]
        self._taken[context.partition_id] = int(taken[0] or 0) if taken else -1
        if taken:
            return
        first: dict[str, Any] = {
            "fully_qualified_namespace": place[0],
            "eventhub_name": place[1],
            "consumer_group": place[2],
            "partition_id": context.partition_id,
            "offset": START_OF_STREAM,
            "sequence_number": -1,
        }
        await self._guard(lambda: self._store.update_checkpoint(first))


async def _on_error(context: PartitionContext | None, error: Exception) -> None:
    partition = context.partition_id if context else None
    log.warning("hub reader", partition=partition, error=f"{type(error).__name__}: {error}")


class _Store(BlobCheckpointStore):
    """The SDK takes an owner for dead by comparing the storage's stamps with this machine's clock. A clock that is
    ahead would take all partitions from everybody, one that is behind leave a dead owner's alone for as long."""

    async def list_ownership(self, *place: Any, **options: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - as the SDK has it
        """With stamps as this machine's clock would have set them."""
        known = await super().list_ownership(*place, **options)
        ahead_s = azure_time.wall_is_ahead_s()
        return [{**one, "last_modified_time": one["last_modified_time"] + ahead_s} for one in known]


def checkpoint_store(settings: ServiceSettings) -> BlobCheckpointStore:
    """The checkpoints of all consumer groups. The SDK gives up a partition that it can't claim, and its own pause of 15
    seconds is as long as others wait before they take over."""
    options: Any = {"raw_response_hook": azure_time.hear, **SOON}
    if settings.storage_connection_string:
        connection = settings.storage_connection_string.get_secret_value()
        with named("STORAGE_CONNECTION_STRING"):
            return _Store.from_connection_string(connection, CHECKPOINTS, **options)
    url = f"https://{settings.storage_account}.blob.core.windows.net"
    return _Store(url, CHECKPOINTS, credential=identity(), **options)


def consumer_client(settings: ServiceSettings, hub: str, group: str, **options: Any) -> EventHubConsumerClient:  # noqa: ANN401
    """The SDK's consumer of a hub; `options` as the SDK has them."""
    if settings.eventhub_connection_string:
        connection = settings.eventhub_connection_string.get_secret_value()
        with named("EVENTHUB_CONNECTION_STRING"):
            return EventHubConsumerClient.from_connection_string(connection, group, eventhub_name=hub, **options)
    return EventHubConsumerClient(settings.eventhub_namespace or "", hub, group, credential=identity(), **options)


@asynccontextmanager
async def open_reader(settings: ReaderSettings, hub: str, group: str) -> AsyncIterator[HubReader]:
    """A reader of the hub in a consumer group that shares the partitions with its other replicas.

    What ends the SDK's processor cancels the body and is raised here.
    """
    async with checkpoint_store(settings) as store:
        client = consumer_client(
            settings,
            hub,
            group,
            checkpoint_store=store,
            load_balancing_interval=settings.balance_s,
            partition_ownership_expiration_interval=settings.ownership_s,
            load_balancing_strategy=LoadBalancingStrategy.GREEDY,
        )
        async with client, asyncio.TaskGroup() as tasks:
            reader = HubReader(client, store, settings)
            running = [
                tasks.create_task(reader.receive(), name=f"reader-{hub}"),
                tasks.create_task(reader.watch_lag(), name=f"lag-{hub}"),
            ]
            yield reader
            for task in running:
                task.cancel()


class HubSender:
    """Sends events in batches filled to the hub's limit. An event is durable in the hub when `send` returns."""

    def __init__(self, client: EventHubProducerClient, hub: str) -> None:
        self._client = client
        self._hub = hub
        self._guard = Guard(f"hub-{hub}", attempts=None, timeout_s=60)

    async def probe(self) -> None:
        """Raises unless the hub answers."""
        await self._client.get_eventhub_properties()

    async def send(self, partition_key: str, events: Sequence[EventData]) -> None:
        """Sends the events in their order to the partition that the key leads to. Tries again until it works.

        Raises `ValueError` for an event over the hub's limit.
        """
        with sending(self._hub, events):
            await self._send_all(partition_key, events)

    async def _send_all(self, partition_key: str, events: Sequence[EventData]) -> None:
        batch = await self._guard(lambda: self._client.create_batch(partition_key=partition_key))
        for event in events:
            try:
                batch.add(event)
            except ValueError:
                if len(batch) == 0:
                    raise
                await self._send(batch)
                batch = await self._guard(lambda: self._client.create_batch(partition_key=partition_key))
                batch.add(event)
        if len(batch):
            await self._send(batch)

    async def _send(self, batch: Any) -> None:  # noqa: ANN401 - EventDataBatch
        await self._guard(lambda: self._client.send_batch(batch))


def producer_client(settings: ServiceSettings, hub: str) -> EventHubProducerClient:
    """The SDK's producer to a hub."""
    if settings.eventhub_connection_string:
        connection = settings.eventhub_connection_string.get_secret_value()
        with named("EVENTHUB_CONNECTION_STRING"):
            return EventHubProducerClient.from_connection_string(connection, eventhub_name=hub)
    return EventHubProducerClient(settings.eventhub_namespace or "", hub, credential=identity())


@asynccontextmanager
async def open_sender(settings: ServiceSettings, hub: str) -> AsyncIterator[HubSender]:
    """A sender to the hub."""
    async with producer_client(settings, hub) as client:
        yield HubSender(client, hub)
