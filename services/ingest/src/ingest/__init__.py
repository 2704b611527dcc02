"""Polls the sources and sends their readings to the hub."""
