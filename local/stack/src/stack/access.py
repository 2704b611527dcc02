"""The ways into hubs, blobs and documents for the commands that look at them: those that the environment names, as it
names them to a service (connection strings, or accounts and an identity), else those of the stack of this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from heliograph.settings import CosmosSettings, read_settings
from stack.layout import Plan, connections
from stack.state import running_stack

WAYS: Final = (
    "HELIOGRAPH_EVENTHUB_CONNECTION_STRING",
    "HELIOGRAPH_EVENTHUB_NAMESPACE",
    "HELIOGRAPH_STORAGE_CONNECTION_STRING",
    "HELIOGRAPH_STORAGE_ACCOUNT",
    "HELIOGRAPH_COSMOS_ENDPOINT",
)


def access(data: Path) -> CosmosSettings | None:
    """From the environment if it names any of the ways, else into the stack that runs in the folder; None if none does.

    What the environment lacks then ends the process, with each missing variable named.
    """
    if any(os.environ.get(name) for name in WAYS):
        return read_settings(CosmosSettings)
    state = running_stack(data.absolute())
    return access_to(state.plan) if state else None


def access_to(plan: Plan) -> CosmosSettings:
    """Into the local Azure of a plan."""
    ways = connections(plan.ports, plan.azure_host)
    names = {name.removeprefix("HELIOGRAPH_").lower(): value for name, value in ways.items()}
    return CosmosSettings.model_validate(names)
