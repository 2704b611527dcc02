"""The registry of plants in a blob, while it changes."""

from __future__ import annotations

import uuid

import httpx
from azure.storage.blob.aio import BlobServiceClient

from heliograph import topology
from heliograph.blobs import BlobFolder
from heliograph.sites import decode_sites
from ingest.alarms import Alarms
from ingest.fetching import Fetcher
from ingest.registry import Registry

HEAD = "plant_id,name,region,latitude,longitude,capacity_kw\n"


async def test_a_registry_in_a_blob_is_read_again_and_a_wrong_one_changes_nothing(azurite: str):
    """A good file is taken and published; a wrong or missing one leaves the last good state and raises an alarm that
    names the row, until a good one is there."""
    name, alarms = f"{uuid.uuid4().hex[:8]}.csv", Alarms()
    async with BlobServiceClient.from_connection_string(azurite) as blobs, httpx.AsyncClient(verify=False) as client:
        blob = blobs.get_blob_client(topology.UPLOADS, name)
        fetcher = Fetcher(client, lambda container: BlobFolder(blobs, container))
        registry = Registry(f"blob://{topology.UPLOADS}/{name}", fetcher, alarms)
        assert not await registry.reload()
        assert name in alarms.standing["site registry"]
        await blob.upload_blob(f"{HEAD}a,A,KR-46,34,126,500\n", overwrite=True)
        assert await registry.reload()
        assert not await registry.reload()
        assert alarms.standing == {}
        await blob.upload_blob(f"{HEAD}a,A,KR-46,34,126,600\nb,B,KR-46,34,126,none\n", overwrite=True)
        assert not await registry.reload()
        assert "row 2 (b)" in alarms.standing["site registry"]
        assert (site := registry.get("a")) is not None
        assert (site.capacity_kw, registry.get("b")) == (500, None)
        await blob.upload_blob(f"{HEAD}a,A,KR-46,34,126,600\nb,B,KR-46,34,126,70\n", overwrite=True)
        assert await registry.reload()
        assert alarms.standing == {}
        folder = BlobFolder(blobs, topology.SITES)
        await registry.publish(folder)
        stored = await folder.get("operator.json")
        await folder.delete("operator.json")
    assert stored is not None
    assert [(one.plant_id, one.capacity_kw) for one in decode_sites(stored.data)] == [("a", 600), ("b", 70)]
