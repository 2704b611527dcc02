"""The instruments of a running stack: metrics that a real Prometheus scrapes, traces from the source to the document,
and the operator's commands."""

from __future__ import annotations

import http.server
import json
import shutil
import subprocess
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from heliograph.contracts import Reading
from stack.layout import WELL_KNOWN_PORTS, Plan
from stack.ports import free_ports
from tests.conftest import free_port, running
from tests.flow.conftest import Stack, eventually

ROOT = Path(__file__).parents[2]
OBSERVABILITY = ROOT / "deploy" / "observability"
SERVICES = ("ingest", "analyzer", "sink", "thumbnailer", "dashboard")
PLANTS = 60
MUST_BE_SEEN = {
    "readings in and out": {"heliograph_ingest_readings_total", "heliograph_ingest_sent_messages_total",
                            "heliograph_analyzer_readings_total", "heliograph_analyzer_documents_total",
                            "heliograph_sink_insights_total", "heliograph_dashboard_insights_total"},
    "event to window": {"heliograph_analyzer_window_delay_seconds_bucket"},
    "window to document": {"heliograph_sink_document_delay_seconds_bucket"},
    "watermark delay": {"heliograph_analyzer_watermark_delay_seconds"},
    "lag by partition": {"heliograph_hub_lag_events"},
    "checkpoint age": {"heliograph_hub_checkpoint_timestamp_seconds"},
    "late": {"heliograph_analyzer_late_readings_total"},
    "duplicate": {"heliograph_analyzer_duplicate_readings_total"},
    "dead-lettered": {"heliograph_dead_letters_total"},
    "breaker state": {"heliograph_breaker_open"},
    "throttling": {"heliograph_sink_throttled_total"},
    "request units": {"heliograph_sink_request_units_total"},
    "queue depths": {"heliograph_photo_queue_messages", "heliograph_ingest_outbox_bytes"},
    "dynamic concurrency": {"heliograph_concurrency_limit"},
    "last success": {"heliograph_ingest_last_success_timestamp_seconds"},
}  # fmt: skip


class Collector(http.server.ThreadingHTTPServer):
    """Takes traces by OTLP over HTTP."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taking)
        self.spans: list[tuple[str, str, str]] = []
        """Trace id, service, name."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def take(self, request: ExportTraceServiceRequest) -> None:
        for resource in request.resource_spans:
            names = {one.key: one.value.string_value for one in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [(span.trace_id.hex(), names["service.name"], span.name) for span in scope.spans]

    def trace_of(self, name: str) -> set[tuple[str, str]]:
        """The spans of the trace that a span of that name is in and that has gone furthest."""
        ids = {trace_id for trace_id, _, span in self.spans if span == name}
        traces = [{(service, span) for one, service, span in self.spans if one == trace_id} for trace_id in ids]
        return max(traces, key=lambda spans: len({service for service, _ in spans}), default=set())


class _Taking(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Collector)
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            import gzip  # noqa: PLC0415

            body = gzip.decompress(body)
        self.server.take(ExportTraceServiceRequest.FromString(body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[Stack]:
    """A stack with a small fleet by day, that traces everything."""
    folder = tmp_path_factory.mktemp("watched")
    start = datetime.now(UTC).replace(hour=1, minute=0, second=0, microsecond=0) - timedelta(days=1)
    plan = Plan(
        data=str(folder),
        ports=free_ports(WELL_KNOWN_PORTS),
        plants=PLANTS,
        start=start.isoformat(),
        extra={
            "HELIOGRAPH_OTLP_ENDPOINT": collector.url,
            "HELIOGRAPH_TRACE_RATIO": "1",
            "HELIOGRAPH_FLEET_INTERVAL_S": "1",
            "OTEL_BSP_SCHEDULE_DELAY": "500",
        },
    )
    stack = Stack(folder)
    with running("stack.cli", "supervise", msgspec.json.encode(plan).decode(), log=folder / "stack.log"):
        eventually(lambda: (folder / "stack.json").exists() and stack.state.phase == "ready", bool, 120)
        eventually(lambda: stack.plant_windows(""), bool, 60)
        stack.heliograph("lag")
        yield stack


def scraped(stack: Stack, service: str) -> set[str]:
    """The names of the samples that a service shows."""
    with urllib.request.urlopen(f"{stack.url(service)}/metrics") as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    return {sample.name for family in families for sample in family.samples}


@pytest.mark.timeout(300)
def test_every_instrument_shows(watched: Stack) -> None:
    """What an operator wants to see is among the samples of a running stack, not only in the code."""
    stale = good_reading(watched, late=True)
    watched.send([stale, stale])
    watched.send([good_reading(watched)] * 2)

    def missing() -> dict[str, set[str]]:
        seen = set().union(*(scraped(watched, service) for service in SERVICES))
        return {what: names - seen for what, names in MUST_BE_SEEN.items() if names - seen}

    assert eventually(missing, lambda found: not found, 90, 2) == {}


def good_reading(stack: Stack, *, late: bool = False) -> Reading:
    """One of the fleet's plants, now on the fleet's clock or an hour before."""
    newest = max(stack.plant_windows(""), key=lambda one: one.window_start)
    at = newest.window_start - timedelta(hours=1) if late else newest.window_start
    return Reading(
        v=1, plant_id=newest.plant_id, source="fleet", observed_at=at, region=newest.region, capacity_kw=100.0
    )


@contextmanager
def prometheus(stack: Stack, folder: Path) -> Iterator[str]:
    """A real one, with the deployment's own configuration and rules; only the addresses are this stack's."""
    config = yaml.safe_load((OBSERVABILITY / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(OBSERVABILITY / "alerts.yml")]
    for target in config["scrape_configs"][0]["static_configs"]:
        target["targets"] = [f"127.0.0.1:{stack.ports[target['labels']['service']]}"]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    command = [
        "prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]  # fmt: skip
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(20)


def asked(url: str, path: str, **parameters: str) -> Any:
    try:
        with urllib.request.urlopen(f"{url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}") as answer:
            return json.loads(answer.read())["data"]
    except OSError:
        return None


@pytest.mark.skipif(not shutil.which("prometheus"), reason="prometheus is not installed (Debian: prometheus)")
@pytest.mark.timeout(180)
def test_a_real_prometheus_scrapes_the_real_stack(watched: Stack, tmp_path: Path) -> None:
    """Prometheus reaches all five services, evaluates every alert without error, and none that is critical fires."""
    with prometheus(watched, tmp_path) as url:
        up = eventually(
            lambda: asked(url, "query", query='up{job="heliograph"} == 1'),
            lambda found: bool(found) and len(found["result"]) == len(SERVICES),
            60,
        )
        assert {one["metric"]["service"] for one in up["result"]} == set(SERVICES)
        groups = eventually(
            lambda: asked(url, "rules")["groups"],
            lambda found: all(rule["health"] == "ok" for group in found for rule in group["rules"]),
            30,
        )
        rules = [rule for group in groups for rule in group["rules"]]
        assert {rule["health"] for rule in rules} == {"ok"}
        firing = {rule["name"] for rule in rules if rule["state"] == "firing"}
        assert not firing - {"DeadLetters"}
        board = json.loads((OBSERVABILITY / "grafana" / "dashboards" / "heliograph.json").read_text())
        expressions = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
        answers = {one: asked(url, "query", query=one.replace("$__rate_interval", "1m")) for one in expressions}
        assert [one for one, answer in answers.items() if answer is None] == []


@pytest.mark.timeout(120)
def test_a_trace_leads_from_the_source_to_the_document(watched: Stack, collector: Collector) -> None:
    """One trace holds the source's run in ingest, the analyzer's work on its readings and the sink's on what came of
    it, and the services' log lines name it."""
    ways = {("ingest", "run fleet"), ("ingest", "send readings"), ("analyzer", "process readings"),
            ("analyzer", "send insights"), ("sink", "process insights")}  # fmt: skip
    found = eventually(lambda: collector.trace_of("run fleet"), lambda spans: ways <= spans, 60)
    assert ways <= found
    traces = {trace_id for trace_id, _, name in collector.spans if name == "process insights"}
    lines = [json.loads(line) for line in (watched.data / "logs" / "sink.log").read_text().splitlines()]
    assert traces & {line.get("trace_id") for line in lines if line.get("event") == "committed"}


@pytest.mark.timeout(180)
def test_the_operators_commands(watched: Stack) -> None:
    """`lag` counts every partition of both readers, `verify` finds no difference, and a dead letter is listed, shown
    and sent again."""
    assert watched.heliograph("lag").count("analyzer") == 8
    watched.send([good_reading(watched, late=True)])
    listed = eventually(lambda: watched.heliograph("dead-letters", "list"), lambda text: " late" in text, 60, 2)
    name = next(line.split()[0] for line in listed.splitlines() if "late" in line)
    shown = watched.heliograph("dead-letters", "show", name)
    assert "lies in a window that has settled" in shown
    assert '"plant_id"' in shown
    assert "sent to the hub again" in watched.heliograph("dead-letters", "replay", name)
    windows = eventually(
        lambda: sorted({one.window_start for one in watched.plant_windows("")}), lambda found: len(found) >= 5, 90, 2
    )
    span = (f"--from={windows[0].isoformat()}", f"--to={windows[-3].isoformat()}")
    assert "no difference" in watched.heliograph("verify", *span)
