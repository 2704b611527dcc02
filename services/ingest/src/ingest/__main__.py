"""`python -m ingest`."""

from __future__ import annotations

from heliograph.runtime import run
from ingest.service import serve
from ingest.settings import IngestSettings
from ingest.web import build_app


def main() -> None:
    """Runs the service until it is asked to stop."""
    run("ingest", IngestSettings, serve, app=build_app())


if __name__ == "__main__":
    main()
