"""Event hubs: partitions, who reads them, and where an event goes."""

import itertools
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from local_azure.eventhubs.config import DEFAULT_GROUP, BrokerConfig, FsyncPolicy, HubConfig
from local_azure.eventhubs.durability import GroupSync
from local_azure.eventhubs.errors import AmqpLinkError, Condition
from local_azure.eventhubs.log import LogReader, PartitionLog
from local_azure.eventhubs.messages import Event
from local_azure.eventhubs.partition_key import partition_of_key
from local_azure.eventhubs.positions import Measure, StartPosition

MAX_RECEIVERS = 5
"""Receivers without epoch that one partition takes in one consumer group."""
_SEE_ALSO = "To know more visit https://aka.ms/sbResourceMgrExceptions."


class Receiver(Protocol):
    """A consumer's link, as a partition sees it."""

    @property
    def name(self) -> str:
        """What the client called it."""
        ...

    @property
    def epoch(self) -> int | None:
        """Its owner level, None for one that shares the partition."""
        ...

    def disconnect(self, error: AmqpLinkError) -> None:
        """Detach it."""
        ...


class Partition:
    """One ordered log with its readers."""

    def __init__(self, partition_id: str, directory: Path, config: BrokerConfig) -> None:
        """Open the log in `directory`."""
        self.id = partition_id
        self.log = PartitionLog(directory, config.segment_bytes, sync_files=config.fsync is not FsyncPolicy.NEVER)
        self.sync = GroupSync(self.log.pending_sync, config.fsync)
        self._receivers: dict[str, list[Receiver]] = {}
        self._listeners: set[Callable[[], None]] = set()

    def publish(self, events: Sequence[Event], on_durable: Callable[[OSError | None], None]) -> None:
        """Append `events` as one unit and call back when they are as safe as the policy demands.

        Raises:
            OSError: they could not be written; nothing was kept and nothing will call back.
        """
        self.log.append(events, time.time_ns() // 1_000_000)
        for wake in self._listeners:
            wake()
        self.sync.when_durable(on_durable)

    def listen(self, wake: Callable[[], None]) -> None:
        """Call `wake` after each publication."""
        self._listeners.add(wake)

    def unlisten(self, wake: Callable[[], None]) -> None:
        """Stop calling it."""
        self._listeners.discard(wake)

    def open_reader(self, start: StartPosition) -> LogReader:
        """Return a reader from `start` on.

        Raises:
            AmqpLinkError: the position is after the last event.
        """
        past_end = {
            Measure.OFFSET: ("offset", self.log.last_offset),
            Measure.SEQUENCE_NUMBER: ("sequence number", self.log.next_sequence_number - 1),
        }
        if start.measure in past_end:
            noun, last = past_end[start.measure]
            if start.value > max(last, -1) + start.inclusive:
                raise AmqpLinkError(
                    Condition.ARGUMENT_ERROR,
                    f"The supplied {noun} '{start.value}' is invalid. The last {noun} in the system is '{last}'",
                )
        return self.log.reader(start)

    def admit(self, group: str, receiver: Receiver) -> None:
        """Let `receiver` read for `group`, disconnecting those that it outranks.

        Raises:
            AmqpLinkError: it is outranked itself, or one too many.
        """
        present = self._receivers.setdefault(group.casefold(), [])
        owner = next((other for other in present if other.epoch is not None), None)
        if receiver.epoch is None:
            _check_shared(receiver, owner, present)
        else:
            _check_outranks(receiver, owner)
            for other in list(present):
                other.disconnect(_outranked(other, receiver))
            present.clear()
        present.append(receiver)

    def dismiss(self, group: str, receiver: Receiver) -> None:
        """Forget `receiver`, if it is still there."""
        present = self._receivers.get(group.casefold(), [])
        if receiver in present:
            present.remove(receiver)


def _shown(receiver: Receiver) -> str:
    return "nil" if receiver.epoch is None else str(receiver.epoch)


def _check_shared(receiver: Receiver, owner: Receiver | None, present: Sequence[Receiver]) -> None:
    if owner is not None:
        raise AmqpLinkError(
            Condition.LINK_STOLEN,
            f"At least one receiver for the endpoint is created with epoch of '{owner.epoch}', and so non-epoch "
            "receiver is not allowed. Either reconnect with a higher epoch, or make sure all epoch receivers are "
            "closed or disconnected.",
        )
    if len(present) >= MAX_RECEIVERS:
        raise AmqpLinkError(
            Condition.RESOURCE_LIMIT_EXCEEDED,
            "Exceeded the maximum number of allowed receivers per partition in a consumer group which is "
            f"{MAX_RECEIVERS}. List of connected receivers - {', '.join(other.name for other in present)}.",
        )


def _check_outranks(receiver: Receiver, owner: Receiver | None) -> None:
    if owner is None or owner.epoch is None or receiver.epoch is None or receiver.epoch >= owner.epoch:
        return
    raise AmqpLinkError(
        Condition.LINK_STOLEN,
        f"Receiver 'nil' with a higher epoch '{owner.epoch}' already exists. Receiver 'nil' with epoch "
        f"{receiver.epoch} cannot be created. Make sure you are creating receiver with increasing epoch value to "
        "ensure connectivity, or ensure all old epoch receivers are closed or disconnected.",
    )


def _outranked(current: Receiver, newcomer: Receiver) -> AmqpLinkError:
    return AmqpLinkError(
        Condition.LINK_STOLEN,
        f"New receiver 'nil' with higher epoch of '{newcomer.epoch}' is created hence current receiver 'nil' with "
        f"epoch '{_shown(current)}' is getting disconnected. If you are recreating the receiver, make sure a higher "
        "epoch is used.",
    )


class Hub:
    """One event hub on disk."""

    def __init__(self, directory: Path, hub: HubConfig, config: BrokerConfig, *, any_group: bool) -> None:
        """Open or make the hub; with `any_group` every consumer group exists."""
        self.name = hub.name
        self.any_group = any_group
        self.created_ms, partition_count = _remembered(directory, hub)
        self._groups = {group.casefold() for group in (DEFAULT_GROUP, *hub.consumer_groups)}
        self.partitions = [Partition(str(index), directory / str(index), config) for index in range(partition_count)]
        self._turns = itertools.cycle(self.partitions)

    def partition(self, partition_id: str) -> Partition:
        """Return one partition.

        Raises:
            AmqpLinkError: there is none of that id.
        """
        if partition_id.isascii() and partition_id.isdigit() and int(partition_id) < len(self.partitions):
            return self.partitions[int(partition_id)]
        raise AmqpLinkError(
            Condition.ARGUMENT_OUT_OF_RANGE,
            f"The specified partition is invalid for an EventHub partition sender or receiver. It should be between "
            f"0 and {len(self.partitions) - 1}. Parameter name: PartitionId: Actual value was {partition_id}.",
        )

    def partition_for(self, partition_key: str | None) -> Partition:
        """Return the partition of a key, or the next in turn without one."""
        if partition_key is None:
            return next(self._turns)
        return self.partitions[partition_of_key(partition_key, len(self.partitions))]

    def check_group(self, group: str) -> None:
        """Make sure that a consumer group exists.

        Raises:
            AmqpLinkError: it does not.
        """
        if not self.any_group and group.casefold() not in self._groups:
            raise AmqpLinkError(
                Condition.NOT_FOUND,
                f"The messaging entity 'sb://{self.name}/ConsumerGroups/{group}' could not be found. {_SEE_ALSO}",
            )

    def close(self) -> None:
        """Close all logs."""
        for partition in self.partitions:
            partition.log.close()


_HUB_FILE = "hub.json"


def _remembered(directory: Path, hub: HubConfig) -> tuple[int, int]:
    """Return when the hub was made (ms since the epoch) and how many partitions it has: it may gain, never lose."""
    path = directory / _HUB_FILE
    created_ms, partition_count = time.time_ns() // 1_000_000, hub.partition_count
    if path.exists():
        known = json.loads(path.read_text())
        created_ms = known["created_ms"]
        if known["partition_count"] >= partition_count:
            return created_ms, known["partition_count"]  # unwritten: a start needs no room on a full disk
    directory.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps({"name": hub.name, "created_ms": created_ms, "partition_count": partition_count}))
    draft.replace(path)
    return created_ms, partition_count


class Namespace:
    """All hubs of a broker."""

    def __init__(self, directory: Path, config: BrokerConfig) -> None:
        """Open the configured hubs, and those made on demand before."""
        self._directory = directory
        self._config = config
        self._hubs: dict[str, Hub] = {}
        directory.mkdir(parents=True, exist_ok=True)
        for hub in config.hubs:
            self._open(hub, any_group=False)
        if config.on_demand is not None:
            for path in sorted(directory.glob(f"*/{_HUB_FILE}")):
                self._open_known(path)

    def hub(self, name: str) -> Hub:
        """Return a hub, made on demand if the settings allow it.

        Raises:
            AmqpLinkError: there is none of that name.
        """
        hub = self._hubs.get(name.casefold())
        if hub is not None:
            return hub
        on_demand = self._config.on_demand
        if on_demand is not None and on_demand.covers(name):
            return self._open(HubConfig(name, on_demand.partition_count), any_group=True)
        raise AmqpLinkError(Condition.NOT_FOUND, f"The messaging entity 'sb://{name}' could not be found. {_SEE_ALSO}")

    def hubs(self) -> list[Hub]:
        """Return all hubs there are."""
        return list(self._hubs.values())

    def close(self) -> None:
        """Close all hubs."""
        for hub in self._hubs.values():
            hub.close()

    def _open(self, hub: HubConfig, *, any_group: bool) -> Hub:
        key = hub.name.casefold()
        self._hubs[key] = Hub(self._directory / key, hub, self._config, any_group=any_group)
        return self._hubs[key]

    def _open_known(self, path: Path) -> None:
        known = json.loads(path.read_text())
        if known["name"].casefold() not in self._hubs:
            self._open(HubConfig(known["name"], known["partition_count"]), any_group=True)
