"""KEDA's arithmetic for our scale rules: from checkpoints and queue lengths to replicas. Pure.

As https://keda.sh/docs/latest/scalers/azure-event-hub/ and the source of its scaler have it, for
`checkpointStrategy: blobMetadata`. The tests apply it to checkpoints that our consumers wrote; a local scale
controller can apply it to the rules in `deploy/azure`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PartitionEnds:
    """First and last sequence number that a partition holds; `last` is -1 while it never had an event."""

    beginning: int
    last: int


def checkpoint_path(namespace_host: str, hub: str, group: str, partition: str) -> str:
    """The blob that KEDA reads. It lower-cases the group alone, the SDK the whole path: all must be lower case."""
    return f"{namespace_host}/{hub}/{group.lower()}/checkpoint/{partition}"


def partition_lag(ends: PartitionEnds, checkpoint: int | None) -> int:
    """Events that KEDA counts as waiting. Without a checkpoint that is all that the hub retains."""
    if ends.last == -1:
        return 0
    if checkpoint is None:
        return ends.last - ends.beginning + 1
    return max(ends.last - checkpoint, 0)


def hub_lag(partitions: Iterable[tuple[PartitionEnds, int | None]]) -> int:
    """The lag over all partitions, each with the sequence number of its checkpoint."""
    return sum(partition_lag(ends, checkpoint) for ends, checkpoint in partitions)


def replicas(waiting: int, *, threshold: int, activation: int, least: int, most: int) -> int:
    """How many replicas the rule asks for: one for each `threshold` waiting, none when no more than `activation` wait.

    `least` and `most` are the app's bounds; for a hub `most` is at most the number of its partitions.
    """
    if waiting <= activation:
        return least
    return min(max(math.ceil(waiting / threshold), least, 1), most)
