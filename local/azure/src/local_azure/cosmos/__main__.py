"""`python -m local_azure.cosmos --data DIR`: serve until SIGTERM or SIGINT."""

import argparse
import asyncio
import logging
import os
import signal
import sqlite3
import sys
from pathlib import Path

from local_azure.cosmos.account import Settings
from local_azure.cosmos.auth import EMULATOR_KEY
from local_azure.cosmos.server import CosmosServer
from local_azure.directory import DataDirectoryInUseError


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m local_azure.cosmos", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("cosmos-data"), help="folder that keeps the data")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: loopback only)")
    parser.add_argument("--port", type=int, default=8081, help="port (default 8081, as Microsoft's emulator; 0 = any)")
    parser.add_argument("--key", default=os.environ.get("COSMOS_KEY", EMULATOR_KEY), help="account key, in base64")
    parser.add_argument("--serverless", action="store_true", help="behave as a serverless account: no offers")
    parser.add_argument(
        "--limits",
        choices=("explicit", "all", "off"),
        default="explicit",
        help="hold containers to the throughput asked for (explicit), also to the default of 400 RU/s (all), or not",
    )
    parser.add_argument(
        "--trust-bearer-tokens", action="store_true", help="take any JSON web token, unverified, for work on data"
    )
    parser.add_argument("--admin-port", type=int, metavar="PORT", help="serve /faults here; off unless given")
    parser.add_argument("--certificate", type=Path, help="TLS certificate (PEM); one is made at first start otherwise")
    parser.add_argument("--certificate-key", type=Path, help="key of --certificate (PEM)")
    parser.add_argument("--cache-mb", type=int, default=48, help="memory for pages of the store, per connection")
    parser.add_argument("--sync", action="store_true", help="fsync each write: survives power loss, not only kill -9")
    return parser.parse_args(arguments)


async def serve(options: argparse.Namespace) -> None:
    """Serve until told to stop."""
    settings = Settings(
        cache_mb=options.cache_mb,
        sync_each_commit=options.sync,
        serverless=options.serverless,
        limits=options.limits,
        trust_bearer_tokens=options.trust_bearer_tokens,
    )
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = CosmosServer(
        options.data,
        options.host,
        options.port,
        key=options.key,
        settings=settings,
        certificate=options.certificate,
        certificate_key=options.certificate_key,
        admin_port=options.admin_port,
    )
    async with server:
        logging.getLogger("local_azure.cosmos").info("listening endpoint=%s data=%s", server.endpoint, options.data)
        stopping = asyncio.create_task(stop.wait())
        failing = asyncio.create_task(server.wait())
        await asyncio.wait([stopping, failing], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if failing.done():
            failing.result()
        failing.cancel()


def main() -> int:
    """Entry point; the exit status."""
    options = parse_arguments(sys.argv[1:])
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        asyncio.run(serve(options))
    except sqlite3.Error as error:
        sys.stderr.write(f"the store in {options.data} cannot be used: {error}\n")
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"{where}{error.strerror or error}\n")
        return 1
    except DataDirectoryInUseError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
