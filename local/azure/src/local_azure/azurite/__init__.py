"""Microsoft's Azurite, for blobs and queues: installed once from npm by the Node.js that a Python wheel carries."""

from local_azure.azurite.server import ACCOUNT, KEY, Azurite, command, connection_string, install

__all__ = ["ACCOUNT", "KEY", "Azurite", "command", "connection_string", "install"]
