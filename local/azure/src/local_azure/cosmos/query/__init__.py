"""The query language: text → AST (`parser`) → SQL with bound parameters (`translate`) → pages (`run`)."""
