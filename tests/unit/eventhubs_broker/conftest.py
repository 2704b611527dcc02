"""A connection of the broker without a socket: frames go in, frames come out."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from local_azure.eventhubs.codec import Described, Long, Symbol, decode
from local_azure.eventhubs.config import BrokerConfig, FsyncPolicy, HubConfig
from local_azure.eventhubs.connection import Connection
from local_azure.eventhubs.framing import (
    AMQP_HEADER,
    HEADER_LENGTH,
    SASL_HEADER,
    SASL_TYPE,
    FrameCutter,
    frame,
)
from local_azure.eventhubs.hub import Namespace
from local_azure.eventhubs.messages import DATA, encode_section, sections
from local_azure.eventhubs.performatives import (
    Attach,
    Begin,
    Composite,
    Disposition,
    Flow,
    Open,
    SaslInit,
    Source,
    Target,
    Transfer,
)
from local_azure.eventhubs.service import Service
from local_azure.faults import Faults

HUB = "readings"
CONFIG = BrokerConfig(hubs=(HubConfig(HUB, 2, ("other",)),), fsync=FsyncPolicy.NEVER)


class Peer:
    """The client's end of one connection."""

    def __init__(self, service: Service) -> None:
        self.outcome: str | None = None
        self.raw = bytearray()
        self.connection = Connection(service, self, "a test")
        self._cutter = FrameCutter(1 << 30)
        self._delivery_id = 0

    def write(self, data: bytes) -> None:
        self.raw += data

    def close(self) -> None:
        self.outcome = "closed"

    def abort(self) -> None:
        self.outcome = "cut"

    def frames(self) -> list[tuple[Composite | None, bytes]]:
        """What has come since the last call."""
        self.connection._flush()
        while self.raw[:4] == b"AMQP":
            del self.raw[:HEADER_LENGTH]
            while self.raw and self.raw[:4] != b"AMQP" and self.raw[5] == SASL_TYPE:
                del self.raw[: int.from_bytes(self.raw[:4], "big")]
        self._cutter.feed(bytes(self.raw))
        self.raw.clear()
        found = []
        while (one := self._cutter.next_frame()) is not None:
            found.append((one.performative, one.payload))
        return found

    def said(self, kind: type[Any]) -> list[Any]:
        """The performatives of one kind among them."""
        return [performative for performative, _ in self.frames() if isinstance(performative, kind)]

    def send(self, performative: Composite, payload: bytes = b"", channel: int = 0) -> None:
        raw = frame(channel, performative) + payload
        self.connection.receive(len(raw).to_bytes(4, "big") + raw[4:])

    def open(self, **settings: Any) -> "Peer":
        """Get as far as a session, with all rights."""
        self.connection.receive(SASL_HEADER + frame(0, SaslInit("ANONYMOUS"), SASL_TYPE) + AMQP_HEADER)
        self.send(Open("test", "localhost", max_frame_size=1 << 20, **settings))
        self.send(Begin(None, 0, 5000, 5000))
        self.connection.claims.grant(HUB, float("inf"))
        self.frames()
        return self

    def attach_producer(self, address: str | None = HUB, handle: int = 0) -> None:
        self.send(Attach(f"p{handle}", handle, False, 0, 0, Source(), Target(address), initial_delivery_count=0))

    def attach_consumer(
        self,
        partition: str = "0",
        handle: int = 0,
        *,
        selector: str = "amqp.annotation.x-opt-offset > '-1'",
        epoch: int | None = None,
        credit: int = 100,
        desired: list[str] | None = None,
        group: str = "$Default",
    ) -> None:
        name = Symbol("apache.org:selector-filter:string")
        source = Source(
            f"amqps://host/{HUB}/ConsumerGroups/{group}/Partitions/{partition}",
            filter={name: Described(name, selector)},
        )
        self.send(
            Attach(
                f"c{handle}",
                handle,
                True,
                source=source,
                target=Target("client"),
                desired_capabilities=desired,
                properties=None if epoch is None else {Symbol("com.microsoft:epoch"): Long(epoch)},
            )
        )
        if credit:
            self.grant(handle, credit)

    def grant(self, handle: int, credit: int, delivery_count: int = 0, **more: Any) -> None:
        self.send(Flow(1, 5000, 0, 5000, handle, delivery_count, credit, **more))

    def publish(self, message: bytes, handle: int = 0, message_format: int = 0) -> None:
        self._delivery_id += 1
        self.send(Transfer(handle, self._delivery_id, b"t", message_format, False, False), message)

    def outcomes(self) -> list[Any]:
        """The states of the dispositions that came."""
        return [disposition.state for disposition in self.said(Disposition)]


def data(body: bytes) -> bytes:
    """A message of one data section."""
    return encode_section(DATA, body)


@pytest.fixture
def message() -> Any:
    """Makes a message of one data section."""
    return data


class Setup:
    """A service on a folder, and peers of it."""

    def __init__(self, folder: Path, config: BrokerConfig) -> None:
        self.faults = Faults()
        self.now_s = 1_000_000.0
        self.namespace = Namespace(folder, config)
        self.service = Service(self.namespace, config, self.faults, lambda: self.now_s)

    def peer(self) -> Peer:
        return Peer(self.service)

    @property
    def hub(self) -> Any:
        return self.namespace.hub(HUB)


@pytest.fixture
async def setup(tmp_path: Path) -> Any:
    """A namespace with the hub `readings` of two partitions and the group `other`."""
    made = Setup(tmp_path, CONFIG)
    yield made
    await asyncio.sleep(0)
    made.namespace.close()


def bodies(peer: Any) -> list[bytes]:
    """The bodies of the messages that came."""
    found = []
    for performative, payload in peer.frames():
        if isinstance(performative, Transfer):
            found += [decode(payload, section.value_start)[0] for section in sections(payload) if section.code == DATA]
    return found
