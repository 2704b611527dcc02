"""When a source runs: cron and intervals, one runner among replicas, status that survives a restart."""
