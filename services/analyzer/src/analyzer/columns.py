"""Readings as columns: an event's JSON array becomes NumPy arrays without a Python loop over its readings.

The contract stays the only authority on what is valid: the struct decoded here is made of `Reading`'s own annotated
types, with two changes that make columns cheap. A missing number is NaN, and the time stamp stays text until the
`Stamps` cache turns it to microseconds (an event holds thousands of readings but few distinct stamps).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any, Literal, NamedTuple, TypeVar, get_type_hints

import msgspec
import numpy as np
import numpy.typing as npt

from heliograph.contracts import EARLIEST, Message, Reading, Utc
from heliograph.wire import UNREADABLE, Codec

Micros = npt.NDArray[np.int64]
"""Microseconds since the epoch, UTC."""
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Column = TypeVar("Column", bound=npt.NDArray[np.generic])

Values = dict[str, Floats]
"""Numbers of n readings by field, (n,) each and NaN where a reading has none. A field that none of them has may be
left out; `capacity_kw` is always there."""

SECOND = 1_000_000
"""In microseconds, as all times here."""
NO_SPAN = (2**62, -(2**62))

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ALWAYS = ("v", "plant_id", "source", "observed_at", "region", "capacity_kw")
_STAMPS_KEPT = 4096
_SHAPES_KEPT = 64


def put(column: Column, at: Ints, values: npt.ArrayLike) -> Column:
    """The column with values in those places; the given one stays as it is."""
    result = column.copy()
    result[at] = values
    return result


def kept_lines(line: Ints, mask: Mask, lines: int) -> tuple[Ints, Mask]:
    """Of rows of which some have a line of another table (its number plus one, 0 for none), those of the mask: their
    lines' new numbers, and which of the `lines` lines stay."""
    line = line[mask]
    stays = np.zeros(lines, dtype=np.bool_)
    stays[line[line > 0] - 1] = True
    renumbered: Ints = np.append(0, np.cumsum(stays))
    return renumbered[line], stays


def given_lines(line: Ints, fresh: Ints, lines: int) -> Ints:
    """With new lines, after the `lines` of that table, for the rows in `fresh`, which had none."""
    return put(line, fresh, lines + 1 + np.arange(fresh.size))


def to_micros(moment: datetime) -> int:
    """Microseconds since the epoch of an aware time; exact, where floats would round."""
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The aware UTC time of microseconds since the epoch."""
    return _EPOCH + timedelta(microseconds=int(micros))


class Stamps(dict[str, int]):
    """Text of a time stamp → microseconds; raises `msgspec.ValidationError` for what the contract refuses."""

    def __missing__(self, text: str) -> int:
        if len(self) >= _STAMPS_KEPT:
            self.clear()
        moment = msgspec.convert(text, Utc)
        if moment < EARLIEST:
            raise msgspec.ValidationError(f"Expected a time not before {EARLIEST:%Y}")
        micros = self[text] = to_micros(moment)
        return micros


@dataclass(frozen=True, slots=True)
class Refused:
    """One reading of an event that can't be used. `index` is its place in the event's array."""

    index: int
    reason: str
    detail: str
    original: bytes


@dataclass(frozen=True, slots=True)
class Columns:
    """The good readings of an event, in their order; `n` of them."""

    plant_ids: list[str]
    source: str
    """That of all of them; empty when there are several."""
    times: Micros
    """(n,) `observed_at`."""
    span: tuple[int, int]
    """The least and the greatest of them; `NO_SPAN` for none."""
    values: Values
    readings: Sequence[Any]
    """The decoded structs, for the rarely needed fields."""
    places: Ints | None
    """(n,) place of each in the event's array; None when that is simply 0 to n-1."""

    def place(self, position: int) -> int:
        """Where in the event's array the reading stood."""
        return position if self.places is None else int(self.places[position])


class Shape(NamedTuple):
    """What the readings of an event have in common."""

    optional: frozenset[str]
    """The optional fields that any of them has."""
    source: str
    """As in `Columns`."""


class ColumnDecoder:
    """Decodes event bodies to columns.

    Sources send the same optional fields again and again, so the struct holds only those that the stream has shown
    (a `Shape`), and the source as a literal, which costs no string. The first reading of an event tells what shape to
    expect; an event that turns out otherwise is decoded by the struct of all fields, and later ones that begin like it
    are expected to be as it was.
    """

    def __init__(self) -> None:
        self._stamps = Stamps()
        self._hints = get_type_hints(Reading, include_extras=True)
        self._optional = frozenset(self._hints).difference(_ALWAYS)
        self._everything = Shape(self._optional, "")
        self._codec: Codec[Any] = Codec(_struct(self._hints, self._everything, strict=False))
        self._narrow: dict[Shape, msgspec.json.Decoder[Any]] = {}
        self._shapes: dict[Hashable, Shape] = {}

    def decode(self, body: bytes) -> tuple[Columns, list[Refused]]:
        """The columns of a body and what was refused of it. Raises `MalformedError` when it is no JSON at all."""
        look = _look_of(body)
        shape = self._shapes.get(look)
        try:
            if shape is not None:
                readings = self._decoder(shape).decode(body)
                return self._columns(readings, shape, None), []
        except UNREADABLE:
            pass
        columns, refused = self._decode_with_care(body)
        self._learn(look, columns)
        return columns, refused

    def _decode_with_care(self, body: bytes) -> tuple[Columns, list[Refused]]:
        decoded = self._codec.decode(body)
        refused = [Refused(bad.index, "malformed", bad.reason, bad.original) for bad in decoded.rejected]
        try:
            places = _places(len(decoded.messages), refused)
            return self._columns(decoded.messages, self._everything, places), refused
        except msgspec.ValidationError:
            return self._without_bad_stamps(body, decoded.messages, refused)

    def _without_bad_stamps(
        self, body: bytes, readings: Sequence[Any], refused: list[Refused]
    ) -> tuple[Columns, list[Refused]]:
        places = _places(len(readings), refused)
        at = range(len(readings)) if places is None else places.tolist()
        as_sent, good = originals(body), []
        for place, reading in zip(at, readings, strict=True):
            try:
                _ = self._stamps[reading.observed_at]
                good.append((place, reading))
            except msgspec.ValidationError as error:
                detail = f"{error} - at `$[...].observed_at`, given {reading.observed_at!r}"
                refused.append(Refused(place, "malformed", detail, as_sent[place]))
        kept = np.array([place for place, _ in good], dtype=np.int64)
        columns = self._columns([reading for _, reading in good], self._everything, kept)
        return columns, sorted(refused, key=attrgetter("index"))

    def _columns(self, readings: Sequence[Any], shape: Shape, places: Ints | None) -> Columns:
        stamps = [one.observed_at for one in readings]
        count = len(stamps)
        if count and stamps.count(stamps[0]) == count:
            micros = self._stamps[stamps[0]]
            times, span = np.full(count, micros, dtype=np.int64), (micros, micros)
        else:
            times = np.fromiter(map(self._stamps.__getitem__, stamps), np.int64, count)
            span = span_of(times)
        return Columns(
            plant_ids=[one.plant_id for one in readings],
            source=shape.source or _only({one.source for one in readings}),
            times=times,
            span=span,
            values=_values(readings, shape.optional),
            readings=readings,
            places=places,
        )

    def _learn(self, look: Hashable, columns: Columns) -> None:
        """What to expect of events that begin like this one: what it had, and what those before it had."""
        known = self._shapes.get(look)
        numbers = {name for name, column in columns.values.items() if not np.isnan(column).all()}
        rest = self._optional.difference(_NUMBERS)
        others = {name for name in rest if any(getattr(one, name) for one in columns.readings)}
        shape = Shape(self._optional & (numbers | others), columns.source)
        if known is not None:
            shape = Shape(shape.optional | known.optional, shape.source if shape.source == known.source else "")
        if len(self._shapes) >= _SHAPES_KEPT:
            self._shapes.clear()
        self._shapes[look] = shape

    def _decoder(self, shape: Shape) -> msgspec.json.Decoder[Any]:
        if shape not in self._narrow:
            if len(self._narrow) >= _SHAPES_KEPT:
                self._narrow.clear()
            struct: Any = _struct(self._hints, shape, strict=True)
            self._narrow[shape] = msgspec.json.Decoder(list[struct])
        return self._narrow[shape]


def _struct(hints: dict[str, Any], shape: Shape, *, strict: bool) -> type[msgspec.Struct]:
    """A struct of `Reading`'s fields; `strict` refuses fields that it does not have."""
    types = hints | {"observed_at": str}
    if shape.source:
        types["source"] = Literal[shape.source]
    fields: list[Any] = [  # in the contract's order, since msgspec looks for the next field first
        (name, kind) if name in _ALWAYS else (name, kind, _default(name))
        for name, kind in types.items()
        if name in _ALWAYS or name in shape.optional
    ]
    return msgspec.defstruct(
        "ReadingColumns", fields, bases=(Message,), frozen=True, kw_only=True, gc=False, forbid_unknown_fields=strict
    )


def _default(name: str) -> Any:  # noqa: ANN401 - whatever the contract has
    if name in _NUMBERS:
        return math.nan
    return next(field.default for field in msgspec.structs.fields(Reading) if field.name == name)


def _look_of(body: bytes) -> Hashable:
    """Fields and source of an event's first reading; None if that can't be told."""
    begin = body.find(b"{")
    try:
        first = msgspec.json.decode(body[begin : body.find(b"}", begin) + 1])
        return str(first.get("source")), *first
    except UNREADABLE:
        return None


def _only(names: set[str]) -> str:
    return next(iter(names)) if len(names) == 1 else ""


_NUMBERS: dict[str, Callable[[Sequence[Any]], list[float | None]]] = {
    "capacity_kw": lambda readings: [one.capacity_kw for one in readings],
    "generation_kw": lambda readings: [one.generation_kw for one in readings],
    "poa_w_m2": lambda readings: [one.poa_w_m2 for one in readings],
    "ghi_w_m2": lambda readings: [one.ghi_w_m2 for one in readings],
    "module_c": lambda readings: [one.module_c for one in readings],
    "ambient_c": lambda readings: [one.ambient_c for one in readings],
    "wind_m_s": lambda readings: [one.wind_m_s for one in readings],
    "interval_s": lambda readings: [one.interval_s for one in readings],
}
"""Spelt out, since the interpreter remembers where an attribute that it reads by name lies: two thirds of the time that
`attrgetter` takes."""


def _values(readings: Sequence[Any], optional: frozenset[str]) -> Values:
    return {
        name: _floats(numbers(readings))
        for name, numbers in _NUMBERS.items()
        if name == "capacity_kw" or name in optional
    }


def _floats(numbers: list[float | None]) -> Floats:
    """As an array, NaN for None."""
    column = np.empty(len(numbers))
    try:
        struct.pack_into(f"{len(numbers)}d", column.data, 0, *numbers)  # half the time of an assignment
    except struct.error:
        column[:] = numbers
    return column


def span_of(times: Micros) -> tuple[int, int]:
    """The least and the greatest; `NO_SPAN` for none."""
    return (int(times.min()), int(times.max())) if times.size else NO_SPAN


def choose(values: Values, chosen: Ints) -> Values:
    """Those of some readings, by their places."""
    return {name: column.take(chosen) for name, column in values.items()}


def join(parts: Sequence[Values]) -> Values:
    """Those of all parts, one after the other."""
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: np.concatenate([_column(part, name) for part in parts]) for name in names}


def _column(values: Values, name: str) -> Floats:
    column = values.get(name)
    return np.full(values["capacity_kw"].size, math.nan) if column is None else column


def _places(count: int, refused: Sequence[Refused]) -> Ints | None:
    if not refused:
        return None
    return np.delete(np.arange(count + len(refused), dtype=np.int64), [bad.index for bad in refused])


_raws = msgspec.json.Decoder(list[msgspec.Raw])


def originals(body: bytes) -> Sequence[bytes]:
    """The bytes of each reading of a body, as they came."""
    return [bytes(raw) for raw in _raws.decode(body)] if body.lstrip()[:1] == b"[" else [body]
