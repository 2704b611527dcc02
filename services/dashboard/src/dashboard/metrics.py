"""What the dashboard counts."""

from prometheus_client import Counter, Gauge, Histogram

QUERY_S = Histogram(
    "heliograph_dashboard_query_seconds",
    "Time that Cosmos DB takes to answer a query, all pages of it",
    ["query"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
)
REQUEST_UNITS = Counter("heliograph_dashboard_request_units_total", "Request units used by queries", ["query"])
PAGES = Gauge("heliograph_dashboard_pages", "Pages that listen to the live feed")
SLOW_PAGES = Counter("heliograph_dashboard_slow_pages_total", "Pages cut off because they did not keep up")
RESUMED = Counter("heliograph_dashboard_resumed_total", "Pages that came back with a cursor", ["outcome"])
INSIGHTS = Counter("heliograph_dashboard_insights_total", "Insights taken from the hub")
AGE_S = Gauge(
    "heliograph_dashboard_data_age_seconds",
    "Time since the hub took the newest plant window; since the dashboard's start while it has seen none",
)
