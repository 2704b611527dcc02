"""Settings shared by all services, read from the environment. Locally and on Azure the same code runs: a connection
string where there is one, else the managed identity and the name of the account."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, NoReturn, Self, TypeVar

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError


class WrongSettingError(ValueError):
    """A setting, or a file that a setting names, that can't be used; the text names it and what was given.

    It ends the process with code 2 and without a traceback, as what `read_settings` finds by itself does.
    """


@contextmanager
def named(variable: str) -> Iterator[None]:
    """Gives the name of the setting to what a library says about its value. Raises `WrongSettingError`."""
    try:
        yield
    except ValueError as error:
        raise WrongSettingError(f"HELIOGRAPH_{variable}: {error}") from None


class ServiceSettings(BaseSettings):
    """What every service needs: who it is, where its health is served, and the way to hubs and blobs."""

    model_config = SettingsConfigDict(env_prefix="HELIOGRAPH_", extra="ignore", frozen=True)

    http_host: str = Field("0.0.0.0", description="address on which the service answers HTTP")  # noqa: S104
    http_port: int = Field(8080, ge=0, le=65535, description="port on which the service answers HTTP")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="least level logged")
    drain_s: float = Field(25, gt=0, le=600, description="seconds that a shutdown may take")

    otlp_endpoint: str = Field("", description="URL that takes traces by OTLP over HTTP; empty for none")
    azure_monitor_connection_string: SecretStr | None = Field(
        None, description="connection string of Application Insights, to send traces there"
    )
    trace_ratio: float = Field(0.05, ge=0, le=1, description="share of the traces that is recorded")

    eventhub_connection_string: SecretStr | None = Field(
        None,
        description="connection string of the Event Hubs namespace; leave out to use the managed identity",
    )
    eventhub_namespace: str | None = Field(
        None,
        description="host of the namespace, e.g. `helio.servicebus.windows.net`, with a managed identity",
    )
    storage_connection_string: SecretStr | None = Field(
        None, description="connection string of the storage account; leave out to use the managed identity"
    )
    storage_account: str | None = Field(None, description="name of the storage account, with a managed identity")

    @model_validator(mode="after")
    def _has_a_way_in(self) -> Self:
        if not (self.eventhub_connection_string or self.eventhub_namespace):
            raise ValueError(
                "set HELIOGRAPH_EVENTHUB_CONNECTION_STRING, or HELIOGRAPH_EVENTHUB_NAMESPACE for a managed identity"
            )
        if not (self.storage_connection_string or self.storage_account):
            raise ValueError(
                "set HELIOGRAPH_STORAGE_CONNECTION_STRING, or HELIOGRAPH_STORAGE_ACCOUNT for a managed identity"
            )
        return self


class CosmosSettings(ServiceSettings):
    """Of the services that also speak to Cosmos DB."""

    cosmos_endpoint: str = Field(description="URL of the Cosmos DB account")
    cosmos_key: SecretStr | None = Field(None, description="key of the account; leave out to use the managed identity")
    cells: int = Field(
        128,
        ge=32,
        le=9984,
        multiple_of=32,
        description="groups that the plants are stored in, best 20 to 100 plants each; the same for sink and dashboard",
    )


SettingsT = TypeVar("SettingsT", bound=ServiceSettings)


def read_settings(settings_type: type[SettingsT]) -> SettingsT:
    """The settings from the environment, or the end of the process with each wrong one named."""
    try:
        return settings_type()
    except ValidationError as error:
        _stop(settings_type, error)
    except SettingsError as error:
        _stop_for_json(settings_type, error)


def _stop_for_json(settings_type: type[ServiceSettings], error: SettingsError) -> NoReturn:
    """The library says neither which variable holds no JSON nor what it holds."""
    prefix = settings_type.model_config.get("env_prefix", "")
    for name in settings_type.model_fields:
        variable = f"{prefix}{name}".upper()
        if f'"{name}"' not in str(error):
            continue
        given = "" if _is_secret(name) else f" (given: {os.environ.get(variable)!r})"
        cause = error.__cause__ if isinstance(error.__cause__, json.JSONDecodeError) else error
        sys.stderr.write(f"{variable}: the value is no JSON: {cause}{given}\n")
    raise SystemExit(2)


def _stop(settings_type: type[ServiceSettings], error: ValidationError) -> NoReturn:
    prefix = settings_type.model_config.get("env_prefix", "")
    for fault in error.errors():
        name = "".join(str(part) for part in fault["loc"][:1])
        variable = f"{prefix}{name}".upper() if name else "settings"
        given = "" if fault["type"] in ("missing", "value_error") and not name else f" (given: {fault['input']!r})"
        given = "" if fault["type"] == "missing" or _is_secret(name) else given
        sys.stderr.write(f"{variable}: {fault['msg']}{given}\n")
    raise SystemExit(2)


def _is_secret(name: str) -> bool:
    return any(word in name for word in ("key", "secret", "password", "connection_string", "token"))
