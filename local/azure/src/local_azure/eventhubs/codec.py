"""AMQP 1.0 type system: bytes to Python values and back.

The mapping, chosen so that what is decoded can be encoded again with the type it came with:

    null None · boolean bool · string str · symbol Symbol · binary bytes · uuid UUID · list list · map dict
    ulong ULong · uint UInt · ushort UShort · ubyte UByte · long Long · int Int · short Short · byte Byte
    timestamp Timestamp (ms since the epoch) · float Float · double float · array Array · described Described
    char, decimal32, decimal64, decimal128 Opaque (the bytes as they came)

A plain int is encoded as a long.

Reference: OASIS AMQP 1.0 part 1, http://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-types-v1.0-os.html
"""

import struct
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID


class DecodeError(ValueError):
    """The bytes are not AMQP 1.0 data."""


class Symbol(str):
    """A symbol: ASCII text from a constrained domain."""

    __slots__ = ()


class UByte(int):
    """An unsigned byte."""


class UShort(int):
    """An unsigned 16-bit integer."""


class UInt(int):
    """An unsigned 32-bit integer."""


class ULong(int):
    """An unsigned 64-bit integer."""


class Byte(int):
    """A signed byte."""


class Short(int):
    """A signed 16-bit integer."""


class Int(int):
    """A signed 32-bit integer."""


class Long(int):
    """A signed 64-bit integer."""


class Timestamp(int):
    """Milliseconds since the epoch, UTC."""


class Float(float):
    """A 32-bit float."""


class Array(list[Any]):
    """Values of one type, encoded with one constructor."""


class Described(NamedTuple):
    """A value with the descriptor that says what it means."""

    descriptor: Any
    value: Any


class Opaque(NamedTuple):
    """A value of a type without a Python counterpart: its constructor and its bytes."""

    constructor: int
    raw: bytes


AmqpValue: TypeAlias = Any
"""Anything in the left column of the mapping above."""

Decoder = Callable[[bytes, int], tuple[AmqpValue, int]]

_MAX_ZERO_WIDTH_ARRAY = 65_536
"""Elements without bytes let a few bytes ask for billions of values; no client sends such arrays."""
_NULL = b"\x40"

_u16 = struct.Struct(">H")
_u32 = struct.Struct(">I")
_u64 = struct.Struct(">Q")
_i64 = struct.Struct(">q")
_i32 = struct.Struct(">i")
_u32_pair = struct.Struct(">II")


def decode(data: bytes, pos: int = 0) -> tuple[Any, int]:
    """Decode the value at `pos`; return it with the position after it.

    Raises:
        DecodeError: the bytes are cut short, malformed, or nested too deeply.
    """
    try:
        return _DECODERS[data[pos]](data, pos + 1)
    except DecodeError:
        raise
    except (IndexError, struct.error) as problem:
        raise DecodeError(f"the data ends inside a value ({problem})") from problem
    except (UnicodeDecodeError, TypeError) as problem:
        raise DecodeError(f"malformed value: {problem}") from problem
    except RecursionError:
        raise DecodeError("values are nested too deeply") from None


def skip(data: bytes, pos: int) -> int:
    """Return the position after the value at `pos`, without decoding what it holds.

    Raises:
        DecodeError: the bytes are cut short or start with no known constructor.
    """
    try:
        while data[pos] == 0:
            pos = skip(data, pos + 1)
        constructor = data[pos]
        category = constructor >> 4
        width = _FIXED_WIDTHS.get(category)
        if width is not None:
            end = pos + 1 + width
        elif category in (0xA, 0xC, 0xE):
            end = pos + 2 + data[pos + 1]
        elif category in (0xB, 0xD, 0xF):
            end = pos + 5 + int(_u32.unpack_from(data, pos + 1)[0])
        else:
            raise DecodeError(f"0x{constructor:02x} is no AMQP constructor")
    except (IndexError, struct.error) as problem:
        raise DecodeError(f"the data ends inside a value ({problem})") from problem
    except RecursionError:
        raise DecodeError("values are nested too deeply") from None
    if end > len(data):
        raise DecodeError(f"a value of 0x{constructor:02x} needs {end - len(data)} more bytes")
    return end


_FIXED_WIDTHS = {0x4: 0, 0x5: 1, 0x6: 2, 0x7: 4, 0x8: 8, 0x9: 16}


def _unknown(data: bytes, pos: int) -> tuple[Any, int]:
    raise DecodeError(f"0x{data[pos - 1]:02x} is no AMQP constructor")


def _constant(value: AmqpValue) -> Decoder:
    return lambda _, pos: (value, pos)


def _fixed(layout: str, make: Callable[[Any], Any]) -> Decoder:
    packed = struct.Struct(layout)
    width = packed.size

    def decode_fixed(data: bytes, pos: int) -> tuple[Any, int]:
        return make(packed.unpack_from(data, pos)[0]), pos + width

    return decode_fixed


def _opaque(constructor: int, width: int) -> Decoder:
    def decode_opaque(data: bytes, pos: int) -> tuple[Any, int]:
        return Opaque(constructor, _slice(data, pos, pos + width)), pos + width

    return decode_opaque


def _slice(data: bytes, start: int, end: int) -> bytes:
    if end > len(data):
        raise DecodeError(f"a value needs {end - len(data)} more bytes")
    return data[start:end]


def _variable(length_width: int, make: Callable[[bytes], Any]) -> Decoder:
    def decode_small(data: bytes, pos: int) -> tuple[Any, int]:
        end = pos + 1 + data[pos]
        return make(_slice(data, pos + 1, end)), end

    def decode_large(data: bytes, pos: int) -> tuple[Any, int]:
        end = pos + 4 + int(_u32.unpack_from(data, pos)[0])
        return make(_slice(data, pos + 4, end)), end

    return decode_small if length_width == 1 else decode_large


def _text(raw: bytes) -> str:
    return raw.decode()


def _symbol(raw: bytes) -> Symbol:
    return Symbol(raw.decode("ascii"))


def _compound_bounds(data: bytes, pos: int, width: int) -> tuple[int, int, int]:
    """Read size and count; return the count, where the items start and where they end."""
    if width == 1:
        size, count, start = data[pos], data[pos + 1], pos + 2
    else:
        size, count = _u32_pair.unpack_from(data, pos)
        start = pos + 8
    end = pos + width + size
    if end > len(data) or end < start:
        raise DecodeError(f"a compound value of {size} bytes does not fit in its frame")
    return count, start, end


def _decode_items(data: bytes, pos: int, end: int, count: int) -> list[Any]:
    """Decode `count` values which must end exactly at `end`: each takes a byte or more."""
    if count > end - pos:
        raise DecodeError(f"{count} values cannot fit in {end - pos} bytes")
    items = []
    for _ in range(count):
        item, pos = _DECODERS[data[pos]](data, pos + 1)
        items.append(item)
    if pos != end:
        raise DecodeError(f"a compound value ends {abs(end - pos)} bytes off its size")
    return items


def _list(width: int) -> Decoder:
    def decode_list(data: bytes, pos: int) -> tuple[Any, int]:
        count, start, end = _compound_bounds(data, pos, width)
        return _decode_items(data, start, end, count), end

    return decode_list


def _map(width: int) -> Decoder:
    def decode_map(data: bytes, pos: int) -> tuple[Any, int]:
        count, start, end = _compound_bounds(data, pos, width)
        if count % 2:
            raise DecodeError(f"a map holds {count} items, an odd number")
        items = _decode_items(data, start, end, count)
        return dict(zip(items[::2], items[1::2], strict=True)), end

    return decode_map


def _array(width: int) -> Decoder:
    def decode_array(data: bytes, pos: int) -> tuple[Any, int]:
        count, start, end = _compound_bounds(data, pos, width)
        if not count and start == end:
            return Array(), end
        descriptor, constructor, item_pos = _array_constructor(data, start)
        limit = _MAX_ZERO_WIDTH_ARRAY if constructor >> 4 == 0x4 else end - item_pos
        if count > limit:
            raise DecodeError(f"an array of {count} values cannot fit in {end - item_pos} bytes")
        decoder = _DECODERS[constructor]
        items = Array()
        for _ in range(count):
            item, item_pos = decoder(data, item_pos)
            items.append(item if descriptor is None else Described(descriptor, item))
        if item_pos != end:
            raise DecodeError("an array ends off its size")
        return items, end

    return decode_array


def _array_constructor(data: bytes, pos: int) -> tuple[Any, int, int]:
    if data[pos] != 0:
        return None, data[pos], pos + 1
    descriptor, pos = _DECODERS[data[pos + 1]](data, pos + 2)
    return descriptor, data[pos], pos + 1


def _described(data: bytes, pos: int) -> tuple[Any, int]:
    descriptor, pos = _DECODERS[data[pos]](data, pos + 1)
    value, pos = _DECODERS[data[pos]](data, pos + 1)
    return Described(descriptor, value), pos


def _make_decoders() -> list[Decoder]:
    table: list[Decoder] = [_unknown] * 256
    table[0x00] = _described
    table[0x40] = _constant(None)
    table[0x41] = _constant(True)
    table[0x42] = _constant(False)
    table[0x43] = _constant(UInt(0))
    table[0x44] = _constant(ULong(0))
    table[0x45] = lambda _, pos: ([], pos)
    table[0x50] = _fixed(">B", UByte)
    table[0x51] = _fixed(">b", Byte)
    table[0x52] = _fixed(">B", UInt)
    table[0x53] = _fixed(">B", ULong)
    table[0x54] = _fixed(">b", Int)
    table[0x55] = _fixed(">b", Long)
    table[0x56] = _fixed(">B", bool)
    table[0x60] = _fixed(">H", UShort)
    table[0x61] = _fixed(">h", Short)
    table[0x70] = _fixed(">I", UInt)
    table[0x71] = _fixed(">i", Int)
    table[0x72] = _fixed(">f", Float)
    table[0x73] = _opaque(0x73, 4)
    table[0x74] = _opaque(0x74, 4)
    table[0x80] = _fixed(">Q", ULong)
    table[0x81] = _fixed(">q", Long)
    table[0x82] = _fixed(">d", float)
    table[0x83] = _fixed(">q", Timestamp)
    table[0x84] = _opaque(0x84, 8)
    table[0x94] = _opaque(0x94, 16)
    table[0x98] = lambda data, pos: (UUID(bytes=_slice(data, pos, pos + 16)), pos + 16)
    for small, large, make in ((0xA0, 0xB0, bytes), (0xA1, 0xB1, _text), (0xA3, 0xB3, _symbol)):
        table[small] = _variable(1, make)
        table[large] = _variable(4, make)
    for small, large, compound in ((0xC0, 0xD0, _list), (0xC1, 0xD1, _map), (0xE0, 0xF0, _array)):
        table[small] = compound(1)
        table[large] = compound(4)
    return table


_DECODERS = _make_decoders()


def encode(value: AmqpValue) -> bytes:
    """Encode `value` with the type that its Python class stands for.

    Raises:
        TypeError: no AMQP type stands for it.
        ValueError: the number does not fit in its type.
    """
    try:
        encoder = _ENCODERS[type(value)]
    except KeyError:
        raise TypeError(f"no AMQP type stands for {type(value).__name__}") from None
    try:
        return encoder(value)
    except struct.error as problem:
        raise ValueError(f"{value!r} does not fit in its AMQP type: {problem}") from problem


def encode_boolean(value: bool) -> bytes:
    """Encode a boolean in one byte."""
    return b"\x41" if value else b"\x42"


def encode_ubyte(value: int) -> bytes:
    """Encode an unsigned byte."""
    return bytes((0x50, value))


def encode_ushort(value: int) -> bytes:
    """Encode an unsigned 16-bit integer."""
    return b"\x60" + _u16.pack(value)


def encode_uint(value: int) -> bytes:
    """Encode an unsigned 32-bit integer, short where it can be."""
    return bytes((0x52, value)) if 0 <= value < 256 else b"\x70" + _u32.pack(value)


def encode_ulong(value: int) -> bytes:
    """Encode an unsigned 64-bit integer, short where it can be."""
    return bytes((0x53, value)) if 0 <= value < 256 else b"\x80" + _u64.pack(value)


def encode_int(value: int) -> bytes:
    """Encode a signed 32-bit integer."""
    return b"\x71" + _i32.pack(value)


def encode_long(value: int) -> bytes:
    """Encode a signed 64-bit integer."""
    return b"\x81" + _i64.pack(value)


def encode_timestamp(value_ms: int) -> bytes:
    """Encode a moment given in milliseconds since the epoch."""
    return b"\x83" + _i64.pack(value_ms)


def encode_binary(value: bytes) -> bytes:
    """Encode bytes."""
    return _encode_variable(0xA0, value)


def encode_string(value: str) -> bytes:
    """Encode text as UTF-8."""
    return _encode_variable(0xA1, value.encode())


def encode_symbol(value: str) -> bytes:
    """Encode an ASCII symbol."""
    return _encode_variable(0xA3, value.encode("ascii"))


def encode_list(items: list[bytes]) -> bytes:
    """Encode a list of values that are encoded already. Never the empty form 0x45: the Python SDK can't read it."""
    return _encode_compound(0xC0, items)


def encode_described(code: int, value: bytes) -> bytes:
    """Put an encoded value behind the descriptor `code`."""
    return b"\x00" + encode_ulong(code) + value


def _encode_variable(constructor: int, raw: bytes) -> bytes:
    if len(raw) < 256:
        return bytes((constructor, len(raw))) + raw
    return bytes((constructor + 0x10,)) + _u32.pack(len(raw)) + raw


def _encode_compound(constructor: int, items: list[bytes], prefix: bytes = b"") -> bytes:
    content = prefix + b"".join(items)
    if len(content) < 255 and len(items) < 256:
        return bytes((constructor, len(content) + 1, len(items))) + content
    return bytes((constructor + 0x10,)) + _u32_pair.pack(len(content) + 4, len(items)) + content


def _encode_map(value: dict[Any, Any]) -> bytes:
    return _encode_compound(0xC1, [encode(item) for pair in value.items() for item in pair])


def _encode_array(values: Array) -> bytes:
    """Encode strings, symbols or other values of one class, each in its widest form."""
    if not values:
        return b"\xe0\x01\x00"
    kinds = {type(value) for value in values}
    if len(kinds) > 1:
        raise TypeError(f"an array holds one type, not {', '.join(sorted(kind.__name__ for kind in kinds))}")
    kind = kinds.pop()
    if kind in _WIDE_TEXT:
        constructor, charset = _WIDE_TEXT[kind]
        raws = [value.encode(charset) for value in values]
        return _encode_compound(0xE0, [_u32.pack(len(raw)) + raw for raw in raws], bytes((constructor,)))
    if kind in _WIDE_NUMBERS:
        constructor, layout = _WIDE_NUMBERS[kind]
        return _encode_compound(0xE0, [struct.pack(layout, value) for value in values], bytes((constructor,)))
    raise TypeError(f"an array of {kind.__name__} cannot be encoded")


_WIDE_TEXT: dict[type, tuple[int, str]] = {str: (0xB1, "utf-8"), Symbol: (0xB3, "ascii")}
_WIDE_NUMBERS: dict[type, tuple[int, str]] = {
    UInt: (0x70, ">I"),
    ULong: (0x80, ">Q"),
    Int: (0x71, ">i"),
    Long: (0x81, ">q"),
    int: (0x81, ">q"),
    Timestamp: (0x83, ">q"),
    float: (0x82, ">d"),
}

_ENCODERS: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda _: _NULL,
    bool: encode_boolean,
    UByte: encode_ubyte,
    UShort: encode_ushort,
    UInt: encode_uint,
    ULong: encode_ulong,
    Byte: lambda value: struct.pack(">Bb", 0x51, value),
    Short: lambda value: struct.pack(">Bh", 0x61, value),
    Int: encode_int,
    Long: encode_long,
    int: encode_long,
    Timestamp: encode_timestamp,
    Float: lambda value: struct.pack(">Bf", 0x72, value),
    float: lambda value: struct.pack(">Bd", 0x82, value),
    bytes: encode_binary,
    str: encode_string,
    Symbol: encode_symbol,
    UUID: lambda value: b"\x98" + value.bytes,
    list: lambda value: encode_list([encode(item) for item in value]),
    dict: _encode_map,
    Array: _encode_array,
    Described: lambda value: b"\x00" + encode(value.descriptor) + encode(value.value),
    Opaque: lambda value: bytes((value.constructor,)) + value.raw,
}
