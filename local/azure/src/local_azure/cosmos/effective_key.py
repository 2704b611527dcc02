"""The effective partition key: the place in the key space, "" to "FF", that a partition key's hash gives it.

It is computed as the service and the SDKs do, because feed ranges and prefixes of hierarchical keys are ranges of
it that clients compute for themselves. Version 2 hashes with MurmurHash3-128, each component on its own when the key
is hierarchical; version 1 hashes with MurmurHash3-32 and appends the components.
"""

import struct
from functools import lru_cache

from local_azure.cosmos import jsontext
from local_azure.cosmos.jsontext import Json

LOWEST, HIGHEST = "", "FF"
_MASK64, _MASK32 = 2**64 - 1, 2**32 - 1
_C1, _C2 = 0x87C37B91114253D5, 0x4CF5AD432745937F
_V1_LONGEST_STRING = 100
_KEY_SPACE_BITS = 126


@lru_cache(maxsize=65536)
def effective_key(spelt: str, hierarchical: bool, version: int = 2) -> str:
    """EPK of a key in its one spelling, a JSON array in which {} stands for "no value"."""
    components: list[Json] = jsontext.loads(spelt)
    if version == 1 and not hierarchical:
        return _version_1([value[:_V1_LONGEST_STRING] if isinstance(value, str) else value for value in components])
    encoded = [_encode(value, b"\xff") for value in components]
    parts = encoded if hierarchical else [b"".join(encoded)]
    return "".join(_hash_hex(part) for part in parts)


def boundaries(count: int, version: int) -> list[str]:
    """The key space cut into `count` ranges of one size: `count + 1` places."""
    if version == 1:
        inner = ["05" + _ordered_double(number * 2**32 // count).hex().upper() for number in range(1, count)]
    else:
        step = (2**_KEY_SPACE_BITS - 1) // count
        inner = [f"{number * step:032X}" for number in range(1, count)]
    return [LOWEST, *inner, HIGHEST]


def _encode(value: Json, end_of_string: bytes) -> bytes:
    if isinstance(value, bool):
        return b"\x03" if value else b"\x02"
    if isinstance(value, int | float):
        return b"\x05" + struct.pack("<d", value)
    if isinstance(value, str):
        return b"\x08" + value.encode() + end_of_string
    return b"\x01" if value is None else b"\x00"


def _hash_hex(data: bytes) -> str:
    low, high = murmur3_128(data)
    spelt = bytearray((low | high << 64).to_bytes(16, "little")[::-1])
    spelt[0] &= 0x3F
    return spelt.hex().upper()


def _version_1(components: list[Json]) -> str:
    hashed = murmur3_32(b"".join(_encode(value, b"\0") for value in components))
    return "".join(_ordered(value).hex().upper() for value in (float(hashed), *components))


def _ordered(value: Json) -> bytes:
    """Bytes that sort as the values do."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return b"\x05" + _ordered_double(value)
    if isinstance(value, str):
        utf8 = value.encode()
        short = len(utf8) <= _V1_LONGEST_STRING
        shifted = bytes(min(byte + 1, 0xFF) for byte in utf8[: _V1_LONGEST_STRING + 1])
        return b"\x08" + shifted + (b"\0" if short else b"")
    return _encode(value, b"")


def _ordered_double(value: float) -> bytes:
    """A double in 8 bits and then chunks of 7, each but the last followed by a 1 bit."""
    (bits,) = struct.unpack("<Q", struct.pack("<d", value))
    payload = bits ^ 2**63 if bits < 2**63 else (-bits) & _MASK64
    encoded = bytearray([payload >> 56])
    payload = payload << 8 & _MASK64
    while payload:
        encoded.append(payload >> 56 | 1)
        payload = payload << 7 & _MASK64
    if len(encoded) > 1:
        encoded[-1] &= 0xFE
    else:
        encoded.append(0)
    return bytes(encoded)


def _rotate(value: int, by: int, bits: int = 64) -> int:
    return (value << by | value >> (bits - by)) & (1 << bits) - 1


def _mix(value: int) -> int:
    value = (value ^ value >> 33) * 0xFF51AFD7ED558CCD & _MASK64
    value = (value ^ value >> 33) * 0xC4CEB9FE1A85EC53 & _MASK64
    return value ^ value >> 33


def murmur3_128(data: bytes) -> tuple[int, int]:
    """MurmurHash3 x64 128 with seed 0 (Austin Appleby, public domain), as two 64-bit halves."""
    low = high = 0
    whole = len(data) // 16 * 16
    for first, second in struct.iter_unpack("<QQ", data[:whole]):
        low ^= _rotate(first * _C1 & _MASK64, 31) * _C2 & _MASK64
        low = (_rotate(low, 27) + high & _MASK64) * 5 + 0x52DCE729 & _MASK64
        high ^= _rotate(second * _C2 & _MASK64, 33) * _C1 & _MASK64
        high = (_rotate(high, 31) + low & _MASK64) * 5 + 0x38495AB5 & _MASK64
    tail = data[whole:]
    if len(tail) > 8:
        high ^= _rotate(int.from_bytes(tail[8:], "little") * _C2 & _MASK64, 33) * _C1 & _MASK64
    if tail:
        low ^= _rotate(int.from_bytes(tail[:8], "little") * _C1 & _MASK64, 31) * _C2 & _MASK64
    low ^= len(data)
    high ^= len(data)
    low = low + high & _MASK64
    high = high + low & _MASK64
    low, high = _mix(low), _mix(high)
    low = low + high & _MASK64
    return low, high + low & _MASK64


def murmur3_32(data: bytes) -> int:
    """MurmurHash3 x86 32 with seed 0."""
    state = 0
    whole = len(data) // 4 * 4
    for (block,) in struct.iter_unpack("<I", data[:whole]):
        state ^= _rotate(block * 0xCC9E2D51 & _MASK32, 15, 32) * 0x1B873593 & _MASK32
        state = _rotate(state, 13, 32) * 5 + 0xE6546B64 & _MASK32
    if len(data) > whole:
        tail = int.from_bytes(data[whole:], "little")
        state ^= _rotate(tail * 0xCC9E2D51 & _MASK32, 15, 32) * 0x1B873593 & _MASK32
    state ^= len(data)
    state = (state ^ state >> 16) * 0x85EBCA6B & _MASK32
    state = (state ^ state >> 13) * 0xC2B2AE35 & _MASK32
    return state ^ state >> 16
