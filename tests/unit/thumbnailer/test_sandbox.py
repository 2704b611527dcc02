"""What a worker process may do, and what becomes of an image that is too much for it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
from PIL import Image

from thumbnailer.imaging.recipe import ImageRefusedError, Recipe, parse_presets
from thumbnailer.sandbox import Sandbox, SandboxError, SandboxSettings, UndecidedError

SMALL = Recipe(presets=parse_presets("card=16x16:contain:png"))
SLOW = Recipe(presets=parse_presets(" ".join(f"{name}=3000x3000:contain:avif:95" for name in "abcdefghijkl")))
"""Keeps a worker busy for some four seconds of CPU with an image of nine megapixels."""
MIB = 1024 * 1024

ESCAPES = {
    "open a file": "open('/etc/hostname')",
    "write a file": "open('/tmp/escape', 'w')",
    "open a socket": "socket.socket()",
    "resolve a name": "socket.getaddrinfo('localhost', 80)",
    "start a program": "subprocess.run(['/bin/true'])",
    "fork": "os.fork()",
    "signal another": "os.kill(os.getppid(), 0)",
    "raise its limits": "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))",
    "take memory": "bytearray(1 << 30)",
}


LOCKED = """
import json, os, resource, socket, subprocess, sys, threading
from thumbnailer.sandbox.lockdown import lock_down
means = lock_down(600 << 20, 60)
said = {}
for name, code in json.loads(sys.argv[1]).items():
    try:
        exec(code)
    except (OSError, MemoryError, ValueError) as error:
        said[name] = type(error).__name__
    else:
        said[name] = "done"
print(json.dumps([means, said]))
"""


def test_a_worker_is_shut_in():
    """After the lock-down no file, socket, program or other process can be reached, and memory has a bound; a thread
    may start, since the HEVC decoder needs one. On Linux the filter of system calls is in force."""
    attempts = ESCAPES | {"start a thread": "thread = threading.Thread(target=print); thread.start(); thread.join()"}
    command = [sys.executable, "-c", LOCKED, json.dumps(attempts)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    means, said = json.loads(done.stdout.splitlines()[-1])
    assert said.pop("start a thread") == "done"
    assert set(said) == set(ESCAPES)
    assert "done" not in said.values(), said
    assert ("seccomp" in means) == sys.platform.startswith("linux")


async def refusal(sandbox: Sandbox, data: bytes) -> ImageRefusedError:
    with pytest.raises(ImageRefusedError) as caught:
        await sandbox.make(data)
    return caught.value


def gone(pid: int) -> bool:
    """Whether a process has ended, be it that nobody has asked for its code yet."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def served_by(sandbox: Sandbox, image: bytes) -> int:
    """The worker that makes this image, as seen while it does."""
    working = asyncio.create_task(sandbox.make(image))
    while not sandbox.busy:
        await asyncio.sleep(0)
    (pid,) = sandbox.busy
    await working
    return pid


async def test_workers_are_kept_and_replaced_after_their_share(encode):
    """A worker serves many images, and a new one takes its place after the number that the setting names."""
    image = encode(Image.new("RGB", (32, 32), "red"), "JPEG")
    async with Sandbox(SMALL, SandboxSettings(workers=1, images_per_worker=2)) as sandbox:
        served = [await served_by(sandbox, image) for _ in range(4)]
    assert served[0] == served[1]
    assert served[2] == served[3]
    assert served[0] != served[2]


async def test_a_broken_image_costs_no_worker(encode):
    """What Pillow can't read is refused with the reason, and the worker goes on."""
    async with Sandbox(SMALL, SandboxSettings(workers=1)) as sandbox:
        good = encode(Image.new("RGB", (32, 32)), "PNG")
        before = await served_by(sandbox, good)
        assert (await refusal(sandbox, b"\xff\xd8\xff\xe0 nonsense")).reason == "broken"
        assert await served_by(sandbox, good) == before


async def test_an_image_that_needs_too_much_memory_is_refused(encode):
    """The address space of a worker is bounded: an image over it is refused for memory, and the next one is made."""
    large = encode(Image.new("RGB", (6000, 6000)), "PNG")
    async with Sandbox(SMALL, SandboxSettings(workers=1, memory_bytes=180 * MIB)) as sandbox:
        assert (await refusal(sandbox, large)).reason == "memory"
        assert (await sandbox.make(encode(Image.new("RGB", (32, 32)), "PNG"))).width == 32


async def test_an_image_that_takes_too_long_is_broken_off(encode):
    """The parent ends a worker that has not answered in time, and the next image gets a new one. The image is not
    refused: what keeps a worker busy runs into its limit of CPU time, so this one was kept from working."""
    large = encode(Image.new("L", (3000, 3000)), "PNG")
    async with Sandbox(SLOW, SandboxSettings(workers=1, image_timeout_s=0.3)) as sandbox:
        await sandbox.probe()
        with pytest.raises(UndecidedError, match=r"more than 0\.3 s"):
            await sandbox.make(large)
        assert (await sandbox.make(encode(Image.new("RGB", (32, 32)), "PNG"))).width == 32


async def test_an_image_that_takes_too_much_cpu_is_broken_off(encode):
    """The kernel ends a worker that has used up its CPU seconds for one image."""
    large = encode(Image.new("L", (3000, 3000)), "PNG")
    async with Sandbox(SLOW, SandboxSettings(workers=1, image_cpu_s=1)) as sandbox:
        assert (await refusal(sandbox, large)).reason == "cpu"


async def test_a_worker_that_dies_takes_one_image_with_it(encode):
    """When a worker dies of an image, that image is refused as a crash and the next one is made by another."""
    large = encode(Image.new("L", (3000, 3000)), "PNG")
    async with Sandbox(SLOW, SandboxSettings(workers=1)) as sandbox:
        working = asyncio.create_task(refusal(sandbox, large))
        while not sandbox.busy:
            await asyncio.sleep(0.01)
        (victim,) = sandbox.busy
        os.kill(victim, signal.SIGSEGV)
        error = await working
        assert error.reason == "crash"
        assert "SIGSEGV" in error.detail
        assert await served_by(sandbox, encode(Image.new("RGB", (32, 32)), "PNG")) != victim


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM])
async def test_a_worker_that_is_ended_from_outside_is_not_blamed_on_its_image(encode, sign):
    """A kernel short of memory, or a service manager, that ends a worker says nothing about the image in its hand."""
    large = encode(Image.new("L", (3000, 3000)), "PNG")
    async with Sandbox(SLOW, SandboxSettings(workers=1)) as sandbox:
        working = asyncio.create_task(sandbox.make(large))
        while not sandbox.busy:
            await asyncio.sleep(0.01)
        os.kill(*sandbox.busy, sign)
        with pytest.raises(UndecidedError):
            await working
        assert await served_by(sandbox, encode(Image.new("RGB", (32, 32)), "PNG"))


TAKEN_OVER = """
import os, sys, time
from thumbnailer.sandbox.frames import Ready, encoder, frame, read_frame
read_frame(sys.stdin.buffer)
os.write(1, frame(encoder.encode(Ready(()))))
sys.stdin.buffer.read(4)
os.close(0)
os.close(1)
time.sleep(60)
"""


async def test_a_worker_that_closes_its_pipes_is_blamed_on_its_image(encode, monkeypatch):
    """One that gives no answer and does not end either has been taken over: we end it, and its image is refused."""
    monkeypatch.setattr("thumbnailer.sandbox.process._COMMAND", (sys.executable, "-c", TAKEN_OVER))
    async with Sandbox(SMALL, SandboxSettings(workers=1)) as sandbox:
        assert (await refusal(sandbox, encode(Image.new("RGB", (32, 32)), "PNG"))).reason == "crash"


async def test_a_worker_that_died_idle_is_not_blamed_on_the_next_image(encode):
    """When a worker dies while it has no image in hand, the next image is made, by another."""
    image = encode(Image.new("RGB", (32, 32)), "PNG")
    async with Sandbox(SMALL, SandboxSettings(workers=1)) as sandbox:
        victim = await served_by(sandbox, image)
        os.kill(victim, signal.SIGKILL)
        while not gone(victim):
            await asyncio.sleep(0.01)
        assert await served_by(sandbox, image) != victim


async def test_ctrl_c_is_not_for_workers(encode):
    """A worker is in no process group of the thumbnailer's terminal, which would send it the signal too."""
    async with Sandbox(SMALL, SandboxSettings(workers=1)) as sandbox:
        worker = await served_by(sandbox, encode(Image.new("RGB", (32, 32)), "PNG"))
        assert os.getsid(worker) == worker


ORPHANS = """
import asyncio
from thumbnailer.imaging.recipe import Recipe, parse_presets
from thumbnailer.sandbox import Sandbox, SandboxSettings
async def main():
    async with Sandbox(Recipe(presets=parse_presets("card=16x16:contain:png")), SandboxSettings(workers=1)) as sandbox:
        await sandbox.probe()
        print("ready", flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""


def test_workers_end_with_a_thumbnailer_that_was_killed():
    """A thumbnailer that can't say goodbye leaves no worker behind, though they are in sessions of their own."""
    command = [sys.executable, "-c", ORPHANS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as thumbnailer:
        assert any(line == "ready\n" for line in thumbnailer.stdout)
        (worker,) = psutil.Process(thumbnailer.pid).children()
        thumbnailer.kill()
    deadline = time.monotonic() + 10
    while not gone(worker.pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)


async def test_a_worker_that_never_starts_is_given_up(encode, monkeypatch):
    """One that does not say in time that it is shut in is ended, and the image is not blamed."""
    monkeypatch.setattr("thumbnailer.sandbox.process._COMMAND", ("sleep", "60"))
    monkeypatch.setattr("thumbnailer.sandbox.pool._START_TIMEOUT_S", 0.3)
    async with Sandbox(SMALL, SandboxSettings(workers=1)) as sandbox, asyncio.timeout(20):
        with pytest.raises(SandboxError, match="did not start"):
            await sandbox.make(encode(Image.new("RGB", (32, 32)), "PNG"))


async def test_giving_up_on_an_image_ends_its_worker(encode):
    """When the caller is cancelled, the worker does not go on with an image that nobody waits for."""
    large = encode(Image.new("L", (3000, 3000)), "PNG")
    async with Sandbox(SLOW, SandboxSettings(workers=1)) as sandbox:
        working = asyncio.create_task(sandbox.make(large))
        while not sandbox.busy:
            await asyncio.sleep(0.01)
        (pid,) = sandbox.busy
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
