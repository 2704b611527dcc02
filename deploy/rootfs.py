"""Gathers the root file system of a service's image: `python rootfs.py /root-of-image`, run while it is built.

Only what runs: the interpreter, its standard library, `/app`, the shared libraries that these link to,
certificates, time zones and one user. No shell, no package manager, no set-uid program comes along. Each Debian
package that gave a library leaves its record in `/var/lib/dpkg/status.d`, where scanners look for it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

PYTHON = (Path("/usr/local/bin"), Path("/usr/local/lib"))
PLAIN = (
    Path("/app"),
    Path("/etc/ssl"),
    Path("/usr/lib/ssl"),
    Path("/usr/share/ca-certificates"),
    Path("/usr/share/zoneinfo"),
)
LEFT_OUT = re.compile(
    r"/(ensurepip|idlelib|lib2to3|tkinter|turtledemo|pydoc_data|config-3[^/]*|pkgconfig|node_modules/npm"
    r"|lib-dynload/(_test|_ctypes_test|_xxtest|xxlimited)[^/]*"
    r"|site-packages/(.*/)?tests|site-packages/(pyarrow|numpy/_core)/include|local/lib/python3[^/]*/site-packages)(/|$)"
    r"|\.(pyi|pyx|pxd|opt-[12]\.pyc)$"
)
USER_ID = 10001
LOADER = re.compile(r"(/\S+) \(0x")


def files_of(folders: tuple[Path, ...]) -> Iterator[Path]:
    """Every file and link under the folders, but what no service needs."""
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if (path.is_symlink() or path.is_file()) and not LEFT_OUT.search(str(path)):
                yield path


def is_elf(path: Path) -> bool:
    """Whether it is a program or a library."""
    if path.is_symlink():
        return False
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def linked(program: Path) -> set[Path]:
    """The libraries outside `/app` and `/usr/local` that the program links to, and the loader."""
    found = LOADER.findall(said("ldd", str(program)))
    return {Path(name) for name in found if not name.startswith(("/app/", "/usr/local/"))}


def said(*command: str) -> str:
    """What a command of the build image printed, whether it was content or not."""
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603 - fixed commands


def copy(path: Path, root: Path) -> None:
    """Copies a file or link, keeping its place, mode and time."""
    target = root / path.relative_to("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(path, target, follow_symlinks=False)


def copy_library(path: Path, root: Path) -> None:
    """A library under the name that it is linked by, with its content."""
    target = root / path.relative_to("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(path, target)


def keep_records(libraries: set[Path], root: Path) -> None:
    """The Debian packages that the libraries came from."""
    records = root / "var/lib/dpkg/status.d"
    records.mkdir(parents=True)
    names = sorted(
        {name for path in libraries for name in (str(path), str(path).removeprefix("/usr"), str(path.resolve()))}
    )
    packages = {line.split(":")[0] for line in said("dpkg-query", "-S", *names).splitlines()}
    for package in packages:
        (records / package).write_text(said("dpkg-query", "-s", package))


def main(root: Path) -> None:
    """Fills `root`."""
    kept = list(files_of(PYTHON + PLAIN))
    libraries = {library for path in kept if is_elf(path) for library in linked(path)}
    for path in kept:
        if path.parent != PYTHON[0] or path.name.startswith("python3"):
            copy(path, root)
    for path in libraries:
        copy_library(path, root)
    keep_records(libraries, root)
    for path in files_of((Path("/etc/ld.so.conf.d"),)):
        copy(path, root)
    copy(Path("/etc/ld.so.conf"), root)
    said("ldconfig", "-r", str(root))
    (root / "etc/passwd").write_text(f"root:x:0:0::/:/nologin\nheliograph:x:{USER_ID}:{USER_ID}::/data:/nologin\n")
    (root / "etc/group").write_text(f"root:x:0:\nheliograph:x:{USER_ID}:\n")
    (root / "etc/nsswitch.conf").write_text("hosts: files dns\n")
    shutil.copy2("/etc/os-release", root / "etc/os-release")
    (root / "tmp").mkdir(mode=0o1777)
    (root / "tmp").chmod(0o1777)
    (root / "data").mkdir()
    os.chown(root / "data", USER_ID, USER_ID)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
