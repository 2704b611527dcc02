"""Ingest as a process: what it sends by itself, and what a kill or an outage does to it."""

from __future__ import annotations

import json
import os
import random
import signal
import uuid
from collections import Counter, defaultdict
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from azure.storage.blob import BlobServiceClient

from heliograph import topology
from heliograph.sites import decode_sites
from tests.conftest import running_broker
from tests.contract.ingest.ingest_process import CLIENT, SITES, Tail, running_ingest, tail

pytestmark = pytest.mark.timeout(240)
BEGIN = datetime(2026, 6, 21, 3, tzinfo=UTC)


def push(url: str, rows: list[dict[str, object]]) -> httpx.Response:
    return CLIENT.post(f"{url}/v1/readings", content=json.dumps(rows))


def rows_of(source: str, start: int, count: int) -> list[dict[str, object]]:
    """Values that gzip can do little about."""
    chance = random.Random(start)
    return [
        {
            "plant_id": SITES[number % 20]["plant_id"],
            "observed_at": (BEGIN + timedelta(milliseconds=number)).isoformat(),
            "source": source,
            "module_c": chance.uniform(0, 60),
            "ambient_c": chance.uniform(0, 40),
            "wind_m_s": chance.uniform(0, 20),
        }
        for number in range(start, start + count)
    ]


def test_replay_and_fleet_reach_the_hub_with_their_sites_and_labels(
    ingest_env: dict[str, str], readings: Tail, blobs: BlobServiceClient, tmp_path: Path
):
    """A measured day comes whole and once, as fast as it goes; the fleet's sites and the truth about its faults lie in
    blobs, the truth in no reading; asked to stop, the service drains and ends with 0."""
    shift = "2024-05-06"
    settings = {"sources": "replay,fleet", "speed": 0, "replay_shift_to": shift}
    settings |= {"fleet_plants": 40, "fleet_interval_s": 600}
    with running_ingest(tmp_path, ingest_env, **settings) as service:
        found = readings.take(lambda one: one["source"] == "replay" and "2024-05" in one["observed_at"], 280)
        fleet = readings.take(lambda one: one["source"] == "fleet", 400)
        functions = CLIENT.get(f"{service.url}/admin/functions").json()
        assert {one["name"] for one in functions} == {"replay", "fleet"}
        assert service.stop() == 0, service.log.read_text()
    per_plant = Counter(one["plant_id"] for one in found)
    assert set(per_plant) == {"nrel-rsf-2", "nrel-rsf-2-inverter-2", "nrel-serf-west"}
    assert len({(one["plant_id"], one["observed_at"]) for one in found}) == len(found)
    assert {one["region"] for one in found} == {"US-CO"}
    sites = blobs.get_container_client(topology.SITES)
    assert len(decode_sites(sites.download_blob("fleet.json").readall())) == 40
    assert {one["plant_id"] for one in fleet} <= {
        site.plant_id for site in decode_sites(sites.download_blob("fleet.json").readall())
    }
    labels = list(
        blobs.get_container_client(topology.SCHEDULES).list_blob_names(name_starts_with="fleet-labels/17-40/")
    )
    assert labels
    assert all(set(one) <= READING_FIELDS for one in fleet)


READING_FIELDS = {
    "v", "plant_id", "source", "observed_at", "interval_s", "region", "capacity_kw", "generation_kw", "poa_w_m2",
    "ghi_w_m2", "module_c", "ambient_c", "wind_m_s", "flags", "partition", "shard", "copies",
}  # fmt: skip


def test_two_replicas_tell_an_hour_exactly_once_through_a_handover(
    ingest_env: dict[str, str], readings: Tail, blobs: BlobServiceClient, tmp_path: Path
):
    """Sixty simulated minutes on two replicas, the first of which is stopped half-way: each minute of each plant is
    sent once, in order, by the one that holds the schedule."""
    start = datetime(2025, 6, 21, 3, tzinfo=UTC)
    ends = [(start + timedelta(minutes=minutes)).isoformat() for minutes in (30, 60)]
    settings = {"sources": "fleet", "speed": 360, "fleet_plants": 20, "fleet_interval_s": 60, "lease_s": 15}
    settings |= {"fleet_faults_per_day": 0, "fleet_start": start.isoformat()}
    status = blobs.get_blob_client(topology.SCHEDULES, "status/fleet.json")
    if status.exists():
        status.delete_blob()

    def wanted(one: dict[str, Any]) -> bool:
        return bool(one["source"] == "fleet" and one["observed_at"].startswith("2025-06-21"))

    with ExitStack() as stack:
        replicas = [running_ingest(tmp_path, ingest_env, fleet_end=end, **settings) for end in ends]
        first, second = (stack.enter_context(replica) for replica in replicas)
        assert len(readings.take(wanted, 20 * 30)) == 20 * 30
        assert first.stop() == 0, first.log.read_text()
        found = readings.take(wanted, 20 * 60)
        assert second.metric("heliograph_ingest_schedule_owned", source="fleet") == 1
    assert {one["copies"] for one in found} == {1}
    assert len({(one["plant_id"], one["observed_at"]) for one in found}) == len(found) == 20 * 60
    by_plant: dict[str, list[str]] = defaultdict(list)
    for one in found:
        by_plant[one["plant_id"]].append(one["observed_at"])
    assert all(times == sorted(times) for times in by_plant.values())


def test_what_was_answered_202_survives_an_outage_of_the_hub_and_a_kill(
    ingest_env: dict[str, str], sites_file: Path, tmp_path: Path
):
    """While the hub stalls, pushes are taken until the outbox is four fifths full, then they and the host's ping get
    429; killed in that state, the service sends everything once it and the hub are back, each plant in its order."""
    source, pids = f"kill-{uuid.uuid4().hex[:8]}", list[int]()
    hub = tmp_path / "hub"
    hub.mkdir()
    with running_broker(hub, pids) as connection:
        env = ingest_env | {"HELIOGRAPH_EVENTHUB_CONNECTION_STRING": connection}
        with running_ingest(tmp_path, env, sites_url=sites_file, outbox_max_mb=1) as service:
            os.kill(pids[0], signal.SIGSTOP)
            taken = 0
            while (answer := push(service.url, rows_of(source, taken, 2000))).status_code == 202:
                taken += 2000
            assert (answer.status_code, answer.headers["retry-after"]) == (429, "5")
            assert CLIENT.post(f"{service.url}/admin/host/ping").status_code == 429
            assert 0.8 <= service.metric("heliograph_ingest_outbox_bytes") / 2**20 <= 1
            service.process.kill()
            service.process.wait()
        os.kill(pids[0], signal.SIGCONT)
        with running_ingest(tmp_path, env, sites_url=sites_file, outbox_max_mb=1) as service:
            with tail(connection, topology.READINGS_HUB) as hub_tail:
                found = hub_tail.take(lambda one: one["source"] == source, taken)
            assert CLIENT.get(f"{service.url}/admin/host/ping").status_code == 200
            assert push(service.url, rows_of(source, taken, 1)).status_code == 202
    assert len({(one["plant_id"], one["observed_at"]) for one in found}) == taken > 5000
    by_plant: dict[str, list[datetime]] = defaultdict(list)
    for one in found:
        by_plant[one["plant_id"]].append(datetime.fromisoformat(one["observed_at"]))
    assert all(times == sorted(times) for times in by_plant.values())
