"""The settings of ingest; `docs/sources.md` explains those of the sources."""

from __future__ import annotations

import tempfile
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator

from heliograph.settings import ServiceSettings


class IngestSettings(ServiceSettings):
    """Which sources run, how, and where readings wait while the hub is away."""

    sources: str = Field("fleet", description="sources that run, by name, with commas; empty for pushed readings alone")
    schedules: dict[str, str] = Field(
        {}, description='other schedules than the sources\' own, as JSON, e.g. {"open-meteo": "every 30m"}'
    )
    schedule_zone: str = Field("UTC", description="time zone of cron schedules that the settings give")
    lease_s: int = Field(30, ge=15, le=60, description="seconds after which a dead replica's schedules are taken over")
    speed: float = Field(
        1.0, ge=0, description="simulated seconds per second, for fleet and replay; 0 for as fast as it goes"
    )

    fleet_plants: int = Field(2000, ge=1, le=200_000, description="plants of the simulated fleet")
    fleet_interval_s: float = Field(5.0, ge=1, le=3600, description="seconds between two readings of a plant")
    fleet_seed: int = Field(17, ge=0, description="seed of the fleet: places, sizes, weather and faults follow from it")
    fleet_start: datetime | None = Field(
        None, description="ISO time at which the simulated clock starts; now, or a day ago where speed is not 1"
    )
    fleet_end: datetime | None = Field(None, description="ISO time at which the fleet falls silent")
    fleet_faults_per_day: float = Field(0.05, ge=0, le=1, description="chance of a fault for each plant and day")
    fleet_gap_s: float = Field(
        3600.0, ge=0, description="seconds of a pause that the fleet makes up for after a restart"
    )

    replay_day: date = Field(date(2022, 1, 3), description="first recorded day to be replayed (UTC-7)")
    replay_days: int = Field(1, ge=1, le=366, description="how many days are replayed")
    replay_shift_to: date | None = Field(None, description="another date that the first day is moved to")

    open_meteo_url: str = Field("https://api.open-meteo.com/v1/forecast", description="address of Open-Meteo")

    data_go_kr_key: SecretStr = Field(
        SecretStr(""), description="service key of data.go.kr, for kpx-region, kpx-fuel and kma-nowcast"
    )
    kpx_region_url: str = Field(
        "https://apis.data.go.kr/B552115/PvAmountByLocHr/getPvAmountByLocHr", description="address of kpx-region"
    )
    kpx_fuel_url: str = Field(
        "https://openapi.kpx.or.kr/openapi/sumperfuel5m/getSumperfuel5m", description="address of kpx-fuel"
    )
    kma_url: str = Field(
        "https://apis.data.go.kr/1360000/VilageFcstInfoService_2.0/getUltraSrtNcst",
        description="address of kma-nowcast",
    )
    pvlive_url: str = Field("https://api.pvlive.uk/pvlive/api/v4/gsp/0", description="address of pvlive")
    solaredge_url: str = Field("https://monitoringapi.solaredge.com", description="address of solaredge")
    solaredge_key: SecretStr = Field(SecretStr(""), description="API key of solaredge")
    solaredge_sites: dict[str, str] = Field({}, description="plants and their SolarEdge site ids, as JSON")
    mappings_dir: Path | None = Field(
        None, description="folder of mapping files (*.json) for the sources http-json, csv and parquet"
    )

    outbox_dir: Path = Field(
        Path(tempfile.gettempdir()) / "heliograph-outbox",
        description="folder in which readings wait for the hub; a volume that outlives the container keeps them",
    )
    outbox_max_mb: int = Field(1024, ge=1, description="megabytes that may wait; then sources wait and pushes get 429")
    linger_ms: float = Field(
        20.0, ge=0, le=1000, description="milliseconds in which pushes gather to be written at once"
    )
    compress: bool = Field(True, description="gzip the events")
    memory: int = Field(500_000, ge=1000, description="readings a source that are remembered to drop repeated ones")
    max_skew_s: float = Field(300.0, ge=0, description="seconds that a reading may be ahead of the clock")

    sites_url: str = Field(
        "", description="CSV or JSON of plants, as a path, `file://`, `blob://container/name` or `https://`"
    )
    sites_reload_s: float = Field(30.0, gt=0, description="seconds between two looks at the registry")

    api_keys: dict[str, str] = Field(
        {}, description="who may push: names and SHA-256 hashes (hex) of their keys, as JSON"
    )
    entra_tenant: str = Field("", description="tenant of Entra ID whose tokens may push")
    entra_audience: str = Field("", description="audience that the tokens must be for")
    entra_role: str = Field("", description="app role that the tokens must carry, if any")
    entra_authority: str = Field("https://login.microsoftonline.com", description="address of Entra ID")
    master_key: SecretStr | None = Field(
        None, description="key of the admin API and of pushes; not needed while listening on loopback"
    )

    @field_validator("fleet_start", "fleet_end")
    @classmethod
    def _aware(cls, moment: datetime | None) -> datetime | None:
        return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment

    @field_validator("api_keys")
    @classmethod
    def _hashes(cls, keys: dict[str, str]) -> dict[str, str]:
        for name, digest in keys.items():
            if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
                raise ValueError(f"the hash of {name!r} is not 64 lower-case hex digits: `printf %s KEY | sha256sum`")
        return keys

    @model_validator(mode="after")
    def _entra_is_whole(self) -> Self:
        if bool(self.entra_tenant) != bool(self.entra_audience):
            raise ValueError("set both HELIOGRAPH_ENTRA_TENANT and HELIOGRAPH_ENTRA_AUDIENCE, or neither")
        return self

    @property
    def source_names(self) -> tuple[str, ...]:
        """The sources that run."""
        return tuple(name.strip() for name in self.sources.split(",") if name.strip())
