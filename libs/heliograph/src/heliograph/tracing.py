"""Traces from a source's call to the document in Cosmos DB: the context travels in the events' properties (W3C).

Without an exporter in the settings nothing is recorded, and a span costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import structlog
from azure.eventhub import EventData
from opentelemetry import trace
from opentelemetry.trace import Link, SpanContext, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from heliograph.credentials import blocking_identity
from heliograph.settings import ServiceSettings

MAX_LINKS = 32
"""A batch may hold events of hundreds of traces; so many are linked."""

tracer = trace.get_tracer("heliograph")
_propagator = TraceContextTextMapPropagator()


def configure_tracing(service: str, settings: ServiceSettings) -> None:
    """Exports the spans of this process by OTLP, to Azure Monitor, to both, or, as the settings have it, not at all."""
    if not settings.otlp_endpoint and not settings.azure_monitor_connection_string:
        return
    # Imported here since the exporters cost a service without them a third of a second of its start.
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio  # noqa: PLC0415

    exporters: list[SpanExporter] = []
    if settings.otlp_endpoint:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

        exporters.append(OTLPSpanExporter(endpoint=f"{settings.otlp_endpoint.rstrip('/')}/v1/traces"))
    if settings.azure_monitor_connection_string:
        from azure.monitor.opentelemetry.exporter import AzureMonitorTraceExporter  # noqa: PLC0415

        connection = settings.azure_monitor_connection_string.get_secret_value()
        # With a managed identity the resource takes no key: its connection string is only an address.
        credential = None if settings.eventhub_connection_string else blocking_identity()
        exporters.append(AzureMonitorTraceExporter(connection_string=connection, credential=credential))
    resource = Resource.create({"service.namespace": "heliograph", "service.name": service})
    provider = TracerProvider(resource=resource, sampler=ParentBasedTraceIdRatio(settings.trace_ratio))
    for exporter in exporters:
        provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)


@contextmanager
def sourcing(what: str) -> Iterator[None]:
    """A span around a source's call, with which a trace begins."""
    with tracer.start_as_current_span(what, kind=SpanKind.SERVER):
        yield


def carrier() -> dict[str, str]:
    """What carries the current trace on, as properties of an event; empty where there is none."""
    found: dict[str, str] = {}
    _propagator.inject(found)
    return found


@contextmanager
def sending(hub: str, events: Sequence[EventData]) -> Iterator[None]:
    """A span around a send; each event carries its context on. An event that has one already keeps it, and the span
    belongs to the first of these traces if it belongs to no other."""
    context = None
    if not trace.get_current_span().get_span_context().is_valid and (known := next(_contexts(events), None)):
        context = trace.set_span_in_context(trace.NonRecordingSpan(known))
    with tracer.start_as_current_span(f"send {hub}", context=context, kind=SpanKind.PRODUCER):
        if ours := carrier():
            for event in events:
                event.properties = ours | {_text(key): value for key, value in (event.properties or {}).items()}  # type: ignore[assignment]
        yield


@contextmanager
def processing(hub: str, partition: str, events: Sequence[EventData]) -> Iterator[None]:
    """A span around the work on a batch: a child of its first event's trace, linked to those of the others."""
    contexts = list(_contexts(events))
    parent = trace.set_span_in_context(trace.NonRecordingSpan(contexts[0])) if contexts else None
    attributes = {"messaging.destination.name": hub, "messaging.destination.partition.id": partition}
    with tracer.start_as_current_span(
        f"process {hub}",
        context=parent,
        kind=SpanKind.CONSUMER,
        links=[Link(context) for context in contexts[1:MAX_LINKS]],
        attributes={**attributes, "messaging.batch.message_count": len(events)},
    ):
        yield


def _contexts(events: Sequence[EventData]) -> Iterator[SpanContext]:
    seen: set[int] = set()
    for event in events:
        if not event.properties:
            continue
        carried = {_text(key): _text(value) for key, value in event.properties.items()}
        context = trace.get_current_span(_propagator.extract(carried)).get_span_context()
        if context.is_valid and context.span_id not in seen:
            seen.add(context.span_id)
            yield context


def with_trace_id(_logger: object, _method: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """A processor of structlog: lines logged within a span carry its trace."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        line["trace_id"] = f"{context.trace_id:032x}"
    return line


def _text(value: object) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
