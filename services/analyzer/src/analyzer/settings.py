"""Settings of the analyzer."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import NoDecode

from analyzer.columns import SECOND
from analyzer.lane import Definitions
from analyzer.partition import Timing
from analyzer.rules import Thresholds
from analyzer.windows import Tumbling, Windower, common_grid_us, parse_windower
from heliograph.hub import ReaderSettings


class AnalyzerSettings(ReaderSettings):
    """Event time, windows and snapshots."""

    windows: Annotated[tuple[str, ...], NoDecode] = Field(
        ("tumbling-10s",),
        description="window definitions, separated by commas: tumbling-10s, hopping-60s-10s, sliding-30s, "
        "session-30s-3600s; the first is tumbling, and the rules look at it",
    )
    out_of_order_s: float = Field(
        2, ge=0, le=86_400, description="seconds that a window waits past its end for readings out of order"
    )
    allowed_lateness_s: float = Field(
        60, ge=0, le=604_800, description="seconds after that in which a late reading still corrects its window"
    )
    source_idle_s: float = Field(
        10, gt=0, le=86_400, description="seconds of silence after which a source's last windows are published"
    )
    max_future_s: float = Field(
        300, ge=0, le=86_400, description="seconds that a reading may be stamped ahead of its arrival in the hub"
    )
    forget_after_s: float = Field(
        604_800, ge=3600, le=31_536_000, description="seconds after which a plant that stopped sending is forgotten"
    )
    snapshot_every_s: float = Field(5, gt=0, le=600, description="seconds between two snapshots of a partition")
    sites_every_s: float = Field(30, gt=0, le=3600, description="seconds between two looks at the site registry")

    @field_validator("windows", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _make_sense(self) -> Self:
        windowers = self._windowers()
        if not isinstance(windowers[0], Tumbling):
            raise ValueError(f"HELIOGRAPH_WINDOWS: the first window must be tumbling, it is {self.windows[0]!r}")  # noqa: TRY004
        if len({windower.name for windower in windowers}) < len(windowers):
            raise ValueError(f"HELIOGRAPH_WINDOWS: a window is there twice: {', '.join(self.windows)}")
        if self.forget_after_s < self.allowed_lateness_s + self.out_of_order_s:
            raise ValueError("HELIOGRAPH_FORGET_AFTER_S: must be longer than HELIOGRAPH_ALLOWED_LATENESS_S")
        return self

    def _windowers(self) -> list[Windower]:
        if not self.windows:
            raise ValueError("HELIOGRAPH_WINDOWS: name at least one window, e.g. tumbling-10s")
        try:
            return [parse_windower(text) for text in self.windows]
        except ValueError as error:
            raise ValueError(f"HELIOGRAPH_WINDOWS: {error}") from error

    def definitions(self) -> Definitions:
        """The windows as the core knows them."""
        main, *others = self._windowers()
        assert isinstance(main, Tumbling)  # noqa: S101 - for the type checker; the validator saw to it
        return Definitions(main, tuple(others), common_grid_us([main, *others]), Thresholds())

    def timing(self) -> Timing:
        """Event time as the core knows it."""
        return Timing(
            out_of_order_us=round(self.out_of_order_s * SECOND),
            lateness_us=round(self.allowed_lateness_s * SECOND),
            idle_us=round(self.source_idle_s * SECOND),
            max_future_us=round(self.max_future_s * SECOND),
            forget_us=round(self.forget_after_s * SECOND),
        )
