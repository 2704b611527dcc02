"""Settings of the dashboard."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from heliograph.settings import CosmosSettings

Access = Literal["public", "entra", "password", "open"]
ZONE: Final = ZoneInfo("Asia/Seoul")
"""In which days begin, in the API as on the page."""


def _own_address() -> str | None:
    """The address that Container Apps gives an app, by its own word."""
    host = os.environ.get("CONTAINER_APP_HOSTNAME")
    return f"https://{host}" if host else None


class DashboardSettings(CosmosSettings):
    """Of the dashboard alone, beside those of every service with Cosmos DB."""

    access: Access = Field(
        "public",
        description="`public`: everyone reads, nobody acts; `entra`: sign-in by the platform in front; `password`: "
        "sign-in by a file of names; `open`: everyone reads and acts, for a machine of one's own",
    )
    entra_tenant_id: str | None = Field(None, description="the tenant whose users may sign in (`entra`)")
    entra_operator_role: str | None = Field(
        None, description="app role that a user needs to act (`entra`); left out, every user of the tenant may act"
    )
    front_url: str | None = Field(
        default_factory=_own_address,
        pattern="^https?://",
        description="address at which users come in (`entra`), from where the dashboard tries whether made-up sign-ins "
        "are kept out; left out, Container Apps' own",
    )
    password_file: Path | None = Field(
        None, description="file of names and argon2 hashes, `name:hash` a line (`password`)"
    )
    session_hours: float = Field(12, gt=0, le=720, description="hours that a sign-in lasts (`password`)")
    stale_after_s: float = Field(60, gt=0, description="seconds without new windows after which data is stale")
    replay_s: float = Field(120, ge=0, le=3600, description="seconds of the hub read again at start, to resume by")
    events_buffer_mb: float = Field(64, gt=0, le=2048, description="memory for events that pages may still resume from")
    max_photo_mb: float = Field(25, gt=0, le=500, description="largest photo taken")

    @model_validator(mode="after")
    def _access_is_complete(self) -> Self:
        if self.access == "entra" and not self.entra_tenant_id:
            raise ValueError("HELIOGRAPH_ACCESS=entra needs HELIOGRAPH_ENTRA_TENANT_ID")
        if self.access == "entra" and not self.front_url:
            raise ValueError(
                "HELIOGRAPH_ACCESS=entra needs an authentication in front: Container Apps, or HELIOGRAPH_FRONT_URL"
            )
        if self.access == "password" and not self.password_file:
            raise ValueError("HELIOGRAPH_ACCESS=password needs HELIOGRAPH_PASSWORD_FILE")
        return self
