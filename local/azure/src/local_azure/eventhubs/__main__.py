"""`python -m local_azure.eventhubs`: the broker as a process."""

import argparse
import asyncio
import logging
import signal
import ssl
import sys
from collections.abc import Sequence
from pathlib import Path

from local_azure.directory import DataDirectoryInUseError
from local_azure.eventhubs.config import (
    EMULATOR_KEY,
    EMULATOR_KEY_NAME,
    BrokerConfig,
    ConfigError,
    FsyncPolicy,
    OnDemand,
    load_hubs,
)
from local_azure.eventhubs.server import Broker

_log = logging.getLogger("local_azure.eventhubs")

_PORT, _HEALTH_PORT = 5672, 5300
"""Where Microsoft's emulator listens."""


def _parser() -> argparse.ArgumentParser:
    defaults = BrokerConfig()
    parser = argparse.ArgumentParser(prog="local-event-hubs", description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="DIR", help="where events are kept")
    add("--config", type=Path, metavar="FILE", help="hubs, in the format of the emulator's Config.json")
    add("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    add("--port", type=int, default=_PORT, help="AMQP and AMQP over WebSockets, 0 chooses one (%(default)s)")
    add(
        "--health-port",
        type=int,
        metavar="PORT",
        help=f"serve /health here ({_HEALTH_PORT} beside the default port, else off)",
    )
    add("--admin-port", type=int, metavar="PORT", help="serve /faults here; off unless given")
    add("--tls-certificate", type=Path, metavar="FILE", help="PEM chain; adds a TLS listener")
    add("--tls-key", type=Path, metavar="FILE", help="PEM key, if it is not in the certificate's file")
    add("--tls-port", type=int, default=5671, metavar="PORT", help="AMQPS and secure WebSockets (%(default)s)")
    add("--create", metavar="PATTERN", help="make hubs on demand whose name matches, such as '*'")
    add("--create-partitions", type=int, default=4, metavar="N", help="partitions of such hubs (%(default)s)")
    add(
        "--sas-key",
        action="append",
        metavar="NAME=KEY",
        help="access key, may be given again; replaces the well-known one",
    )
    add("--trust-bearer-tokens", action="store_true", help="take any JSON web token as valid, unverified")
    add(
        "--fsync",
        type=FsyncPolicy,
        choices=list(FsyncPolicy),
        default=defaults.fsync,
        help="when to force events to disk (%(default)s)",
    )
    add(
        "--fsync-interval",
        type=float,
        default=defaults.fsync_interval_s,
        metavar="S",
        help="pace of --fsync interval, seconds (%(default)s)",
    )
    add(
        "--retention-hours", type=float, default=24.0, metavar="H", help="keep events so long; 0 for ever (%(default)s)"
    )
    add("--retention-mb", type=float, metavar="MB", help="keep no more than this per partition")
    add(
        "--segment-mb",
        type=float,
        default=64.0,
        metavar="MB",
        help="size of a log file, the unit of retention (%(default)s)",
    )
    add(
        "--max-message-kb",
        type=int,
        default=1024,
        metavar="KB",
        help="largest publication; 256 on the Basic tier (%(default)s)",
    )
    add(
        "--idle-timeout",
        type=float,
        default=240.0,
        metavar="S",
        help="close connections silent for so long, seconds (%(default)s)",
    )
    add("--verbose", action="store_true", help="log more")
    return parser


def _config(options: argparse.Namespace) -> BrokerConfig:
    megabyte = 1024 * 1024
    return BrokerConfig(
        hubs=load_hubs(options.config) if options.config else (),
        on_demand=OnDemand(options.create, options.create_partitions) if options.create else None,
        keys=_keys(options.sas_key),
        trust_bearer_tokens=options.trust_bearer_tokens,
        fsync=options.fsync,
        fsync_interval_s=options.fsync_interval,
        segment_bytes=int(options.segment_mb * megabyte),
        retention_s=options.retention_hours * 3600 or None,
        retention_bytes=int(options.retention_mb * megabyte) if options.retention_mb else None,
        max_message_bytes=options.max_message_kb * 1024,
        idle_timeout_ms=int(options.idle_timeout * 1000),
    )


def _keys(given: Sequence[str] | None) -> dict[str, str]:
    keys = {}
    for item in given or [f"{EMULATOR_KEY_NAME}={EMULATOR_KEY}"]:
        name, separator, key = item.partition("=")
        if not (name and separator and key):
            raise ConfigError(f"--sas-key {item!r} is not NAME=KEY")
        keys[name] = key
    return keys


def _tls(options: argparse.Namespace) -> ssl.SSLContext | None:
    if options.tls_certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.tls_certificate, options.tls_key)
    return context


async def _serve(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    broker = Broker(
        data_dir=options.data,
        config=_config(options),
        host=options.host,
        port=options.port,
        tls=_tls(options),
        tls_port=options.tls_port,
        health_port=_HEALTH_PORT if options.health_port is None and options.port == _PORT else options.health_port,
        admin_port=options.admin_port,
    )
    async with broker:
        if options.tls_certificate is not None:
            _log.info("TLS on port %d", broker.tls_port)
        _log.info("listening; connection string: %s", broker.connection_string)
        await broker.run(stop)
        _log.info("stopping")


def main() -> int:
    """Run until SIGTERM or SIGINT; return the exit code."""
    options = _parser().parse_args()
    logging.basicConfig(
        level=logging.DEBUG if options.verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stdout,
    )
    try:
        asyncio.run(_serve(options))
    except (ConfigError, DataDirectoryInUseError, OSError) as problem:
        _log.error("%s", problem)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
