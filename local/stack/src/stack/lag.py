"""How far the readers of the hubs are behind: last event less checkpoint, as KEDA counts it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from azure.eventhub import parse_connection_string
from azure.eventhub.extensions.checkpointstoreblobaio import BlobCheckpointStore

from heliograph import topology
from heliograph.hub import checkpoint_store, consumer_client
from heliograph.settings import ServiceSettings

WITH_CHECKPOINTS = tuple(
    (hub, group) for hub, groups in topology.CONSUMER_GROUPS.items() for group in groups if group != "dashboard"
)
"""The dashboard reads from the latest on and keeps no checkpoints."""


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """Events of a partition that its consumer group has not checkpointed."""

    hub: str
    group: str
    partition: str
    last: int
    """Sequence number of the last event; -1 in an empty partition."""
    checkpoint: int | None
    """Sequence number of the checkpoint; None where there is none, and all that is retained counts."""
    first: int
    """Sequence number of the first event that the hub still has."""

    @property
    def events(self) -> int:
        """The lag as KEDA's scaler computes it."""
        if self.last < 0:
            return 0
        if self.checkpoint is None:
            return self.last - self.first + 1
        return max(0, self.last - self.checkpoint)


async def lags(settings: ServiceSettings) -> list[PartitionLag]:
    """Of each partition of each consumer group that keeps checkpoints."""
    found: list[PartitionLag] = []
    for hub, group in WITH_CHECKPOINTS:
        async with checkpoint_store(settings) as store, consumer_client(settings, hub, group) as client:
            checkpoints = await _checkpoints(store, _namespace(settings), hub, group)
            for partition in await client.get_partition_ids():
                facts = await client.get_partition_properties(partition)
                last, first = int(facts["last_enqueued_sequence_number"]), int(facts["beginning_sequence_number"])
                found.append(PartitionLag(hub, group, partition, last, checkpoints.get(partition), first))
    return found


def _namespace(settings: ServiceSettings) -> str:
    if settings.eventhub_connection_string:
        found = parse_connection_string(settings.eventhub_connection_string.get_secret_value())
        return str(found.fully_qualified_namespace)
    return settings.eventhub_namespace or ""


async def _checkpoints(store: BlobCheckpointStore, namespace: str, hub: str, group: str) -> Mapping[str, int]:
    known = await store.list_checkpoints(namespace, hub, group)
    return {one["partition_id"]: int(one["sequence_number"]) for one in known if one["sequence_number"] is not None}
