"""The live operations page and its API."""
