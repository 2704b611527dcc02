"""Settings of the sink."""

from __future__ import annotations

from pydantic import Field

from heliograph.hub import ReaderSettings
from heliograph.settings import CosmosSettings


class SinkSettings(ReaderSettings, CosmosSettings):
    """Of the sink alone, beside those of every reader of a hub."""

    ru_budget_per_s: float = Field(
        4000.0, gt=0, description="request units that this replica may use in a second; less while Cosmos answers 429"
    )
    cosmos_writers: int = Field(8, ge=1, le=256, description="requests to Cosmos at a time")
    flush_s: float = Field(
        20.0, gt=0, le=300, description="seconds between two writes of the plants' latest state and of the checkpoint"
    )
    rollup_grace_s: float = Field(
        120.0, ge=0, description="seconds of event time that an hour waits for late windows before it is rolled up"
    )
    rollup_idle_s: float = Field(
        60.0, ge=0, description="seconds without a new window after which a span is rolled up although it is not over"
    )
    rollup_every_s: float = Field(5.0, gt=0, description="seconds between two looks at what is to be rolled up")
    rollup_orphaned_s: float = Field(
        900.0, gt=0, description="seconds after which a roll-up that a dead replica left waiting is done by another"
    )
