"""`python -m local_azure.azurite --data DIR`: Azurite on the well-known ports, in place of this process."""

import argparse
import os
from pathlib import Path

from local_azure.azurite.server import command, install


def main() -> None:
    """Reads the command line, installs Azurite if needed and becomes it."""
    parser = argparse.ArgumentParser(prog="local_azure.azurite", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that keeps the blobs and queues")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    parser.add_argument("--blob-port", type=int, default=10000, help="(default %(default)s)")
    parser.add_argument("--queue-port", type=int, default=10001, help="(default %(default)s)")
    parser.add_argument("--table-port", type=int, default=10002, help="(default %(default)s)")
    parser.add_argument("--cache", type=Path, default=None, help="where Azurite is installed")
    given = parser.parse_args()
    given.data.mkdir(parents=True, exist_ok=True)
    line = command(
        install(given.cache),
        given.data,
        host=given.host,
        blob_port=given.blob_port,
        queue_port=given.queue_port,
        table_port=given.table_port,
    )
    os.execv(line[0], line)  # noqa: S606 - our own command


if __name__ == "__main__":
    main()
