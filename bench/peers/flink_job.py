"""Apache Flink SQL: `TUMBLE` windows of 10 s per plant, parallelism 1. Run with a file of JSON lines, one reading each.

The job runs three times in one JVM, and the third is measured, so that its compiler is warm.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from cpu import tree_cpu_s
from pyflink.table import EnvironmentSettings, TableEnvironment

SOURCE = """
CREATE TABLE readings (
  plant_id STRING, observed_at TIMESTAMP_LTZ(3), generation_kw DOUBLE, capacity_kw DOUBLE, module_c DOUBLE,
  WATERMARK FOR observed_at AS observed_at - INTERVAL '2' SECOND
) WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'json', 'json.timestamp-format.standard' = 'ISO-8601')
"""
SINK = """
CREATE TABLE windows (
  plant_id STRING, window_start TIMESTAMP(3), n BIGINT, total DOUBLE, low DOUBLE, high DOUBLE, mean DOUBLE,
  utilisation DOUBLE
) WITH ('connector' = 'blackhole')
"""
JOB = """
INSERT INTO windows
SELECT plant_id, window_start, COUNT(generation_kw), SUM(generation_kw), MIN(generation_kw), MAX(generation_kw),
       AVG(generation_kw), AVG(generation_kw) / MAX(capacity_kw) * 100
FROM TABLE(TUMBLE(TABLE readings, DESCRIPTOR(observed_at), INTERVAL '10' SECOND))
GROUP BY plant_id, window_start, window_end
"""

spent = []
tables = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
tables.get_config().set("parallelism.default", "1")
tables.execute_sql(SOURCE.format(path=Path(sys.argv[1]).resolve().as_uri()))
tables.execute_sql(SINK)
for _ in range(3):
    before = tree_cpu_s(os.getpid())
    tables.execute_sql(JOB).wait()
    spent.append(tree_cpu_s(os.getpid()) - before)
Path(sys.argv[2]).write_text(json.dumps({"cpu_s": spent[-1], "runs": spent}))
