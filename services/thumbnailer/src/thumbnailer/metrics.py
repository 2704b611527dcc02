"""What the thumbnailer counts."""

from prometheus_client import Counter, Gauge, Histogram

PHOTOS = Counter("heliograph_photos_total", "Photos looked at because of an event, by what came of it", ["outcome"])
REFUSED = Counter("heliograph_photos_refused_total", "Photos that no thumbnail can be made of", ["reason"])
THUMBNAILS = Counter("heliograph_thumbnails_total", "Thumbnails written", ["preset"])
POISONED = Counter("heliograph_photo_poison_total", "Queue messages moved to the poison queue", ["reason"])
IN_HAND = Gauge("heliograph_photos_in_hand", "Queue messages being worked on")
QUEUED = Gauge("heliograph_photo_queue_messages", "Messages in the queue, about, those in hand with them", ["queue"])
WORK_SECONDS = Histogram(
    "heliograph_photo_work_seconds",
    "From taking a message to its end",
    buckets=(0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30),
)
DELAY_SECONDS = Histogram(
    "heliograph_photo_delay_seconds",
    "From the upload of a photo to its thumbnails",
    buckets=(0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800),
)
WORKERS_STARTED = Counter("heliograph_sandbox_workers_started_total", "Worker processes started")
WORKERS_ENDED = Counter("heliograph_sandbox_workers_ended_total", "Worker processes that ended, by cause", ["cause"])
SCANNED = Counter("heliograph_photo_scan_blobs_total", "Uploads compared with their receipts")
SCAN_FOUND = Counter("heliograph_photo_scan_found_total", "Uploads that no event had told of", ["what"])
SCAN_SUCCESS = Gauge("heliograph_photo_scan_last_success_timestamp_seconds", "When a scan last reached the end")
