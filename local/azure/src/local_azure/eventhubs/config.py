"""What the broker is told at start: Microsoft's Config.json for the hubs, settings for the rest."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

DEFAULT_GROUP = "$Default"
EMULATOR_KEY_NAME = "RootManageSharedAccessKey"
EMULATOR_KEY = "SAS_KEY_VALUE"
"""The key that Microsoft's emulator publishes in its connection string."""

_MAX_PARTITIONS = 1024
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,254}[A-Za-z0-9])?")


class ConfigError(ValueError):
    """The configuration cannot be used; the message names the place and the value."""


class FsyncPolicy(StrEnum):
    """When appended events are forced to the disk. What is acknowledged outlives `kill -9` with each of them."""

    NEVER = "never"
    """When the operating system likes: a power cut may take the last half minute."""
    INTERVAL = "interval"
    """Every `fsync_interval_s`."""
    ALWAYS = "always"
    """Before each acknowledgement; publications that wait together share one."""


@dataclass(frozen=True, slots=True)
class HubConfig:
    """One event hub."""

    name: str
    partition_count: int
    consumer_groups: tuple[str, ...] = ()
    """Besides `$Default`, which always exists."""

    def __post_init__(self) -> None:
        """Check what the service would refuse.

        Raises:
            ConfigError: a name or a count that the service would not take.
        """
        if not _NAME.fullmatch(self.name):
            raise ConfigError(f"hub name {self.name!r}: letters, digits, '.', '-' and '_' only")
        if not 1 <= self.partition_count <= _MAX_PARTITIONS:
            raise ConfigError(
                f"hub {self.name}: PartitionCount is {self.partition_count}, outside 1 to {_MAX_PARTITIONS}"
            )


@dataclass(frozen=True, slots=True)
class OnDemand:
    """Hubs that come into being when a client first names them; any consumer group exists on these."""

    pattern: str = "*"
    """A shell pattern, matched without regard to case."""
    partition_count: int = 4

    def covers(self, hub: str) -> bool:
        """Tell whether a hub of this name may be made."""
        return bool(_NAME.fullmatch(hub)) and fnmatchcase(hub.casefold(), self.pattern.casefold())


@dataclass(frozen=True, slots=True)
class BrokerConfig:
    """All settings of a broker."""

    hubs: tuple[HubConfig, ...] = ()
    on_demand: OnDemand | None = None
    keys: Mapping[str, str] = field(default_factory=lambda: {EMULATOR_KEY_NAME: EMULATOR_KEY})
    """Shared access keys by policy name."""
    trust_bearer_tokens: bool = False
    """Whether any JSON web token is taken as valid: the broker cannot ask Microsoft Entra."""
    fsync: FsyncPolicy = FsyncPolicy.INTERVAL
    fsync_interval_s: float = 1.0
    segment_bytes: int = 64 * 1024 * 1024
    retention_s: float | None = 24 * 3600.0
    """None keeps events for ever."""
    retention_bytes: int | None = None
    """Per partition; None sets no bound."""
    retention_check_s: float = 30.0
    max_message_bytes: int = 1024 * 1024
    max_frame_bytes: int = 1024 * 1024
    idle_timeout_ms: int = 240_000
    """A connection that brings no frame for so long is closed; half of it is what clients are told."""


def load_hubs(path: Path) -> tuple[HubConfig, ...]:
    """Read the hubs of a Config.json as Microsoft's emulator takes it.

    Raises:
        ConfigError: the file is missing, no JSON, or not of that shape.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as problem:
        raise ConfigError(f"{path}: {problem}") from problem
    return parse_hubs(document, str(path))


def parse_hubs(document: object, where: str = "config") -> tuple[HubConfig, ...]:
    """Read the hubs from a parsed Config.json; `where` is named in errors.

    Raises:
        ConfigError: it is not of that shape, or names a hub twice.
    """
    user_config = _member(document, "UserConfig", dict, where)
    hubs = [
        _parse_hub(entity, f"{where}: NamespaceConfig[{n}].Entities[{e}]")
        for n, namespace in enumerate(_member(user_config, "NamespaceConfig", list, where))
        for e, entity in enumerate(_member(namespace, "Entities", list, f"{where}: NamespaceConfig[{n}]"))
    ]
    names = [hub.name.casefold() for hub in hubs]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"{where}: hub {name!r} is named twice")
    return tuple(hubs)


def _parse_hub(entity: object, where: str) -> HubConfig:
    count = _member(entity, "PartitionCount", str | int, where)
    try:
        partition_count = int(count)
    except ValueError:
        raise ConfigError(f"{where}: PartitionCount is {count!r}, not a number") from None
    return HubConfig(_member(entity, "Name", str, where), partition_count, tuple(_groups(entity, where)))


def _groups(entity: object, where: str) -> Iterator[str]:
    if isinstance(entity, dict) and entity.get("ConsumerGroups") is None:
        return
    for group in _member(entity, "ConsumerGroups", list, where):
        yield _member(group, "Name", str, f"{where}.ConsumerGroups")


def _member(document: object, name: str, kind: Any, where: str) -> Any:  # noqa: ANN401 - JSON
    value = document.get(name) if isinstance(document, dict) else None
    if not isinstance(value, kind):
        raise ConfigError(f"{where}: {name} is {value!r}")
    return value
