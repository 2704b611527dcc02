"""The names that services, deployment files and the local Azure must agree on.

KEDA compares checkpoint paths that are only partly lower-cased, so every name here is lower case.
"""

from hashlib import blake2b
from typing import Final

READINGS_HUB: Final = "readings"
INSIGHTS_HUB: Final = "insights"
HUB_PARTITIONS: Final = 8
CONSUMER_GROUPS: Final = {READINGS_HUB: ("analyzer",), INSIGHTS_HUB: ("sink", "dashboard")}

CHECKPOINTS: Final = "checkpoints"
SNAPSHOTS: Final = "snapshots"
SCHEDULES: Final = "schedules"
DEAD_LETTERS: Final = "dead-letters"
UPLOADS: Final = "uploads"
THUMBNAILS: Final = "thumbnails"
RECEIPTS: Final = "receipts"
SITES: Final = "sites"
BLOB_CONTAINERS: Final = (
    CHECKPOINTS, SNAPSHOTS, SCHEDULES, DEAD_LETTERS, UPLOADS, THUMBNAILS, RECEIPTS, SITES,
)  # fmt: skip

UPLOADS_QUEUE: Final = "uploads-created"
POISON_SUFFIX: Final = "-poison"
QUEUES: Final = (UPLOADS_QUEUE, UPLOADS_QUEUE + POISON_SUFFIX)

DATABASE: Final = "heliograph"

SHARDS: Final = 32
"""Events are packed by shard, and the shard is the partition key, so a plant never changes its partition."""


def shard_of(plant_id: str) -> str:
    """The shard that a plant belongs to, `s00` to `s31`: stable over processes, machines and releases."""
    digest = blake2b(plant_id.encode(), digest_size=4).digest()
    return f"s{int.from_bytes(digest, 'big') % SHARDS:02d}"
