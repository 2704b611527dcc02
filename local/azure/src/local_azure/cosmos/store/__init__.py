"""Everything the server keeps, in one SQLite file."""
