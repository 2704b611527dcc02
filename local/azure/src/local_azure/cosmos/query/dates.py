"""Date functions over ISO 8601 strings in UTC (`2026-01-31T12:00:00.1234567Z`), ticks and timestamps.

A moment is held as ticks of 100 ns since 0001-01-01, an exact whole number; GetCurrentTicks and the like count
from 1970.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from local_azure.cosmos.jsontext import Json
from local_azure.cosmos.query.semantics import UNDEFINED, is_number

_SECOND = 10_000_000
_EPOCH = 621_355_968_000_000_000
_LAST = 3_155_378_976_000_000_000
_FIXED = {
    "day": 86_400 * _SECOND,
    "hour": 3_600 * _SECOND,
    "minute": 60 * _SECOND,
    "second": _SECOND,
    "millisecond": _SECOND // 1_000,
    "microsecond": 10,
    "nanosecond": 0,
}
_PARTS = {
    **dict.fromkeys(("year", "yyyy", "yy"), "year"),
    **dict.fromkeys(("month", "mm", "m"), "month"),
    **dict.fromkeys(("day", "dd", "d"), "day"),
    **dict.fromkeys(("hour", "hh"), "hour"),
    **dict.fromkeys(("minute", "mi", "n"), "minute"),
    **dict.fromkeys(("second", "ss", "s"), "second"),
    **dict.fromkeys(("millisecond", "ms"), "millisecond"),
    **dict.fromkeys(("microsecond", "mcs"), "microsecond"),
    **dict.fromkeys(("nanosecond", "ns"), "nanosecond"),
    **dict.fromkeys(("weekday", "dw", "w"), "weekday"),
}
_ZERO = datetime(1, 1, 1, tzinfo=UTC)


def _part(name: Json) -> str:
    part = _PARTS.get(name.lower()) if isinstance(name, str) else None
    if part is None:
        raise ValueError(f"no part of a date is called {name!r}")
    return part


def _parse(text: Json) -> tuple[datetime, int]:
    """The moment to the second, and the ticks beyond it."""
    if not isinstance(text, str) or len(text) < len("2026-01-01"):
        raise ValueError("not a date")
    whole, _, fraction = text.removesuffix("Z").partition(".")
    moment = datetime.fromisoformat(whole).replace(tzinfo=UTC)
    if fraction and not fraction.isdigit():
        raise ValueError("not a date")
    return moment, int(fraction[:7].ljust(7, "0")) if fraction else 0


def _to_ticks(text: Json) -> int:
    moment, ticks = _parse(text)
    since = moment - _ZERO
    return (since.days * 86_400 + since.seconds) * _SECOND + ticks


def _spell(ticks: int) -> str:
    if not 0 <= ticks < _LAST:
        raise ValueError("outside the years 1 to 9999")
    moment = _ZERO + timedelta(seconds=ticks // _SECOND)
    return f"{moment:%Y-%m-%dT%H:%M:%S}".rjust(19, "0") + f".{ticks % _SECOND:07}Z"


def _add(part: Json, count: Json, text: Json) -> Json:
    if not is_number(count):
        return UNDEFINED
    unit, ticks = _part(part), _to_ticks(text)
    if unit == "nanosecond":
        return _spell(ticks + int(count) // 100)
    if unit in _FIXED:
        return _spell(ticks + int(count) * _FIXED[unit])
    moment, fraction = _parse(text)
    months = moment.year * 12 + moment.month - 1 + int(count) * (12 if unit == "year" else 1)
    if unit == "weekday":
        return UNDEFINED
    first = moment.replace(year=months // 12, month=months % 12 + 1, day=1)
    last_day = ((first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)).day
    return _spell(
        _to_ticks(f"{first.replace(day=min(moment.day, last_day)):%Y-%m-%dT%H:%M:%S}".rjust(19, "0")) + fraction
    )


def _difference(part: Json, start: Json, end: Json) -> Json:
    """Boundaries of the unit between the two."""
    unit = _part(part)
    (first, _), (second, _) = _parse(start), _parse(end)
    if unit == "year":
        return second.year - first.year
    if unit == "month":
        return (second.year - first.year) * 12 + second.month - first.month
    if unit == "nanosecond":
        return (_to_ticks(end) - _to_ticks(start)) * 100
    if unit == "weekday":
        return UNDEFINED
    return _to_ticks(end) // _FIXED[unit] - _to_ticks(start) // _FIXED[unit]


def _extract(text: Json, part: Json) -> Json:
    unit, (moment, ticks) = _part(part), _parse(text)
    fractions = {"millisecond": ticks // 10_000, "microsecond": ticks // 10, "nanosecond": ticks * 100}
    if unit in fractions:
        return fractions[unit]
    return moment.isoweekday() % 7 + 1 if unit == "weekday" else getattr(moment, unit)


def _bin(text: Json, part: Json, size: Json = 1, origin: Json = "1970-01-01T00:00:00.0000000Z") -> Json:
    unit = _part(part)
    if not is_number(size) or size < 1 or not _FIXED.get(unit):
        return UNDEFINED
    width, base = _FIXED[unit] * int(size), _to_ticks(origin)
    return _spell(base + (_to_ticks(text) - base) // width * width)


def _from_parts(*parts: Json) -> Json:
    if not all(is_number(part) for part in parts):
        return UNDEFINED
    year, month, day, *clock = (int(part) for part in parts[:6])
    hour, minute, second = (*clock, 0, 0, 0)[:3]
    moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    fraction = int(parts[6]) if len(parts) > 6 else 0
    return _spell(_to_ticks(f"{moment:%Y-%m-%dT%H:%M:%S}".rjust(19, "0")) + fraction)


def _now_ticks() -> int:
    return time.time_ns() // 100


def _ticks_to_date(ticks: Json) -> Json:
    return _spell(_EPOCH + int(ticks)) if is_number(ticks) else UNDEFINED


def _timestamp_to_date(milliseconds: Json) -> Json:
    return _spell(_EPOCH + int(milliseconds) * 10_000) if is_number(milliseconds) else UNDEFINED


FUNCTIONS: dict[str, tuple[Callable[..., Json], int, int] | tuple[Callable[..., Json], int, int, bool]] = {
    "DATETIMEADD": (_add, 3, 3),
    "DATETIMEDIFF": (_difference, 3, 3),
    "DATETIMEPART": (lambda part, text: _extract(text, part), 2, 2),
    "DATETIMEBIN": (_bin, 2, 4),
    "DATETIMEFROMPARTS": (_from_parts, 3, 7),
    "DATETIMETOTICKS": (lambda text: _to_ticks(text) - _EPOCH, 1, 1),
    "DATETIMETOTIMESTAMP": (lambda text: (_to_ticks(text) - _EPOCH) // 10_000, 1, 1),
    "TICKSTODATETIME": (_ticks_to_date, 1, 1),
    "TIMESTAMPTODATETIME": (_timestamp_to_date, 1, 1),
    "GETCURRENTDATETIME": (lambda: _spell(_EPOCH + _now_ticks()), 0, 0, False),
    "GETCURRENTTICKS": (_now_ticks, 0, 0, False),
    "GETCURRENTTIMESTAMP": (lambda: _now_ticks() // 10_000, 0, 0, False),
    "GETCURRENTDATETIMESTATIC": (lambda: _spell(_EPOCH + _now_ticks()), 0, 0),
    "GETCURRENTTICKSSTATIC": (_now_ticks, 0, 0),
    "GETCURRENTTIMESTAMPSTATIC": (lambda: _now_ticks() // 10_000, 0, 0),
}
"""Name → implementation, least and most arguments, and whether it is deterministic."""
