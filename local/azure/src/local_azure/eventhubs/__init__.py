"""An Event Hubs broker that speaks AMQP 1.0 and keeps its data.

transport ─▶ connection ─▶ session ─▶ producer, consumer ─▶ hub ─▶ log ─▶ segment
(sockets)    (framing,     (windows)  cbs, management       (who reads)   (bytes on disk)
              codec)
"""

from local_azure.directory import DataDirectoryInUseError
from local_azure.eventhubs.config import (
    BrokerConfig,
    ConfigError,
    FsyncPolicy,
    HubConfig,
    OnDemand,
    load_hubs,
    parse_hubs,
)
from local_azure.eventhubs.server import Broker

__all__ = [
    "Broker",
    "BrokerConfig",
    "ConfigError",
    "DataDirectoryInUseError",
    "FsyncPolicy",
    "HubConfig",
    "OnDemand",
    "load_hubs",
    "parse_hubs",
]
