"""Writes what the analyzer found to Cosmos DB."""
