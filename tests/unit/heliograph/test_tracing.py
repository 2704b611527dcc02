from collections.abc import Iterator

import pytest
from azure.eventhub import EventData
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from heliograph import tracing
from heliograph.tracing import MAX_LINKS, processing, sending, with_trace_id


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """Spans recorded in memory, by a provider of the test's own."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "tracer", provider.get_tracer("test"))
    yield exporter
    provider.shutdown()


def test_the_trace_goes_on_through_the_hub(spans: InMemorySpanExporter) -> None:
    """What is sent while processing an event belongs to the trace in which that event was sent."""
    first, second = EventData(b"[]"), EventData(b"[]")
    with sending("readings", [first]):
        pass
    with processing("readings", "3", [first]), sending("insights", [second]):
        pass
    sent, sent_on, processed = spans.get_finished_spans()
    assert {one.context.trace_id for one in (sent, sent_on, processed)} == {sent.context.trace_id}
    assert processed.parent is not None
    assert processed.parent.span_id == sent.context.span_id
    assert second.properties["traceparent"].split("-")[1] == f"{sent.context.trace_id:032x}"


def test_a_batch_links_to_its_other_traces(spans: InMemorySpanExporter) -> None:
    """A batch of events of many traces is linked to them, up to a bound."""
    events = [EventData(b"[]") for _ in range(MAX_LINKS + 10)]
    for event in events:
        with sending("readings", [event]):
            pass
    with processing("readings", "3", events):
        pass
    assert len(spans.get_finished_spans()[-1].links) == MAX_LINKS - 1


def test_an_event_without_a_trace_starts_one(spans: InMemorySpanExporter) -> None:
    """Events of foreign producers, with no context or a broken one, are no obstacle."""
    broken = EventData(b"[]")
    broken.properties = {b"traceparent": b"nonsense"}
    with processing("readings", "3", [EventData(b"[]"), broken]):
        pass
    (span,) = spans.get_finished_spans()
    assert span.parent is None


def test_log_lines_carry_the_trace(spans: InMemorySpanExporter) -> None:
    """A line logged within a span names its trace; one outside does not."""
    with sending("readings", []):
        line = with_trace_id(None, "info", {"event": "x"})
        assert line["trace_id"] == f"{trace.get_current_span().get_span_context().trace_id:032x}"
    assert "trace_id" not in with_trace_id(None, "info", {"event": "x"})
    assert spans.get_finished_spans()


def test_nothing_is_recorded_without_an_exporter() -> None:
    """Without a setting for it events travel as they are."""
    event = EventData(b"[]")
    with sending("readings", [event]):
        pass
    assert not event.properties
