"""What the storm does to networks and clocks really happens to processes, and ends."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.storm.clocks import of_their_own
from bench.storm.network import laid

NAME = "sink-2"
ECHO = """
import socket
server = socket.create_server(("0.0.0.0", 7007))
while True:
    client, _ = server.accept()
    while said := client.recv(100):
        client.sendall(said)
"""


async def test_a_cut_network_loses_what_is_sent_and_goes_on_afterwards() -> None:
    """While the cable is out nothing comes back over an open connection; then it does, and what was sent arrives."""
    with laid([NAME]) as networks:
        if not networks.tag:
            pytest.skip("networks can't be cut here: that takes root and `ip`")
        with subprocess.Popen([*networks.launchers[NAME], sys.executable, "-c", ECHO]) as server:
            try:
                reader, writer = await connected(networks.hosts[NAME])
                cutting = asyncio.create_task(networks.cut(NAME, 2.0))
                await asyncio.sleep(0.5)
                writer.write(b"are you there?")
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(reader.read(1), 1.0)
                await cutting
                assert await asyncio.wait_for(reader.readexactly(14), 20) == b"are you there?"
                writer.close()
            finally:
                server.kill()
    assert networks.tag not in subprocess.run(["ip", "link"], capture_output=True, text=True, check=True).stdout


async def connected(host: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(20):
        while True:
            try:
                return await asyncio.open_connection(host, 7007)
            except OSError:
                await asyncio.sleep(0.1)


async def test_a_moved_clock_is_wrong_for_a_while_and_time_passes_no_faster(tmp_path: Path) -> None:
    """A running process sees its wall clock jump and jump back, and its monotonic clock go on as before."""
    clocks = of_their_own([NAME], tmp_path)
    if not clocks.files:
        pytest.skip("libfaketime does not load here")
    tell = "import time\nwhile True: print(time.time(), time.monotonic(), flush=True); time.sleep(0.1)"
    with subprocess.Popen(
        [*clocks.launchers[NAME], sys.executable, "-c", tell], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        off_s: list[int] = []
        moving = asyncio.create_task(clocks.move(NAME, -240, 3.0))
        while not off_s or not moving.done() or off_s[-1]:
            said, monotonic_s = map(float, (await asyncio.to_thread(process.stdout.readline)).split())
            assert abs(monotonic_s - time.monotonic()) < 5
            off_s.append(round((said - time.time()) / 10) * 10)
        process.kill()
    assert set(off_s) == {0, -240}
