"""Gathers messages from all sources, packs them and puts them into the outbox, many together.

Whoever gives messages waits until they are durable. While one pack is written, the next gathers, so that packs grow
with the load; a short linger lets concurrent pushes share one write.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from heliograph.contracts import Message, Note, Reading
from heliograph.topology import INSIGHTS_HUB, READINGS_HUB
from heliograph.tracing import carrier
from ingest import metrics
from ingest.outbox import Outbox, OutboxFullError, Record
from ingest.packing import Shards, pack
from ingest.traces import Traces

FULL_MESSAGES = 20_000
"""As many make a pack at once, without linger."""
FULL_WAIT_S = 1.0


@dataclass(slots=True)
class _Gathering:
    durable: asyncio.Future[None]
    groups: dict[tuple[str, str], list[Message]] = field(default_factory=dict)
    carriers: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    """The trace of the first who gave something for that address."""
    messages: int = 0


class Packer:
    """One for all sources; `run` does the work."""

    def __init__(self, outbox: Outbox, *, linger_s: float = 0.02, compress: bool = True) -> None:
        self._outbox = outbox
        self._linger_s = linger_s
        self._compress = compress
        self._shards = Shards()
        self._gathering: _Gathering | None = None
        self._begun = asyncio.Event()
        self._full = asyncio.Event()
        self.traces = Traces()
        self.appended = asyncio.Event()
        """Set whenever something new is in the outbox."""

    @property
    def waiting(self) -> int:
        """Messages that are not durable yet."""
        return self._gathering.messages if self._gathering else 0

    async def put_readings(self, readings: Sequence[Reading]) -> None:
        """Returns when the readings are durable. Raises `OSError` of the disk; then they are not."""
        groups = {(READINGS_HUB, shard): group for shard, group in self._shards.group(readings).items()}
        await self._put(groups, len(readings))

    async def put_note(self, note: Note) -> None:
        """The same for an operator's note, which goes to the insights."""
        await self._put({(INSIGHTS_HUB, self._shards.of(note.plant_id)): [note]}, 1)

    async def _put(self, groups: Mapping[tuple[str, str], Sequence[Message]], count: int) -> None:
        if not count:
            return
        if self._gathering is None:
            self._gathering = _Gathering(asyncio.get_running_loop().create_future())
        gathering = self._gathering
        ours = carrier()
        for address, messages in groups.items():
            gathering.groups.setdefault(address, []).extend(messages)
            if ours:
                gathering.carriers.setdefault(address, ours)
        gathering.messages += count
        self._begun.set()
        if gathering.messages >= FULL_MESSAGES:
            self._full.set()
        await asyncio.shield(gathering.durable)

    async def run(self, stopping: asyncio.Event) -> None:
        """Packs until asked to stop and nothing waits."""
        stop = asyncio.create_task(stopping.wait())
        try:
            while not (stop.done() and self._gathering is None):
                begun = asyncio.create_task(self._begun.wait())
                await asyncio.wait([begun, stop], return_when=asyncio.FIRST_COMPLETED)
                begun.cancel()
                if self._gathering is not None:
                    await self._linger()
                    await self._flush()
        finally:
            stop.cancel()

    async def _linger(self) -> None:
        try:
            async with asyncio.timeout(self._linger_s):
                await self._full.wait()
        except TimeoutError:
            pass

    async def _flush(self) -> None:
        gathering, self._gathering = self._gathering, None
        self._begun.clear()
        self._full.clear()
        if gathering is None:
            return
        try:
            records = await asyncio.to_thread(_records_of, gathering.groups, compress=self._compress)
            for record in records if gathering.carriers else ():
                self.traces.keep(record.body, gathering.carriers.get((record.hub, record.key)))
            await self._append(records)
        except OSError as error:
            gathering.durable.set_exception(error)
            gathering.durable.exception()  # a submitter that went away leaves nobody to look at it
            return
        gathering.durable.set_result(None)
        metrics.FLUSH_READINGS.observe(gathering.messages)
        self.appended.set()

    async def _append(self, records: list[Record]) -> None:
        """Waits while the outbox is full: what feeds it waits in turn."""
        while True:
            try:
                await asyncio.to_thread(self._outbox.append, records)
            except OutboxFullError:
                await asyncio.sleep(FULL_WAIT_S)
            else:
                return


def _records_of(groups: Mapping[tuple[str, str], Sequence[Message]], *, compress: bool) -> list[Record]:
    return [
        Record(hub, key, count, body)
        for (hub, key), messages in groups.items()
        for body, count in pack(messages, compress=compress)
    ]
