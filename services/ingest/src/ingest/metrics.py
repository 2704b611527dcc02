"""What ingest counts."""

from prometheus_client import Counter, Gauge, Histogram

READINGS = Counter(
    "heliograph_ingest_readings_total",
    "Observations by source and fate: accepted, flagged, duplicate, refused",
    ["source", "fate"],
)
SENT_READINGS = Counter("heliograph_ingest_sent_messages_total", "Messages acknowledged by the hub", ["hub"])
SENT_EVENTS = Counter("heliograph_ingest_sent_events_total", "Events acknowledged by the hub", ["hub"])
SENT_BYTES = Counter("heliograph_ingest_sent_bytes_total", "Body bytes acknowledged by the hub", ["hub"])
SEND_FAILURES = Counter("heliograph_ingest_send_failures_total", "Sends that failed after all retries", ["hub"])
OUTBOX_BYTES = Gauge("heliograph_ingest_outbox_bytes", "Bytes on disk that wait for the hub")
OUTBOX_FILL = Gauge("heliograph_ingest_outbox_fill_ratio", "Share of the outbox that is taken, 0 to 1")
FLUSH_READINGS = Histogram(
    "heliograph_ingest_flush_messages",
    "Messages packed together",
    buckets=(1, 10, 100, 1_000, 5_000, 10_000, 50_000),
)
RUNS = Counter(
    "heliograph_ingest_runs_total",
    "Runs of a source by result: ok, error, past-due, quota, paced, stopped",
    ["source", "result"],
)
RUN_SECONDS = Histogram(
    "heliograph_ingest_run_seconds", "Length of a run", ["source"], buckets=(0.01, 0.1, 0.5, 1, 5, 15, 60, 300)
)
LAST_SUCCESS = Gauge(
    "heliograph_ingest_last_success_timestamp_seconds", "When a run of the source last went well", ["source"]
)
SCHEDULE_INTERVAL = Gauge(
    "heliograph_ingest_schedule_interval_seconds", "The longest wait between two runs of a source", ["source"]
)
OWNED = Gauge("heliograph_ingest_schedule_owned", "1 while this replica holds the schedule's lease", ["source"])
ALARM = Gauge(
    "heliograph_ingest_alarm",
    "1 while a source keeps failing, the outbox or its disk fills up, or hub, dead letters or site registry fail",
    ["subject"],
)
QUOTA_LEFT = Gauge(
    "heliograph_ingest_quota_left", "Calls left in the tightest quota of a source that has any", ["source"]
)
PUSHES = Counter("heliograph_ingest_pushes_total", "Push requests by HTTP status", ["status"])
EVENT_LAG = Gauge("heliograph_ingest_event_lag_seconds", "Clock minus event time of the last reading", ["source"])
