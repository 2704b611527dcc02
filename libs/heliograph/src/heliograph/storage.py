"""How Heliograph lies in Cosmos DB, as data: containers, partition keys, indexes, times to live, keys and ids.

The sink writes it, the dashboard reads it, the deployment creates it; `docs/adr/0501-storage-model.md` says why
it looks like this and what it costs. Only what a query filters on is indexed.

| container | one document is | partition key |
|---|---|---|
| `windows` | what one commit of the sink knew of a cell (or of all regions) in a tile of ten minutes; never rewritten | cell, or UTC day for regions |
| `rollups` | a plant's (or a region's) day: flat totals with its hours, or its five-minute curve | the same |
| `latest` | the newest window of each plant of a cell | cell |
| `alerts` | an alert with what operators did to it | plant or region |
| `notes`, `photos` | a note; a photo with its thumbnails | plant |

A cell is a fixed group of plants, some tens of them: big enough to pack well, small enough to read quickly.
"""  # noqa: E501

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final

from heliograph.contracts import iso_seconds

DAY_S: Final = 86_400
HOUR_S: Final = 3_600
TILE_S: Final = 600
"""A document of `windows` holds windows that start within one tile, so that a moment is found by a bounded range."""
CURVE_S: Final = 300
"""A point of a curve stands for five minutes."""


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """A container to be created. Paths as Cosmos writes them; the TTL counts from a document's last write."""

    name: str
    partition_key: str
    indexed: tuple[str, ...] = ()
    default_ttl_s: int = -1
    """-1: documents live until they are deleted, unless they carry a `ttl` of their own."""

    def indexing_policy(self) -> dict[str, Any]:
        """The indexing policy: these paths and no other."""
        return {
            "indexingMode": "consistent",
            "automatic": True,
            "includedPaths": [{"path": f"{path}/?"} for path in (self.partition_key, *self.indexed)],
            "excludedPaths": [{"path": "/*"}],
        }


WINDOWS: Final = ContainerSpec("windows", "/pk", ("/first", "/until", "/span"), default_ttl_s=30 * DAY_S)
"""`first` is the first start in a document; `until` the last, only where it is another, so that the usual document, of
one window, costs one index entry less; `span` is that of a mark."""
ROLLUPS: Final = ContainerSpec("rollups", "/pk", ("/kind", "/subject", "/day"), default_ttl_s=1_100 * DAY_S)
LATEST: Final = ContainerSpec("latest", "/pk")
ALERTS: Final = ContainerSpec(
    "alerts", "/subject", ("/status", "/onset", "/region", "/rule"), default_ttl_s=800 * DAY_S
)
NOTES: Final = ContainerSpec("notes", "/plant_id", ("/at",))
PHOTOS: Final = ContainerSpec("photos", "/plant_id", ("/uploaded_at",))
CONTAINERS: Final = (WINDOWS, ROLLUPS, LATEST, ALERTS, NOTES, PHOTOS)

CURVE_TTL_S: Final = 100 * DAY_S
"""Five-minute curves live shorter than the flat days and hours beside them."""
DELETED_PHOTO_TTL_S: Final = 30 * DAY_S
"""How long the tombstone of a photo keeps an older event from bringing it back."""

DEFAULT_CELLS: Final = 128
_ENCODED: Final = str.maketrans({character: f"%{ord(character):02X}" for character in "/\\?#"})


def cell_of(plant_id: str, cells: int = DEFAULT_CELLS) -> str:
    """The cell that a plant belongs to, `c0000` onward: stable over processes, machines and releases.

    With a multiple of `topology.SHARDS` cells, a cell lies within one shard and so in one hub partition.
    """
    digest = blake2b(plant_id.encode(), digest_size=4).digest()
    return f"c{int.from_bytes(digest, 'big') % cells:04d}"


def day_of(moment: datetime) -> str:
    """The UTC day of a moment, e.g. `2026-11-23`; the partition key of the regions."""
    return f"{moment.astimezone(UTC):%Y-%m-%d}"


@lru_cache(maxsize=1024)
def day_start(day: str) -> datetime:
    """The first moment of a UTC day. Raises `ValueError` for other text."""
    return datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)


def floor_to(epoch_s: float, step_s: int) -> int:
    """The start of the step that a moment lies in, both in seconds since the epoch."""
    return int(epoch_s // step_s) * step_s


def span_id(span_start_s: int, writer: str) -> str:
    """The id of the mark by which a writer says: this span of a partition key has windows of mine that no roll-up
    covers yet."""
    return f"mark:{iso_seconds(datetime.fromtimestamp(span_start_s, UTC))}:{writer}"


def rollup_id(kind: str, subject: str, day: str) -> str:
    """The id of a roll-up; `kind` is `plant-day`, `plant-curve` or `region-curve`."""
    return document_id(f"{kind}:{subject}:{day}")


def document_id(name: str) -> str:
    """A name as an id that Cosmos takes: the four characters that it refuses are percent-encoded."""
    return name.translate(_ENCODED)


def subject_of(alert_id: str) -> str:
    """The plant or region of an alert: what stands before `:rule:onset`."""
    return alert_id.rsplit(":", 4)[0] if alert_id.count(":") >= 4 else alert_id
