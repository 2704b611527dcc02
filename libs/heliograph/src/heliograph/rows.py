"""Windows as compact rows, and rows as windows again, without loss.

A document of `windows` holds many windows; written field by field, each would cost several times the request units.
So a window becomes a JSON array of its values by position (`PLANT_FIELDS`, `REGION_FIELDS`); what follows from other
values is not written but marked `true`, and trailing nulls are left out. Each short form is taken only where
expanding it gives the window back, bit for bit.

    {"first": 1795334400, "rows": {"p1": [[0, 10, 0, 1, "KR-46", "o", 990.5, 612.25, true, 700.1], …]}}
                                           │  │  │  └ readings     │     │      └ utilisation follows from the two
                                           │  │  └ revision        state └ capacity, generation
                                           │  └ length in seconds
                                           └ start, in seconds after `first`
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final, NamedTuple

from heliograph.contracts import Aggregate, PlantState, PlantWindow, RegionWindow, iso_seconds

Row = list[Any]
Document = Mapping[str, Any]

PLANT_FIELDS: Final = (
    "start", "length", "revision", "readings", "region", "state", "capacity_kw", "generation_kw", "utilisation_pct",
    "expected_kw", "performance_ratio", "poa_w_m2", "ghi_w_m2", "module_c", "module_c_max", "ambient_c", "wind_m_s",
)  # fmt: skip
REGION_FIELDS: Final = (
    "start", "length", "revision", "readings", "partition", "plants", "capacity_kw", "generation_kw", "expected_kw",
    "utilisation_pct",
)  # fmt: skip

_STATES: Final[dict[PlantState, str]] = {"ok": "o", "warning": "w", "fault": "f", "night": "n", "no-data": "x"}
_STATE_OF: Final = {letter: state for state, letter in _STATES.items()}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def epoch_s(moment: datetime) -> float:
    """Seconds since the epoch; an int where it is whole, exact to the microsecond."""
    return _seconds(moment - _EPOCH)


def _seconds(span: timedelta) -> float:
    microseconds = span // _MICROSECOND
    return microseconds // 1_000_000 if microseconds % 1_000_000 == 0 else microseconds / 1e6


def moment_of(seconds: float) -> datetime:
    """The moment that lies so many seconds after the epoch."""
    return _EPOCH + timedelta(microseconds=round(seconds * 1e6))


@lru_cache(maxsize=1024)
def _bounds(first_s: float, start: float, length: float) -> tuple[datetime, datetime]:
    """Of a window, which the thousands of plants in one document mostly share."""
    begin = moment_of(first_s) + timedelta(seconds=start)
    return begin, begin + timedelta(seconds=length)


def pack_plant(window: PlantWindow, first_s: float) -> Row:
    """The row of a plant window in a document that begins at `first_s`, in seconds since the epoch."""
    generation, capacity = window.generation_kw, window.capacity_kw
    mean = generation.mean if generation else None
    utilisation, ratio, hottest = window.utilisation_pct, window.performance_ratio, window.module_c_max
    return _trimmed(
        [
            _seconds(window.window_start - moment_of(first_s)),
            _seconds(window.window_end - window.window_start),
            window.revision,
            window.readings,
            window.region,
            _STATES[window.state],
            capacity,
            None if generation is None else _pack_aggregate(generation),
            True if utilisation is not None and utilisation == _percent(mean, capacity) else utilisation,
            window.expected_kw,
            True if ratio is not None and ratio == _ratio(mean, window.expected_kw) else ratio,
            window.poa_w_m2,
            window.ghi_w_m2,
            window.module_c,
            True if hottest is not None and hottest == window.module_c else hottest,
            window.ambient_c,
            window.wind_m_s,
        ]
    )


def unpack_plant(row: Sequence[Any], plant_id: str, window: str, first_s: float) -> PlantWindow:
    """The plant window that a row stands for."""
    start, length, revision, readings, region, state, capacity, *rest = row
    begin, end = _bounds(first_s, start, length)
    rest += [None] * (len(PLANT_FIELDS) - len(row))
    packed, utilisation, expected, ratio, poa, ghi, module, hottest, ambient, wind = rest
    generation = None if packed is None else _unpack_aggregate(packed)
    mean = generation.mean if generation else None
    capacity, expected = float(capacity), _float(expected)
    return PlantWindow(
        v=1,
        plant_id=plant_id,
        region=region,
        window=window,
        window_start=begin,
        window_end=end,
        revision=revision,
        readings=readings,
        capacity_kw=capacity,
        generation_kw=generation,
        utilisation_pct=_percent(mean, capacity) if utilisation is True else _float(utilisation),
        expected_kw=expected,
        performance_ratio=_ratio(mean, expected) if ratio is True else _float(ratio),
        poa_w_m2=_float(poa),
        ghi_w_m2=_float(ghi),
        module_c=_float(module),
        module_c_max=_float(module if hottest is True else hottest),
        ambient_c=_float(ambient),
        wind_m_s=_float(wind),
        state=_STATE_OF[state],
    )


def pack_region(window: RegionWindow, first_s: float) -> Row:
    """The row of one partition's partial of a region window."""
    utilisation = window.utilisation_pct
    derived = _percent(window.generation_kw, window.capacity_kw)
    return _trimmed(
        [
            _seconds(window.window_start - moment_of(first_s)),
            _seconds(window.window_end - window.window_start),
            window.revision,
            window.readings,
            window.partition,
            window.plants,
            window.capacity_kw,
            window.generation_kw,
            window.expected_kw,
            True if utilisation is not None and utilisation == derived else utilisation,
        ]
    )


def unpack_region(row: Sequence[Any], region: str, window: str, first_s: float) -> RegionWindow:
    """The partial that a row stands for."""
    start, length, revision, readings, partition, plants, *rest = row
    begin, end = _bounds(first_s, start, length)
    rest += [None] * (len(REGION_FIELDS) - len(row))
    capacity, generation, expected, utilisation = rest
    return RegionWindow(
        v=1,
        region=region,
        partition=partition,
        window=window,
        window_start=begin,
        window_end=end,
        revision=revision,
        readings=readings,
        plants=plants,
        capacity_kw=float(capacity),
        generation_kw=float(generation),
        expected_kw=_float(expected),
        utilisation_pct=_percent(generation, capacity) if utilisation is True else _float(utilisation),
    )


def plant_windows(documents: Iterable[Document]) -> list[PlantWindow]:
    """All plant windows of documents of `windows`, each once, at its highest revision, by plant and start.

    Of two rows of one revision the one committed later counts, so the order of the documents is of no matter.
    Documents of another kind are passed over.
    """
    return [
        unpack_plant(row, plant_id, window, first)
        for plant_id, window, row, first in _highest(documents, "plants", lambda _row: "")
    ]


class Standing(NamedTuple):
    """How a plant stood in a window, as far as a map of all plants shows it."""

    region: str
    capacity_kw: float
    state: PlantState
    utilisation_pct: float | None
    generation_kw: float | None
    """The mean."""
    expected_kw: float | None
    window_end: str
    """ISO 8601."""


def standing_of(window: PlantWindow) -> Standing:
    """What a map shows of a window."""
    mean = window.generation_kw.mean if window.generation_kw else None
    end = iso_seconds(window.window_end)
    return Standing(
        window.region, window.capacity_kw, window.state, window.utilisation_pct, mean, window.expected_kw, end
    )


def plants_at(documents: Iterable[Document], moment: datetime) -> dict[str, Standing]:
    """Of each plant how it stood in the newest window that had begun at the moment, at its highest revision. Read from
    the rows as they lie: with all of a country's plants, making windows of them takes longer than the query."""
    at_s = epoch_s(moment)
    found: dict[str, tuple[tuple[Any, ...], Sequence[Any], float]] = {}
    for document in documents:
        if document.get("of") != "plants":
            continue
        window, first, at = document.get("window", ""), document.get("first", 0), document.get("at", 0)
        for plant_id, rows in document.get("rows", {}).items():
            known = found.get(plant_id)
            for row in rows:
                start = first + row[0]
                rank = (start + row[1], window, start, row[2], at)
                if start <= at_s and (known is None or known[0] <= rank):
                    known = found[plant_id] = (rank, row, first)
    return {plant_id: _standing(row, first) for plant_id, (_, row, first) in found.items()}


def _standing(row: Sequence[Any], first_s: float) -> Standing:
    size, capacity = len(row), float(row[6])
    packed = row[7] if size > 7 else None
    utilisation = row[8] if size > 8 else None
    expected = row[9] if size > 9 else None
    mean = None if packed is None else _mean(packed)
    return Standing(
        row[4],
        capacity,
        _STATE_OF[row[5]],
        _percent(mean, capacity) if utilisation is True else _float(utilisation),
        mean,
        _float(expected),
        _end_of(first_s, row[0], row[1]),
    )


@lru_cache(maxsize=1024)
def _end_of(first_s: float, start: float, length: float) -> str:
    return iso_seconds(_bounds(first_s, start, length)[1])


def _mean(packed: float | Sequence[float]) -> float:
    return float(packed) if isinstance(packed, int | float) else _unpack_aggregate(packed).mean


def region_windows(documents: Iterable[Document]) -> list[RegionWindow]:
    """All partials of region windows of documents of `windows`, each once, at its highest revision, by region,
    partition and start."""
    return [
        unpack_region(row, region, window, first)
        for region, window, row, first in _highest(documents, "regions", lambda row: str(row[4]))
    ]


def _highest(
    documents: Iterable[Document], of: str, part: Callable[[Sequence[Any]], str]
) -> Iterator[tuple[str, str, Sequence[Any], float]]:
    """Subject, window definition, row and first second of the row that counts for each window, in order."""
    found: dict[tuple[str, str, str, float], tuple[int, float, Sequence[Any], float]] = {}
    for document in documents:
        if document.get("of") != of:
            continue
        window, first, at = document.get("window", ""), document.get("first", 0), document.get("at", 0)
        for subject, rows in document.get("rows", {}).items():
            for row in rows:
                key = (subject, part(row), window, first + row[0])
                known = found.get(key)
                if known is None or known[:2] <= (row[2], at):
                    found[key] = (row[2], at, row, first)
    for (subject, _part, window, _start), (_revision, _at, row, first) in sorted(found.items(), key=itemgetter(0)):
        yield subject, window, row, first


def _pack_aggregate(aggregate: Aggregate) -> float | list[float]:
    """One number when a single reading says it all, two when first and last do, else all seven."""
    short: tuple[float | list[float], ...] = (aggregate.mean, [aggregate.first, aggregate.last])
    for form in short:
        if _unpack_aggregate(form) == aggregate:
            return form
    return [
        aggregate.count, aggregate.sum, aggregate.min, aggregate.max, aggregate.mean, aggregate.first, aggregate.last,
    ]  # fmt: skip


def _unpack_aggregate(packed: float | Sequence[float]) -> Aggregate:
    if isinstance(packed, int | float):
        value = float(packed)
        return Aggregate(count=1, sum=value, min=value, max=value, mean=value, first=value, last=value)
    if len(packed) == 2:
        first, last = map(float, packed)
        total = first + last
        low, high = (first, last) if first <= last else (last, first)
        return Aggregate(count=2, sum=total, min=low, max=high, mean=total / 2, first=first, last=last)
    count, *values = packed
    total, low, high, mean, first, last = map(float, values)
    return Aggregate(count=int(count), sum=total, min=low, max=high, mean=mean, first=first, last=last)


def _percent(part: float | None, whole: float) -> float | None:
    return part / whole * 100 if part is not None and whole else None


def _ratio(actual: float | None, expected: float | None) -> float | None:
    return actual / expected if actual is not None and expected else None


def _float(value: float | None) -> float | None:
    return None if value is None else float(value)


def _trimmed(row: Row) -> Row:
    while row[-1] is None:
        row.pop()
    return row
