"""Which partition a key belongs to: Bob Jenkins' lookup3, as the service and its SDKs use it.

Source: http://burtleburtle.net/bob/c/lookup3.c, `hashlittle2` with both seeds 0.
"""

_MASK = 0xFFFFFFFF
_MIX_ROTATIONS = (4, 6, 8, 16, 19, 4)
_FINAL_ROTATIONS = (14, 11, 25, 16, 4, 14, 24)


def partition_of_key(key: str, partition_count: int) -> int:
    """Return the index of the partition that events with `key` go to."""
    first, second = _lookup3(key.encode())
    folded = (first ^ second) & 0xFFFF
    signed = folded - 0x10000 if folded >= 0x8000 else folded
    return signed % partition_count


def _rotate(value: int, bits: int) -> int:
    return ((value << bits) | (value >> (32 - bits))) & _MASK


def _lookup3(data: bytes) -> tuple[int, int]:
    """Return the two 32-bit hashes of `data`."""
    a = b = c = (0xDEADBEEF + len(data)) & _MASK
    if not data:
        return c, b
    # The last block, of 1 to 12 bytes, is mixed in another way; zeros that fill it change nothing.
    last_start = (len(data) - 1) // 12 * 12
    for start in range(0, last_start, 12):
        a, b, c = _add(data[start : start + 12], a, b, c)
        a, b, c = _mix(a, b, c)
    a, b, c = _add(data[last_start:].ljust(12, b"\0"), a, b, c)
    return _final(a, b, c)


def _add(block: bytes, a: int, b: int, c: int) -> tuple[int, int, int]:
    x, y, z = (int.from_bytes(block[start : start + 4], "little") for start in (0, 4, 8))
    return (a + x) & _MASK, (b + y) & _MASK, (c + z) & _MASK


def _mix(a: int, b: int, c: int) -> tuple[int, int, int]:
    for bits in _MIX_ROTATIONS:
        a = ((a - c) & _MASK) ^ _rotate(c, bits)
        c = (c + b) & _MASK
        a, b, c = b, c, a
    return a, b, c


def _final(a: int, b: int, c: int) -> tuple[int, int]:
    for bits in _FINAL_ROTATIONS:
        c = ((c ^ b) - _rotate(b, bits)) & _MASK
        a, b, c = b, c, a
    # Seven turns of three names leave the words where they began, turned once.
    return b, a
