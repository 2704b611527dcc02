"""The folder that a server keeps its data in, which is one server's at a time."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class DataDirectoryInUseError(RuntimeError):
    """Another server works in the directory."""


@contextmanager
def owned(directory: Path, lock_name: str, others: str) -> Iterator[None]:
    """Makes the folder and keeps `others` out of it, who lock the same name; the lock goes with the process.

    Raises DataDirectoryInUseError when one of them has it, and OSError when the folder can not be used.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / lock_name).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataDirectoryInUseError(f"another {others} works in {directory}") from None
        yield
