"""Logs of a service: structlog to stdout, readable on a terminal, JSON otherwise."""

from __future__ import annotations

import logging
import sys

import structlog

from heliograph.tracing import with_trace_id

log: structlog.stdlib.BoundLogger = structlog.get_logger()

_QUIET = ("azure", "uvicorn.access", "aiohttp.access", "httpx")
"""What says nothing new at this level; httpx also writes whole addresses, and with them the keys in their queries."""


def configure_logging(service: str, level: str) -> None:
    """Sends the logs of this process, those of its libraries too, to stdout with the service's name."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        with_trace_id,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    terminal = sys.stdout.isatty()
    renderer = structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
