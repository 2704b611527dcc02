"""Hubs, their configuration, and the keys that choose a partition."""

import json
from pathlib import Path
from typing import Any

import pytest

from local_azure.eventhubs.addresses import Node, parse_address
from local_azure.eventhubs.config import BrokerConfig, ConfigError, HubConfig, OnDemand, load_hubs, parse_hubs
from local_azure.eventhubs.errors import AmqpLinkError
from local_azure.eventhubs.hub import Namespace
from local_azure.eventhubs.partition_key import partition_of_key
from local_azure.eventhubs.positions import Measure, StartPosition, parse_selector


def emulator_config(*entities: dict[str, Any]) -> dict[str, Any]:
    namespace = {"Type": "EventHub", "Name": "emulatorNs1", "Entities": list(entities)}
    return {"UserConfig": {"NamespaceConfig": [namespace], "LoggingConfig": {"Type": "File"}}}


def test_the_emulators_config_is_understood(tmp_path: Path) -> None:
    """Names, counts given as text or number, and groups are read; a byte order mark does not disturb."""
    path = tmp_path / "Config.json"
    document = emulator_config(
        {"Name": "eh1", "PartitionCount": "2", "ConsumerGroups": [{"Name": "cg1"}]},
        {"Name": "eh2", "PartitionCount": 32},
    )
    path.write_text("\ufeff" + json.dumps(document))
    assert load_hubs(path) == (HubConfig("eh1", 2, ("cg1",)), HubConfig("eh2", 32))


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "UserConfig"),
        ({"UserConfig": {}}, "NamespaceConfig"),
        (emulator_config({"PartitionCount": "2"}), r"Entities\[0\]: Name is None"),
        (emulator_config({"Name": "a", "PartitionCount": "two"}), "PartitionCount is 'two'"),
        (emulator_config({"Name": "a", "PartitionCount": 0}), "PartitionCount is 0"),
        (emulator_config({"Name": "a b", "PartitionCount": 1}), "hub name 'a b'"),
        (emulator_config({"Name": "a", "PartitionCount": 1}, {"Name": "A", "PartitionCount": 1}), "twice"),
    ],
)
def test_a_wrong_config_is_refused_by_name_and_value(document: Any, message: str) -> None:
    """The error says where in the file what is wrong."""
    with pytest.raises(ConfigError, match=message):
        parse_hubs(document)


async def test_hubs_keep_their_partitions_over_a_restart(tmp_path: Path) -> None:
    """A hub remembers when it was made and how many partitions it has: it may gain some, never lose any."""
    made_ms = set()
    for count, expected in ((2, 2), (4, 4), (3, 4)):
        namespace = Namespace(tmp_path, BrokerConfig(hubs=(HubConfig("h", count),)))
        hub = namespace.hub("H")
        assert len(hub.partitions) == expected
        made_ms.add(hub.created_ms)
        namespace.close()
    assert len(made_ms) == 1


async def test_a_start_writes_nothing_that_stands(tmp_path: Path) -> None:
    """What a hub remembers is written when it changes and not at each start, which a full disk would forbid."""
    files = []
    for count in (2, 2, 1, 4):
        Namespace(tmp_path, BrokerConfig(hubs=(HubConfig("h", count),))).close()
        files.append((tmp_path / "h" / "hub.json").stat().st_ino)
    assert files[0] == files[1] == files[2]
    assert len(Namespace(tmp_path, BrokerConfig(hubs=(HubConfig("h", 1),))).hub("h").partitions) == 4


async def test_hubs_are_made_on_demand_and_come_back(tmp_path: Path) -> None:
    """A name that matches the pattern makes a hub, with any consumer group; another name does not."""
    config = BrokerConfig(on_demand=OnDemand("test-*", 3))
    namespace = Namespace(tmp_path, config)
    hub = namespace.hub("Test-1")
    assert len(hub.partitions) == 3
    hub.check_group("any")
    for name in ("other", "test-/../x", "test-" + "x" * 300):
        with pytest.raises(AmqpLinkError, match="not-found"):
            namespace.hub(name)
    namespace.close()
    again = Namespace(tmp_path, config)
    assert [hub.name for hub in again.hubs()] == ["Test-1"]
    again.close()


@pytest.mark.parametrize(
    ("key", "partition"),
    [("plant-1", 11), ("plant-2", 10), ("a" * 12, 24), ("a" * 13, 20), ("", 0)],
)
def test_keys_hash_as_they_always_did(key: str, partition: int) -> None:
    """A key stays on its partition for ever: these pairs come from the Python SDK's own resolver."""
    assert partition_of_key(key, 32) == partition


@pytest.mark.parametrize(
    ("selector", "position"),
    [
        ("amqp.annotation.x-opt-offset > '-1'", StartPosition(Measure.OFFSET, -1)),
        ("amqp.annotation.x-opt-offset >= '77'", StartPosition(Measure.OFFSET, 77, True)),
        ("amqp.annotation.x-opt-offset > '@latest'", StartPosition(Measure.END)),
        ("amqp.annotation.x-opt-sequence-number >= '5'", StartPosition(Measure.SEQUENCE_NUMBER, 5, True)),
        ("amqp.annotation.x-opt-enqueued-time > '1700000000000'", StartPosition(Measure.ENQUEUED_TIME, 1700000000000)),
    ],
)
def test_selectors_are_understood(selector: str, position: StartPosition) -> None:
    """Every starting position that the SDKs can write is read."""
    assert parse_selector(selector) == position


@pytest.mark.parametrize(
    "selector",
    [
        "",
        "x",
        "amqp.annotation.x-opt-offset = '1'",
        "amqp.annotation.x-opt-offset > 'x'",
        "amqp.annotation.x-opt-colour > '1'",
    ],
)
def test_other_selectors_are_refused(selector: str) -> None:
    """A filter that is no starting position is an argument error."""
    with pytest.raises(AmqpLinkError, match="argument-error"):
        parse_selector(selector)


def test_addresses_are_understood_absolute_and_relative() -> None:
    """Hubs, partitions, consumer groups and nodes are found, with or without scheme, host and port."""
    full = parse_address("amqps://host:5672/Hub/ConsumerGroups/$Default/Partitions/3")
    assert full == ("hub/consumergroups/$default/partitions/3", "Hub", "$Default", "3", None)
    assert parse_address("/hub/") == ("hub", "hub", None, None, None)
    assert parse_address(b"hub/partitions/2") == ("hub/partitions/2", "hub", None, "2", None)
    assert parse_address("hub/$management") == ("hub/$management", "hub", None, None, Node.MANAGEMENT)
    assert parse_address("$CBS") == ("$cbs", "", None, None, Node.CBS)
    assert parse_address(None) is None
    for wrong in ("a/b", "hub/consumergroups/x", "amqp://[bad/hub"):
        with pytest.raises(AmqpLinkError):
            parse_address(wrong)
