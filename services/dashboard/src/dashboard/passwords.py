"""The local password file and the sessions of who signed in by it.

A line is `name:hash`, the hash by argon2id. `python -m dashboard.passwords FILE NAME` asks for a password and writes
the line. Sessions are signed with a key drawn from the file's content: every replica accepts them, and a change of the
file ends them all.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import getpass
import hashlib
import hmac
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_HASHER: Final = PasswordHasher()
_NOBODY: Final = _HASHER.hash("nobody has this password")
_AT_A_TIME: Final = 2
"""Each check takes 64 MB and some tens of milliseconds of a core."""


class PasswordFileError(ValueError):
    """The password file can't be read; the text names the line."""


class Sessions:
    """Checks passwords and gives out and reads signed cookies."""

    def __init__(self, content: str, *, hours: float, clock: Callable[[], float] = time.time) -> None:
        self._hashes = parse_password_file(content)
        self._key = hashlib.blake2b(content.encode(), digest_size=32, person=b"heliograph").digest()
        self._seconds = hours * 3600
        self._clock = clock
        self._slots = asyncio.Semaphore(_AT_A_TIME)

    @property
    def seconds(self) -> int:
        """How long a sign-in lasts."""
        return int(self._seconds)

    async def sign_in(self, name: str, password: str) -> str | None:
        """A cookie, or None where name and password do not fit. Takes as long for an unknown name as for a known."""
        known = self._hashes.get(name)
        async with self._slots:
            fits = await asyncio.to_thread(_fits, known or _NOBODY, password)
        return self._cookie(name) if known and fits else None

    def _cookie(self, name: str) -> str:
        payload = f"{int(self._clock() + self._seconds)}:{name}".encode()
        return f"{_text(payload)}.{_text(self._sign(payload))}"

    def name_of(self, cookie: str) -> str | None:
        """Whose cookie it is, or None where it is forged, worn out or of a name that is gone."""
        payload, _, signature = cookie.partition(".")
        try:
            plain = _bytes(payload)
            good = hmac.compare_digest(_bytes(signature), self._sign(plain))
        except (binascii.Error, ValueError):
            return None
        if not good:
            return None
        until, _, name = plain.decode().partition(":")
        return name if int(until) > self._clock() and name in self._hashes else None

    def _sign(self, payload: bytes) -> bytes:
        return hmac.digest(self._key, payload, "sha256")


def parse_password_file(content: str) -> dict[str, str]:
    """Hashes by name. Raises `PasswordFileError` for a line that is none."""
    hashes: dict[str, str] = {}
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, hashed = line.strip().partition(":")
        if not colon or not hashed.startswith("$argon2"):
            raise PasswordFileError(f"password file, line {number}: it must be `name:$argon2…`")
        hashes[name] = hashed
    if not hashes:
        raise PasswordFileError("the password file names nobody")
    return hashes


def _fits(hashed: str, password: str) -> bool:
    try:
        return _HASHER.verify(hashed, password)
    except (VerificationError, InvalidHashError):
        return False


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def main() -> None:
    """Writes a name with its password to a file."""
    if len(sys.argv) != 3 or ":" in sys.argv[2]:
        sys.exit("usage: python -m dashboard.passwords FILE NAME")
    file, name = Path(sys.argv[1]), sys.argv[2]
    password = getpass.getpass(f"Password of {name}: ")
    lines = file.read_text().splitlines() if file.exists() else []
    kept = [line for line in lines if not line.startswith(f"{name}:")]
    file.touch(mode=0o600)
    file.write_text("\n".join([*kept, f"{name}:{_HASHER.hash(password)}"]) + "\n")


if __name__ == "__main__":
    main()
