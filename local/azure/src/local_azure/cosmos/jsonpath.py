"""Paths into JSON, in SQLite's spelling."""


def json_path(path: tuple[str | int, ...]) -> str:
    """A path in SQLite's spelling, as a literal (an index is only found through a literal)."""
    steps = "".join(f"[{step}]" if isinstance(step, int) else f'."{step}"' for step in path)
    return "'$" + steps.replace("'", "''") + "'"
