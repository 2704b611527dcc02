"""The local hubs and blobs, and the analyzer as a process between them, for `bench.pipeline`."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import psutil
from azure.core.exceptions import AzureError
from azure.storage.blob import BlobServiceClient

from heliograph import topology
from stack.layout import HOST, hub_config, hub_connection, storage_connection
from stack.ports import free_ports

START_S = 120.0


@dataclass(frozen=True)
class Stack:
    """Where hubs and blobs are."""

    folder: Path
    hubs: str
    blobs: str


@contextmanager
def process(module: str, *arguments: str, log: Path, env: dict[str, str] | None = None) -> Iterator[psutil.Process]:
    """A Python module as a process, terminated in the end."""
    with log.open("ab") as output:
        command = [sys.executable, "-m", module, *arguments]
        child = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=env)
        try:
            yield psutil.Process(child.pid)
        finally:
            child.terminate()
            try:
                child.wait(30)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def wait_for_answer(url: str) -> str:
    """What the address answers, once it does. Raises `TimeoutError`."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            with urlopen(url, timeout=5) as answer:
                return str(answer.read().decode())
        except (URLError, OSError):
            time.sleep(0.1)
    raise TimeoutError(f"{url} did not answer within {START_S:g} s")


@contextmanager
def hubs_and_blobs(folder: Path) -> Iterator[Stack]:
    """The broker with the topology's hubs, and Azurite with its containers; all empty."""
    config = folder / "hubs.json"
    config.write_text(hub_config())
    ports = free_ports(("eventhubs", "health", "azurite-blob", "azurite-queue", "table"))
    port, health, blob, queue, table = ports.values()
    broker = (f"--data={folder / 'hubs'}", f"--port={port}", f"--health-port={health}", f"--config={config}")
    azurite = (f"--data={folder / 'blobs'}", f"--blob-port={blob}", f"--queue-port={queue}", f"--table-port={table}")
    with (
        process("local_azure.eventhubs", *broker, log=folder / "hubs.log"),
        process("local_azure.azurite", *azurite, log=folder / "blobs.log"),
    ):
        wait_for_answer(f"http://{HOST}:{health}/health")
        storage = storage_connection(ports)
        _make_containers(storage)
        yield Stack(folder, hub_connection(ports), storage)


def _make_containers(storage: str) -> None:
    deadline = time.monotonic() + START_S
    with BlobServiceClient.from_connection_string(storage, retry_total=0) as blobs:
        for name in topology.BLOB_CONTAINERS:
            while True:
                try:
                    blobs.create_container(name)
                    break
                except AzureError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.3)


@contextmanager
def analyzer(stack: Stack) -> Iterator[tuple[psutil.Process, str]]:
    """The service with its default settings; yields its process and the address of its metrics."""
    port = free_ports(["analyzer"])["analyzer"]
    env = os.environ | {
        "HELIOGRAPH_EVENTHUB_CONNECTION_STRING": stack.hubs,
        "HELIOGRAPH_STORAGE_CONNECTION_STRING": stack.blobs,
        "HELIOGRAPH_HTTP_HOST": HOST,
        "HELIOGRAPH_HTTP_PORT": str(port),
    }
    with process("analyzer", log=stack.folder / "analyzer.log", env=env) as running:
        url = f"http://{HOST}:{port}/metrics"
        wait_for_answer(url)
        yield running, url


def metric(url: str, name: str) -> float:
    """The sum over all labels of a metric."""
    lines = wait_for_answer(url).splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((f"{name}{{", f"{name} ")))
