"""Writes `docs/settings.md` and `docs/metrics.md` from the code, so that the tables can't drift.

`python -m stack.reference docs` writes them; with `--check` it only says whether they are as they should be.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from prometheus_client.metrics import MetricWrapperBase
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

import heliograph
from heliograph.settings import CosmosSettings, ServiceSettings
from stack.layout import SERVICES

NOTE = "This page is written by `make docs` from the code; `make check` fails when the two differ."


def settings_page() -> str:
    """Every setting of every service, with its default and its meaning."""
    parts = [
        "# Settings",
        f"Environment variables, the same locally, in compose and on Azure. A missing or wrong one stops the service "
        f"at start and is named. {NOTE}",
        "## All services",
        _settings_table(ServiceSettings, known=set()),
        "## Services that speak to Cosmos DB",
        _settings_table(CosmosSettings, known=set(ServiceSettings.model_fields)),
    ]
    known = set(ServiceSettings.model_fields) | set(CosmosSettings.model_fields)
    for service in SERVICES:
        parts += [f"## {service}", _settings_table(_settings_of(service), known)]
    return "\n\n".join(parts) + "\n"


def metrics_page() -> str:
    """Every metric of every service."""
    parts = ["# Metrics", f"Served at `/metrics` of each service in Prometheus' format. {NOTE}"]
    for title, modules in (("All services", _library()), *((service, [_metrics_of(service)]) for service in SERVICES)):
        metrics = sorted({metric for module in modules for metric in _metrics(module)})
        if metrics:
            rows = [f"| `{name}` | {kind} | {labels} | {meaning} |" for name, kind, labels, meaning in metrics]
            parts += [f"## {title}", "\n".join(["| metric | kind | labels | meaning |", "|---|---|---|---|", *rows])]
    return "\n\n".join(parts) + "\n"


def _settings_of(service: str) -> type[ServiceSettings]:
    module = importlib.import_module(f"{service}.settings")
    own = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, ServiceSettings) and value.__module__ == module.__name__
    ]
    return max(own, key=lambda found: len(found.mro()))


def _settings_table(settings: type[ServiceSettings], known: set[str]) -> str:
    prefix = settings.model_config.get("env_prefix", "")
    rows = [
        f"| `{prefix}{name}".upper() + f"` | {_default(field)} | {_cell(field.description or '')} |"
        for name, field in settings.model_fields.items()
        if name not in known
    ]
    return "\n".join(["| variable | default | meaning |", "|---|---|---|", *rows])


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is PydanticUndefined:
        return "required"
    if value is None or value == "":
        return "–"
    return "(secret)" if isinstance(value, SecretStr) else f"`{_cell(str(value))}`"


def _library() -> list[ModuleType]:
    names = (module.name for module in pkgutil.walk_packages(heliograph.__path__, "heliograph."))
    return [importlib.import_module(name) for name in names]


def _metrics_of(service: str) -> ModuleType:
    return importlib.import_module(f"{service}.metrics")


def _metrics(module: ModuleType) -> Iterator[tuple[str, str, str, str]]:
    for value in vars(module).values():
        if isinstance(value, MetricWrapperBase):
            (family,) = list(value.describe())[:1]
            name = f"{family.name}_total" if family.type == "counter" else family.name
            labels = ", ".join(value._labelnames)
            yield name, family.type, labels or "–", _cell(family.documentation)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


PAGES = {"settings.md": settings_page, "metrics.md": metrics_page}


def main() -> None:
    """Writes the pages, or checks them."""
    parser = argparse.ArgumentParser(prog="stack.reference", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a page is out of date")
    given = parser.parse_args()
    stale = []
    for name, page in PAGES.items():
        path, text = given.folder / name, page()
        if given.check and (not path.exists() or path.read_text() != text):
            stale.append(name)
        if not given.check:
            path.write_text(text)
    if stale:
        sys.exit(f"out of date: {', '.join(stale)} in {given.folder}; run `make docs`")


if __name__ == "__main__":
    main()
