"""One polled source with all that is behind it, and a provider on this machine that answers as a test wants."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
from azure.storage.blob.aio import BlobServiceClient

from heliograph import topology
from heliograph.blobs import BlobFolder
from heliograph.dead_letters import DeadLetters
from heliograph.sites import Site
from ingest.fetching import Fetcher, source_guard
from ingest.intake import Intake, Lane
from ingest.outbox import Outbox
from ingest.packer import Packer
from ingest.polling import Attach, PollJob
from ingest.schedule.timer import Outcome, Run
from ingest.sources.declaration import Source
from ingest.validation import Validator


@dataclass(frozen=True, slots=True)
class Asked:
    """A call that came in."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: str


@dataclass(frozen=True, slots=True)
class Said:
    """What the provider answers."""

    body: Any = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Provider:
    """What was asked, in its order."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)


@asynccontextmanager
async def provider(answer: Callable[[Asked], Said]) -> AsyncIterator[Provider]:
    """A provider on a free port."""
    known = Provider()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            request, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            body = (await reader.readexactly(int(headers.get("content-length", 0)))).decode()
            target = urlsplit(request.split(" ")[1])
            asked = Asked(target.path, dict(parse_qsl(target.query)), headers, body)
            known.asked.append(asked)
            said = answer(asked)
            data = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
            more = "".join(f"{name}: {value}\r\n" for name, value in said.headers.items())
            writer.write(f"HTTP/1.1 {said.status} X\r\ncontent-length: {len(data)}\r\nconnection: close\r\n".encode())
            writer.write(f"{more}\r\n".encode() + data)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        known.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield known


@dataclass(slots=True)
class Poller:
    """Runs the job as a timer would, and keeps what it leaves behind."""

    job: PollJob
    outbox: Outbox
    cursor: datetime | None = None
    state: dict[str, str] = field(default_factory=dict)

    async def run(self, now: datetime, *, triggered: bool = False) -> list[Outcome]:
        """A run, and those that it asks for at once."""
        outcomes: list[Outcome] = []
        while not outcomes or outcomes[-1].again:
            run = Run(now, now, False, 1, self.cursor, dict(self.state), lambda: True, triggered=triggered)
            outcomes.append(await self.job.run(run))
            self.cursor, self.state = outcomes[-1].cursor, outcomes[-1].state
        return outcomes

    def readings(self) -> list[dict[str, Any]]:
        """All that lies in the outbox."""
        return [row for _, record in self.outbox.peek(10**9) for row in json.loads(_plain(record.body))]


def _plain(body: bytes) -> bytes:
    return gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body


@asynccontextmanager
async def poller(
    azurite: str,
    folder: Path,
    source: Source,
    sites: Sequence[Site],
    attach: Callable[[httpx.AsyncClient], Attach] | None = None,
) -> AsyncIterator[Poller]:
    """The source over real blobs, a real outbox and real HTTP."""
    known = {site.plant_id: site for site in (*sites, *source.sites())}
    async with (
        BlobServiceClient.from_connection_string(azurite) as blobs,
        httpx.AsyncClient(verify=False) as client,
        asyncio.TaskGroup() as tasks,
    ):
        with Outbox(folder, max_bytes=10**8) as outbox:
            packer, packed = Packer(outbox, linger_s=0), asyncio.Event()
            tasks.create_task(packer.run(packed))
            letters = DeadLetters(BlobFolder(blobs, topology.DEAD_LETTERS), "ingest")
            name = source.declaration.name
            job = PollJob(
                source,
                Fetcher(client, lambda container: BlobFolder(blobs, container)),
                source_guard(name, base_wait_s=0.01),
                intake=Intake(known.get, packer, letters, Validator(max_skew_s=10**9)),
                lane=Lane(name, memory=100_000),
                attach=attach(client) if attach else None,
            )
            yield Poller(job, outbox)
            packed.set()
