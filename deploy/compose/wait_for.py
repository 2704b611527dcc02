"""Waits until every address answers: `python wait_for.py http://host:port/path tcp://host:port …`.

Code 1 after five minutes.
"""

from __future__ import annotations

import socket
import sys
import time
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

PATIENCE_S, PAUSE_S, ANSWER_S = 300.0, 2.0, 5.0


def answers(address: str) -> bool:
    """Whether it answers now; one of tcp when it can be connected to."""
    parts = urlsplit(address)
    try:
        if parts.scheme == "tcp":
            socket.create_connection((parts.hostname or "", parts.port or 0), ANSWER_S).close()
            return True
        with urlopen(address, timeout=ANSWER_S) as answer:  # noqa: S310 - an address of the compose file
            return bool(answer.status == 200)
    except (OSError, URLError):
        return False


def main(addresses: list[str]) -> int:
    """Waits for one after the other."""
    deadline = time.monotonic() + PATIENCE_S
    for address in addresses:
        while not answers(address):
            if time.monotonic() > deadline:
                sys.stderr.write(f"{address} does not answer\n")
                return 1
            time.sleep(PAUSE_S)
        sys.stdout.write(f"{address} answers\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
