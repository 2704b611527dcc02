"""The queries that `docs/power-bi.md` gives to analysts run on Cosmos DB and give the columns that it names."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from azure.cosmos.aio import CosmosClient

from heliograph.rows import epoch_s
from heliograph.storage import ROLLUPS
from heliograph.topology import DATABASE
from local_azure.cosmos import CosmosServer
from sink.journal import Span
from sink.rollup import plant_rollups
from sink.store import Store

PAGE = Path(__file__).parents[3] / "docs" / "power-bi.md"
START = datetime(2026, 6, 1, 3, tzinfo=UTC)


def queries() -> list[str]:
    """The SQL within the M queries."""
    return re.findall(r'\[Query = "([^"]+)"\]', PAGE.read_text())


async def test_the_documented_queries_give_their_columns(tmp_path: Path, make) -> None:
    """Each query of the recipe finds the rolled-up day or hour, with exactly the columns that its M code expands."""
    page = PAGE.read_text()
    windows = [make.plant("p1", 10 * n, random.Random(n).uniform(1, 900)) for n in range(60)]
    span = Span("c0001", "plants", int(epoch_s(START)))
    async with (
        CosmosServer(tmp_path) as server,
        CosmosClient(server.endpoint, server.key, enable_endpoint_discovery=False) as client,
    ):
        store = Store(client, ru_budget_per_s=1e9, writers=1)
        await store.prepare()
        await store.batch(ROLLUPS, span.pk, [("upsert", (d,)) for d in plant_rollups(span, windows, {})])
        container = client.get_database_client(DATABASE).get_container_client(ROLLUPS.name)
        assert len(queries()) == 2
        for query in queries():
            [row] = [item async for item in container.query_items(query)]
            named = ", ".join(f'"{name}"' for name in row)
            assert named in page.replace("\n        ", " "), f"the columns of {query}"
            assert row["energy_kwh"] > 0
    assert windows[-1].window_end == START + timedelta(minutes=10)
