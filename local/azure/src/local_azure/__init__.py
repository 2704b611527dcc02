"""An Event Hubs broker, a Cosmos DB server and Azurite on one machine, without Docker."""
