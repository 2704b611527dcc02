"""What the sink counts."""

from prometheus_client import Counter, Gauge, Histogram

WRITTEN = Counter("heliograph_sink_insights_total", "Insights made durable in Cosmos DB", ["kind"])
DOCUMENTS = Counter("heliograph_sink_documents_total", "Documents written to Cosmos DB", ["container"])
REQUEST_UNITS = Counter("heliograph_sink_request_units_total", "Request units used", ["container", "operation"])
THROTTLED = Counter("heliograph_sink_throttled_total", "Requests that Cosmos DB answered with 429")
RU_RATE = Gauge("heliograph_sink_request_units_per_second", "Request units allowed now, at most the budget")
COMMIT_S = Histogram("heliograph_sink_commit_seconds", "Time to make a batch of events durable")
DOCUMENT_DELAY = Histogram(
    "heliograph_sink_document_delay_seconds",
    "From the hub's taking an insight to its being durable in Cosmos DB",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900),
)
ROLLED_UP = Counter("heliograph_sink_rollups_total", "Spans rolled up", ["of"])
ROLLUPS_WAITING = Gauge("heliograph_sink_rollups_waiting", "Spans with windows that no roll-up covers yet")
