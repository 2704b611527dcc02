"""The alerts of a run without faults: what the analyzer's pure core says of the same readings, in order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from analyzer.columns import to_micros
from analyzer.partition import Partition
from analyzer.settings import AnalyzerSettings
from bench.storm.world import PUSH_SOURCE, World
from heliograph.contracts import Alert, Reading, iso_seconds
from heliograph.topology import HUB_PARTITIONS, shard_of
from local_azure.eventhubs.partition_key import partition_of_key

Facts = dict[str, tuple[str, str, str | None]]
"""By alert: its rule, the plants that it concerns, when it was resolved."""
FLUSH_S = 3600


def due_alerts(world: World, settings: AnalyzerSettings) -> Facts:
    """What must be in Cosmos DB; see `facts`."""
    timing, definitions = settings.timing(), settings.definitions()
    partitions = [Partition(str(one), definitions, timing, world.sites.get) for one in range(HUB_PARTITIONS)]
    place = {plant: partition_of_key(shard_of(plant), HUB_PARTITIONS) for plant in world.sites}
    said: dict[str, Alert] = {}
    for second, readings in world.readings():
        hub_us = to_micros(world.begun + timedelta(seconds=second, milliseconds=500))
        for number, group in _by_partition(readings, place).items():
            output = partitions[number].take(second, hub_us, msgspec.json.encode(group))
            assert not output.refused, output.refused[0]
            said.update({one.alert_id: one for one in output.parts if isinstance(one, Alert)})
    for one in partitions:
        parts = one.pass_time(one.hub_us + FLUSH_S * 1_000_000).parts
        said.update({alert.alert_id: alert for alert in parts if isinstance(alert, Alert)})
    return facts(map(msgspec.to_builtins, said.values()), world)


def _by_partition(readings: Sequence[Reading], place: Mapping[str, int]) -> dict[int, list[Reading]]:
    groups: dict[int, list[Reading]] = defaultdict(list)
    for one in readings:
        groups[place[one.plant_id]].append(one)
    return groups


def facts(alerts: Iterable[Mapping[str, Any]], world: World) -> Facts:
    """What no order of arrival changes, of alerts as messages or as documents.

    Left out are alerts that were taken back, and those of the silence after the end of the run, which only say how
    long one has waited.
    """
    ends = {PUSH_SOURCE: world.begun + timedelta(seconds=world.seconds), "": world.fleet_end}
    found: Facts = {}
    for alert in alerts:
        end = ends[PUSH_SOURCE if alert["alert_id"].startswith(("push-", "P-")) else ""]
        if "withdrawn" in alert.get("evidence", {}) or datetime.fromisoformat(alert["onset"]) >= end:
            continue
        resolved = alert.get("resolved_at")
        found[alert["alert_id"]] = (
            alert["rule"],
            str(alert.get("plants", 1)),
            iso_seconds(datetime.fromisoformat(resolved)) if resolved else None,
        )
    return found


def differences(due: Facts, stored: Facts) -> list[str]:
    """A sentence for each alert that is missing, too many or other than it should be."""
    return [
        f"{name}: {stored.get(name, 'missing')}, must be {due.get(name, 'absent')}"
        for name in sorted(due.keys() | stored.keys())
        if due.get(name) != stored.get(name)
    ]
