"""What runs on one machine: every process with its command line, its environment and the URL that tells it is ready.

Pure: values in, values out. `stack.supervisor` starts what this says.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from heliograph import topology

HOST: Final = "127.0.0.1"

COSMOS_KEY: Final = "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw=="
"""The emulators' well-known key."""

SERVICES: Final = ("ingest", "analyzer", "sink", "thumbnailer", "dashboard")
AZURE: Final = ("eventhubs", "cosmos", "azurite")

Ports = dict[str, int]

WELL_KNOWN_PORTS: Final[Ports] = {
    "eventhubs": 5672,
    "eventhubs-health": 5300,
    "cosmos": 8081,
    "azurite-blob": 10000,
    "azurite-queue": 10001,
    "azurite-table": 10002,
    "dashboard": 8080,
    "ingest": 8090,
    "analyzer": 8091,
    "sink": 8092,
    "thumbnailer": 8093,
}


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What `heliograph up` was asked for."""

    data: str
    """Folder that keeps everything."""
    ports: Ports
    plants: int = 2000
    speed: float = 1.0
    sources: str = "fleet"
    start: str = ""
    """ISO time at which the simulated clock starts; empty for now."""
    replicas: dict[str, int] = {}
    """How many of each service; one where it is not said."""
    extra: dict[str, str] = {}
    """Settings of the services, handed on as they are."""
    azure_host: str = HOST
    """Where the local Azure listens."""
    hosts: dict[str, str] = {}
    """Where services' processes listen; on loopback where it is not said."""
    launchers: dict[str, tuple[str, ...]] = {}
    """Commands by which services' processes are started, as `nice` would be."""

    @property
    def folder(self) -> Path:
        """`data` as a path."""
        return Path(self.data)

    @property
    def clock(self) -> str:
        """What the times of its data go by: `now`, the recorded days (`replay`), or where a simulated clock started."""
        return self.start or ("replay" if self.sources == "replay" else "now")

    def host_of(self, name: str) -> str:
        """Where a process listens."""
        return self.azure_host if name in AZURE else self.hosts.get(name, HOST)


class ProcessSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One process: what to run, with which environment beside the machine's, and how to see that it is ready."""

    name: str
    command: tuple[str, ...]
    env: dict[str, str] = {}
    host: str = HOST
    ready_url: str = ""
    """Answers 200 when ready; empty when open ports are all that can be seen."""
    ready_ports: tuple[int, ...] = ()


def storage_connection(ports: Mapping[str, int], host: str = HOST) -> str:
    """The connection string of the local blobs and queues."""
    from local_azure.azurite import connection_string  # noqa: PLC0415 - the only use of a heavier import

    return connection_string(host, ports["azurite-blob"], ports["azurite-queue"])


def hub_connection(ports: Mapping[str, int], host: str = HOST) -> str:
    """The connection string of the local hubs, as Microsoft's emulator has it."""
    return (
        f"Endpoint=sb://{host}:{ports['eventhubs']};SharedAccessKeyName=RootManageSharedAccessKey;"
        "SharedAccessKey=SAS_KEY_VALUE;UseDevelopmentEmulator=true;"
    )


def hub_config() -> str:
    """The hubs of the topology in the form of Microsoft's emulator (`Config.json`)."""
    entities = [
        {
            "Name": hub,
            "PartitionCount": str(topology.HUB_PARTITIONS),
            "ConsumerGroups": [{"Name": group} for group in groups],
        }
        for hub, groups in topology.CONSUMER_GROUPS.items()
    ]
    namespace = {"Type": "EventHub", "Name": "emulatorNs1", "Entities": entities}
    return json.dumps({"UserConfig": {"NamespaceConfig": [namespace], "LoggingConfig": {"Type": "File"}}}, indent=2)


def connections(ports: Mapping[str, int], host: str = HOST) -> dict[str, str]:
    """The environment that leads a service to the local Azure."""
    return {
        "HELIOGRAPH_EVENTHUB_CONNECTION_STRING": hub_connection(ports, host),
        "HELIOGRAPH_STORAGE_CONNECTION_STRING": storage_connection(ports, host),
        "HELIOGRAPH_COSMOS_ENDPOINT": f"http://{host}:{ports['cosmos']}",
        "HELIOGRAPH_COSMOS_KEY": COSMOS_KEY,
    }


def azure_processes(plan: Plan) -> tuple[ProcessSpec, ...]:
    """The three servers of the local Azure."""
    ports, data, host = plan.ports, plan.folder, plan.azure_host
    health = ports["eventhubs-health"]
    return (
        ProcessSpec(
            name="eventhubs",
            command=_python(
                "local_azure.eventhubs",
                f"--data={data / 'eventhubs'}",
                f"--config={data / 'eventhubs.json'}",
                f"--host={host}",
                f"--port={ports['eventhubs']}",
                f"--health-port={health}",
                *_admin(ports, "eventhubs"),
            ),
            host=host,
            ready_url=f"http://{host}:{health}/health",
            ready_ports=(ports["eventhubs"], health),
        ),
        ProcessSpec(
            name="cosmos",
            command=_python(
                "local_azure.cosmos",
                f"--data={data / 'cosmos'}",
                f"--host={host}",
                f"--port={ports['cosmos']}",
                *_admin(ports, "cosmos"),
            ),
            host=host,
            ready_ports=(ports["cosmos"],),
        ),
        ProcessSpec(
            name="azurite",
            command=_python(
                "local_azure.azurite",
                f"--data={data / 'azurite'}",
                f"--host={host}",
                *(f"--{kind}-port={ports[f'azurite-{kind}']}" for kind in ("blob", "queue", "table")),
            ),
            host=host,
            ready_ports=tuple(ports[f"azurite-{kind}"] for kind in ("blob", "queue", "table")),
        ),
    )


def process_names(plan: Plan) -> tuple[str, ...]:
    """The services' processes: `sink`, and `sink-2` onward for further replicas. Each needs a port of that name."""
    return tuple(
        replica_name(service, number) for service in SERVICES for number in range(1, plan.replicas.get(service, 1) + 1)
    )


def replica_name(service: str, number: int) -> str:
    """Of the first, second, … replica."""
    return service if number == 1 else f"{service}-{number}"


def service_processes(plan: Plan) -> tuple[ProcessSpec, ...]:
    """The five services, told apart only by endpoints and credentials from those on Azure."""
    return tuple(service_process(plan, name) for name in process_names(plan))


def service_process(plan: Plan, name: str) -> ProcessSpec:
    """One replica, by the name of its process."""
    service = name.partition("-")[0]
    host, port = plan.host_of(name), plan.ports[name]
    return ProcessSpec(
        name=name,
        command=(*plan.launchers.get(name, ()), *_python(service)),
        env={
            **connections(plan.ports, plan.azure_host),
            "HELIOGRAPH_HTTP_HOST": host,
            "HELIOGRAPH_HTTP_PORT": str(port),
            **_own_settings(plan, service, name),
            **plan.extra,
        },
        host=host,
        ready_url=f"http://{host}:{port}/readyz",
        ready_ports=(port,),
    )


def _own_settings(plan: Plan, service: str, name: str) -> dict[str, str]:
    if service == "ingest":
        return {
            "HELIOGRAPH_SOURCES": "" if plan.sources == "none" else plan.sources,
            "HELIOGRAPH_FLEET_PLANTS": str(plan.plants),
            "HELIOGRAPH_SPEED": str(plan.speed),
            "HELIOGRAPH_OUTBOX_DIR": str(plan.folder / f"outbox-{name}"),
            **({"HELIOGRAPH_FLEET_START": plan.start} if plan.start else {}),
        }
    # The page is served on loopback alone: whoever reaches it may act.
    return {"HELIOGRAPH_ACCESS": "open"} if service == "dashboard" else {}


def _admin(ports: Mapping[str, int], server: str) -> tuple[str, ...]:
    """The port for faults on demand, where one is planned."""
    port = ports.get(f"{server}-admin")
    return (f"--admin-port={port}",) if port else ()


def _python(module: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *arguments)
