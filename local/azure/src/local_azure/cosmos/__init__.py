"""A Cosmos DB server (SQL API over REST) that keeps its data in SQLite.

`CosmosServer` runs it in-process, `python -m local_azure.cosmos` as a process of its own.
"""

from local_azure.cosmos.auth import EMULATOR_KEY
from local_azure.cosmos.server import CosmosServer

__all__ = ["EMULATOR_KEY", "CosmosServer"]
