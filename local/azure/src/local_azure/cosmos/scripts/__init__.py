"""Stored procedures, triggers and user-defined functions, run by QuickJS."""
