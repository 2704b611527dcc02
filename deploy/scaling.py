"""Scales a running stack as Container Apps would: the same rules, read from the same Bicep files, on the same
checkpoints and queues, with KEDA's arithmetic.

    poll ─▶ what waits, by each rule ─▶ replicas wanted ─▶ the most of the last `stabilise_s` ─▶ scale
                                        none active for `cooldown_s` ─▶ the least that the app allows
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from azure.core.exceptions import AzureError
from azure.eventhub.aio import EventHubConsumerClient
from azure.eventhub.exceptions import EventHubError
from azure.storage.blob.aio import BlobServiceClient
from azure.storage.queue.aio import QueueServiceClient

from deploy.bicep import Deployment, evaluate, read_params
from deploy.keda import PartitionEnds, checkpoint_path, hub_lag, replicas

AZURE: Final = Path(__file__).parent / "azure"


@dataclass(frozen=True, slots=True)
class Rule:
    """One scale rule of an app, with the app's bounds."""

    kind: str
    """`azure-eventhub` or `azure-queue`."""
    metadata: Mapping[str, str]
    least: int
    most: int

    @property
    def threshold(self) -> int:
        """What one replica is thought to bear."""
        name = "unprocessedEventThreshold" if self.kind == "azure-eventhub" else "queueLength"
        return int(self.metadata[name])

    @property
    def activation(self) -> int:
        """Up to so much waits without waking anybody."""
        hub = self.kind == "azure-eventhub"
        return int(self.metadata["activationUnprocessedEventThreshold" if hub else "activationQueueLength"])

    def wanted(self, waiting: int) -> int:
        """Replicas for so much that waits."""
        return replicas(waiting, threshold=self.threshold, activation=self.activation, least=self.least, most=self.most)


def rules_of(deployment: Deployment) -> dict[str, Rule]:
    """The rule of each app that scales by a hub or a queue, by service."""
    found: dict[str, Rule] = {}
    for app in deployment.of_type("Microsoft.App/containerApps"):
        scale: dict[str, Any] = app.body["properties"]["template"]["scale"]
        for rule in scale["rules"]:
            if custom := rule.get("custom"):
                bounds = (int(scale["minReplicas"]), int(scale["maxReplicas"]))
                found[app.name.removeprefix("ca-")] = Rule(custom["type"], custom["metadata"], *bounds)
    return found


def deployed_rules() -> dict[str, Rule]:
    """Those of the small installation, in which idle services go to zero."""
    return rules_of(evaluate(AZURE / "main.bicep", read_params(AZURE / "dev.bicepparam", {})))


async def waiting(rule: Rule, hubs: str, storage: str) -> int:
    """What the rule counts, in the namespace and the storage account that the connection strings lead to."""
    if rule.kind == "azure-queue":
        async with QueueServiceClient.from_connection_string(storage) as queues:
            queue = queues.get_queue_client(rule.metadata["queueName"])
            return int((await queue.get_queue_properties()).approximate_message_count or 0)
    return await _hub_waiting(rule.metadata, hubs, storage)


async def _hub_waiting(metadata: Mapping[str, str], hubs: str, storage: str) -> int:
    """From the blobs' metadata at the very path that KEDA looks at, and the properties of the partitions."""
    hub, group = metadata["eventHubName"], metadata["consumerGroup"]
    host = hubs.split("sb://")[1].split(";", maxsplit=1)[0].strip("/")
    consumer = EventHubConsumerClient.from_connection_string(hubs, group, eventhub_name=hub)
    async with consumer, BlobServiceClient.from_connection_string(storage) as blobs:
        container = blobs.get_container_client(metadata["blobContainer"])
        known = {
            blob.name: int(blob.metadata["sequencenumber"])
            async for blob in container.list_blobs(include=["metadata"], name_starts_with=f"{host}/{hub}/")
            if "/checkpoint/" in blob.name
        }
        partitions = []
        for partition in await consumer.get_partition_ids():
            facts = await consumer.get_partition_properties(partition)
            ends = PartitionEnds(facts["beginning_sequence_number"], facts["last_enqueued_sequence_number"])
            partitions.append((ends, known.get(checkpoint_path(host, hub, group, partition))))
    return hub_lag(partitions)


@dataclass(slots=True)
class Decider:
    """From what waits to how many replicas run, over time. Pure."""

    rule: Rule
    stabilise_s: float
    cooldown_s: float
    _wanted: list[tuple[float, int]] = field(default_factory=list)
    _active_s: float = float("-inf")

    def decide(self, amount: int, now_s: float) -> int:
        """Up at once, down to the most that was wanted lately, and to the least when nothing waited for long."""
        if amount > self.rule.activation:
            self._active_s = now_s
        elif now_s - self._active_s >= self.cooldown_s:
            return self.rule.least
        self._wanted = [(at, count) for at, count in self._wanted if now_s - at < self.stabilise_s]
        self._wanted.append((now_s, max(1, self.rule.wanted(amount))))
        return max(count for _, count in self._wanted)


class Controller:
    """Scales services by their rules until told to stop. A look that fails changes nothing, as with KEDA."""

    def __init__(
        self,
        rules: Mapping[str, Rule],
        scale: Callable[[str, int], None],
        *,
        hubs: str,
        storage: str,
        poll_s: float = 30.0,
        stabilise_s: float = 300.0,
        cooldown_s: float = 300.0,
    ) -> None:
        self._deciders = {service: Decider(rule, stabilise_s, cooldown_s) for service, rule in rules.items()}
        self._scale = scale
        self._hubs, self._storage = hubs, storage
        self._poll_s = poll_s
        self.history: list[tuple[float, str, int, int]] = []
        """Seconds, service, what waited, replicas."""

    async def run(self, stopping: asyncio.Event) -> None:
        """Looks every `poll_s`."""
        while not stopping.is_set():
            for service, decider in self._deciders.items():
                await self._look(service, decider)
            try:
                await asyncio.wait_for(stopping.wait(), self._poll_s)
            except TimeoutError:
                continue

    async def _look(self, service: str, decider: Decider) -> None:
        try:
            amount = await waiting(decider.rule, self._hubs, self._storage)
        except (AzureError, EventHubError, OSError):
            return
        now_s = time.monotonic()
        count = decider.decide(amount, now_s)
        self.history.append((now_s, service, amount, count))
        self._scale(service, count)
