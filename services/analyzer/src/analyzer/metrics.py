"""What the analyzer counts and measures."""

from prometheus_client import Counter, Gauge, Histogram

READINGS = Counter("heliograph_analyzer_readings_total", "Readings taken into windows", ["partition"])
DOCUMENTS = Counter("heliograph_analyzer_documents_total", "Messages published to the insights", ["kind"])
LATE = Counter("heliograph_analyzer_late_readings_total", "Readings whose window had settled", ["partition"])
SEQUENCE = Gauge("heliograph_analyzer_sequence", "Sequence number of the last event analysed", ["partition"])
WATERMARK = Gauge(
    "heliograph_analyzer_watermark_seconds", "Event time up to which windows are published", ["partition"]
)
WATERMARK_DELAY = Gauge(
    "heliograph_analyzer_watermark_delay_seconds",
    "Clock minus the event time up to which windows are published",
    ["partition"],
)
DUPLICATES = Counter(
    "heliograph_analyzer_duplicate_readings_total", "Readings that had come before, and were dropped", ["partition"]
)
WINDOW_DELAY = Histogram(
    "heliograph_analyzer_window_delay_seconds",
    "From the end of a window, in event time, to its first publication",
    buckets=(1, 2, 3, 5, 8, 12, 20, 30, 60, 120, 300, 900, 3600),
)
PLANTS = Gauge("heliograph_analyzer_plants", "Plants that a partition knows", ["partition"])
HELD = Gauge("heliograph_analyzer_held_readings", "Readings held for windows that may still change", ["partition"])
BATCH_SECONDS = Histogram("heliograph_analyzer_batch_seconds", "Time to analyse a batch and publish its results")
SNAPSHOT_BYTES = Gauge("heliograph_analyzer_snapshot_bytes", "Size of the last snapshot", ["partition"])
FENCED = Counter(
    "heliograph_analyzer_fenced_total", "Snapshots that another owner had replaced meanwhile", ["partition"]
)


def forget(partition: str) -> None:
    """Another replica tells of the partition from here on: what was last measured here would stay for ever."""
    for gauge in (SEQUENCE, WATERMARK, WATERMARK_DELAY, PLANTS, HELD, SNAPSHOT_BYTES):
        gauge.remove(partition)
