"""Mathematical functions and operators. Undefined where an argument is not a number."""

import math
import random
from collections.abc import Callable

from local_azure.cosmos.jsontext import Json
from local_azure.cosmos.query.semantics import UNDEFINED, is_number

_INT64 = 2**63
_MASK32 = 0xFFFFFFFF


def _of_numbers(compute: Callable[..., Json]) -> Callable[..., Json]:
    def function(*values: Json) -> Json:
        return compute(*values) if all(map(is_number, values)) else UNDEFINED

    return function


def _of_integers(compute: Callable[..., int]) -> Callable[..., Json]:
    """64-bit integers: a fraction makes it undefined, overflow wraps round."""

    def function(*values: Json) -> Json:
        if not all(is_number(value) and float(value).is_integer() and abs(value) < _INT64 for value in values):
            return UNDEFINED
        return (compute(*map(int, values)) + _INT64) % (2 * _INT64) - _INT64

    return function


def _round(value: float, digits: float = 0) -> Json:
    scale = 10 ** int(digits)
    scaled = abs(value) * scale
    return math.copysign(math.floor(scaled + 0.5) / scale, value)


def _divide_whole(left: int, right: int) -> int:
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _log(value: float, base: float = math.e) -> float:
    return math.log(value) if base == math.e else math.log(value, base)


def _bin(value: float, size: float = 1) -> Json:
    return math.floor(value / size) * size if size else UNDEFINED


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)


def _modulo(left: float, right: float) -> float:
    return math.fmod(left, right)


def _power(base: float, exponent: float) -> float:
    return math.pow(base, exponent)


def _int32(value: Json) -> int:
    whole = int(value) & _MASK32
    return whole - 2**32 if whole >= 2**31 else whole


def _bits(compute: Callable[[int, int], int]) -> Callable[..., Json]:
    return _of_numbers(lambda left, right: _int32(compute(_int32(left), _int32(right))))


FUNCTIONS: dict[str, tuple[Callable[..., Json], int, int] | tuple[Callable[..., Json], int, int, bool]] = {
    "ABS": (_of_numbers(abs), 1, 1),
    "ACOS": (_of_numbers(math.acos), 1, 1),
    "ASIN": (_of_numbers(math.asin), 1, 1),
    "ATAN": (_of_numbers(math.atan), 1, 1),
    "ATN2": (_of_numbers(math.atan2), 2, 2),
    "CEILING": (_of_numbers(math.ceil), 1, 1),
    "COS": (_of_numbers(math.cos), 1, 1),
    "COT": (_of_numbers(lambda angle: 1 / math.tan(angle)), 1, 1),
    "DEGREES": (_of_numbers(math.degrees), 1, 1),
    "EXP": (_of_numbers(math.exp), 1, 1),
    "FLOOR": (_of_numbers(math.floor), 1, 1),
    "LOG": (_of_numbers(_log), 1, 2),
    "LOG10": (_of_numbers(math.log10), 1, 1),
    "NUMBERBIN": (_of_numbers(_bin), 1, 2),
    "PI": (lambda: math.pi, 0, 0),
    "POWER": (_of_numbers(_power), 2, 2),
    "RADIANS": (_of_numbers(math.radians), 1, 1),
    "RAND": (random.random, 0, 0, False),
    "ROUND": (_of_numbers(_round), 1, 2),
    "SIGN": (_of_numbers(_sign), 1, 1),
    "SIN": (_of_numbers(math.sin), 1, 1),
    "SQRT": (_of_numbers(math.sqrt), 1, 1),
    "SQUARE": (_of_numbers(lambda value: value * value), 1, 1),
    "TAN": (_of_numbers(math.tan), 1, 1),
    "TRUNC": (_of_numbers(math.trunc), 1, 1),
    "INTADD": (_of_integers(lambda a, b: a + b), 2, 2),
    "INTSUB": (_of_integers(lambda a, b: a - b), 2, 2),
    "INTMUL": (_of_integers(lambda a, b: a * b), 2, 2),
    "INTDIV": (_of_integers(_divide_whole), 2, 2),
    "INTMOD": (_of_integers(lambda a, b: a - b * _divide_whole(a, b)), 2, 2),
    "INTBITAND": (_of_integers(lambda a, b: a & b), 2, 2),
    "INTBITOR": (_of_integers(lambda a, b: a | b), 2, 2),
    "INTBITXOR": (_of_integers(lambda a, b: a ^ b), 2, 2),
    "INTBITNOT": (_of_integers(lambda a: ~a), 1, 1),
    "INTBITLEFTSHIFT": (_of_integers(lambda a, b: a << (b & 63)), 2, 2),
    "INTBITRIGHTSHIFT": (_of_integers(lambda a, b: a >> (b & 63)), 2, 2),
}
"""Name → implementation, least and most arguments, and whether it is deterministic."""


def _concatenate(left: Json, right: Json) -> Json:
    return left + right if isinstance(left, str) and isinstance(right, str) else UNDEFINED


OPERATORS: dict[str, Callable[..., Json]] = {
    "op_add": _of_numbers(lambda a, b: a + b),
    "op_subtract": _of_numbers(lambda a, b: a - b),
    "op_multiply": _of_numbers(lambda a, b: a * b),
    "op_divide": _of_numbers(lambda a, b: a / b),
    "op_modulo": _of_numbers(_modulo),
    "op_and": _bits(lambda a, b: a & b),
    "op_or": _bits(lambda a, b: a | b),
    "op_xor": _bits(lambda a, b: a ^ b),
    "op_left": _bits(lambda a, b: a << (b & 31)),
    "op_right": _bits(lambda a, b: a >> (b & 31)),
    "op_right_unsigned": _bits(lambda a, b: (a & _MASK32) >> (b & 31)),
    "op_negate": _of_numbers(lambda a: -a),
    "op_plus": _of_numbers(lambda a: +a),
    "op_invert": _of_numbers(lambda a: ~_int32(a)),
    "op_concatenate": _concatenate,
}
"""SQL name (after the prefix) → implementation."""

OPERATOR_NAMES = {
    "+": "op_add",
    "-": "op_subtract",
    "*": "op_multiply",
    "/": "op_divide",
    "%": "op_modulo",
    "&": "op_and",
    "|": "op_or",
    "^": "op_xor",
    "<<": "op_left",
    ">>": "op_right",
    ">>>": "op_right_unsigned",
    "||": "op_concatenate",
}
UNARY_NAMES = {"-": "op_negate", "+": "op_plus", "~": "op_invert"}
