"""What operators give in settings and files: read so that a mistake is told with its field and its value."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

_PLACE = re.compile(r" - at `\$\.?(?P<path>[^`]+)`$")
_STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")


def time_zone(name: str) -> ZoneInfo:
    """Raises `ValueError` that names the zone."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"the time zone {name!r} is unknown") from None


def with_value(error: msgspec.ValidationError, data: object) -> str:
    """The error's text, which names the place in the data, and what stands there."""
    place = _PLACE.search(str(error))
    if place is None:
        return str(error)
    try:
        for index, name in _STEP.findall(place["path"]):
            data = data[int(index) if index else name]  # type: ignore[index]
    except (KeyError, IndexError, TypeError):
        return str(error)
    return f"{error}, given {data!r:.80}"
