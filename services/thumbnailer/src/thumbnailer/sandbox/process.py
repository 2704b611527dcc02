"""One worker process, and the blocking talk with it. Its methods are called from a thread."""

from __future__ import annotations

import contextlib
import fcntl
import math
import resource
import signal
import subprocess
import sys
from typing import IO, Final, Self

import msgspec

from thumbnailer.imaging.recipe import ImageRefusedError
from thumbnailer.sandbox.frames import LENGTH_BYTES, Answer, Confinement, answer_decoder, encoder, frame, ready_decoder

_F_SETPIPE_SZ: Final = 1031
_PIPE_BYTES: Final = 1024 * 1024
"""Linux lets anyone have pipes of this size; a photo crosses in a few system calls."""
_MAX_ANSWER_BYTES: Final = 256 * 1024 * 1024
_FROM_OUTSIDE: Final = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT})
_COMMAND: Final = (sys.executable, "-I", "-m", "thumbnailer.sandbox.worker")
_ENVIRONMENT: Final = {"LC_ALL": "C.UTF-8"}
"""A worker inherits no variable: the keys of hubs and stores are among them."""


class WorkerDiedError(Exception):
    """The worker ended while it should have answered; `code` as `subprocess` has it, negative for a signal."""

    def __init__(self, code: int, detail: str = "") -> None:
        super().__init__(detail or f"the worker ended with code {code}")
        self.code = code
        self._is_ours = bool(detail)
        """Whether it was we who ended it, for what it did."""

    @property
    def was_sent_away(self) -> bool:
        """Whether it ended by a signal that decoding can't raise: of a service manager, or of a kernel short of
        memory."""
        return not self._is_ours and -self.code in _FROM_OUTSIDE

    def verdict(self) -> ImageRefusedError:
        """What the worker's death says about the image that it had in hand."""
        if self.code == -signal.SIGXCPU:
            return ImageRefusedError("cpu", "decoding takes more CPU time than a worker may use")
        name = signal.Signals(-self.code).name if self.code < 0 else f"code {self.code}"
        return ImageRefusedError("crash", f"decoding ended the worker: {name}; {self}")


class WorkerProcess:
    """A worker, at work once `start` has returned. `images` counts those that it has answered."""

    def __init__(self, confinement: Confinement, image_cpu_s: int) -> None:
        self._image_cpu_s = image_cpu_s
        self._cpu_s = 0.0
        self.images = 0
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            _COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_ENVIRONMENT,
            cwd="/",
            bufsize=0,
            # Ctrl-C in a terminal is for the thumbnailer: a worker with an image in hand would end, and the image be
            # blamed. It ends with the thumbnailer all the same, since its stdin does.
            start_new_session=True,
        )
        self._confinement = confinement
        self.means: tuple[str, ...] = ()
        """What it has shut itself in with."""
        _widen(self._stdin)

    def start(self) -> Self:
        """Waits until the worker has shut itself in. Raises `WorkerDiedError` or `msgspec.DecodeError`."""
        try:
            self._write(frame(encoder.encode(self._confinement)))
            self.means = ready_decoder.decode(self._read_frame()).confinement
        except BaseException:
            self.kill()
            raise
        return self

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None  # noqa: S101 - opened with PIPE
        return self._process.stdin

    @property
    def _stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None  # noqa: S101 - opened with PIPE
        return self._process.stdout

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether the process has ended, for whatever reason."""
        return self._process.poll() is not None

    def answer(self, data: bytes) -> Answer:
        """What the worker makes of an image. Raises `WorkerDiedError` when it dies of it."""
        self._allow_cpu()
        self._write(len(data).to_bytes(LENGTH_BYTES, "big"))
        self._write(data)
        try:
            answer = answer_decoder.decode(self._read_frame())
        except msgspec.DecodeError as error:
            raise WorkerDiedError(self.kill(), f"the worker answered nonsense: {error}") from error
        self._cpu_s = answer.cpu_s
        self.images += 1
        return answer

    def _allow_cpu(self) -> None:
        """Lets the worker use so many CPU seconds more; the kernel ends it with SIGXCPU when they are spent."""
        if not hasattr(resource, "prlimit"):
            return
        hard = self._confinement.cpu_s
        soft = min(math.ceil(self._cpu_s) + self._image_cpu_s, hard)
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(self.pid, resource.RLIMIT_CPU, (soft, hard))

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[self._stdin.write(view) :]
        except OSError as error:
            raise self._died() from error

    def _read_frame(self) -> bytes:
        length = int.from_bytes(self._read(LENGTH_BYTES), "big")
        if length > _MAX_ANSWER_BYTES:
            raise WorkerDiedError(self.kill(), f"the worker announced an answer of {length} bytes")
        return self._read(length)

    def _read(self, length: int) -> bytes:
        parts, missing = [], length
        while missing:
            part = self._stdout.read(missing)
            if not part:
                raise self._died()
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def _died(self) -> WorkerDiedError:
        """Its pipes are closed, so it is ending or wants to look like it."""
        try:
            self._process.wait(1)
        except subprocess.TimeoutExpired:
            return WorkerDiedError(self.kill(), "the worker closed its pipes and went on")
        return WorkerDiedError(self.kill())

    def retire(self) -> None:
        """Lets the worker end by itself: its input has ended."""
        self._stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(2)
        self.kill()

    def kill(self) -> int:
        """Ends the worker now; its exit code. May be called from another thread, to break off an answer."""
        self._process.kill()
        code = self._process.wait()
        for pipe in (self._stdin, self._stdout):
            with contextlib.suppress(OSError):
                pipe.close()
        return code


def _widen(pipe: IO[bytes]) -> None:
    with contextlib.suppress(OSError):
        if sys.platform.startswith("linux"):
            fcntl.fcntl(pipe, _F_SETPIPE_SZ, _PIPE_BYTES)
