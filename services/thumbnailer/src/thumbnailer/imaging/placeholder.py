"""What stands in for a photo until it has loaded: its dominant colour, and its BlurHash.

BlurHash (https://github.com/woltapp/blurhash/blob/master/Algorithm.md) keeps the first few terms of a cosine
transform of the image in linear light, as some thirty characters.
"""

from __future__ import annotations

import math
from collections import defaultdict
from functools import lru_cache
from operator import mul
from typing import Final

from PIL import Image

from thumbnailer.imaging.recipe import Preset

COMPONENTS: Final = (4, 3)
"""Cosine terms across and down."""
SAMPLE: Final = Preset("sample", 32, 32, "contain", "jpeg")
"""The few pixels of the whole photo that its colours are taken from."""

_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"

Colour = tuple[float, float, float]


def dominant_colour(small: Image.Image) -> str:
    """`#rrggbb`: the mean of the fullest cell when colours are sorted into 16 steps per channel."""
    cells: dict[tuple[int, int, int], list[tuple[int, int, int]]] = defaultdict(list)
    pixels = small.tobytes()
    for red, green, blue in zip(pixels[::3], pixels[1::3], pixels[2::3], strict=True):
        cells[red >> 4, green >> 4, blue >> 4].append((red, green, blue))
    fullest = max(cells.values(), key=len)
    red, green, blue = (round(sum(channel) / len(fullest)) for channel in zip(*fullest, strict=True))
    return f"#{red:02x}{green:02x}{blue:02x}"


def blurhash(small: Image.Image) -> str:
    """The BlurHash of an RGB image, with 4 by 3 components: 28 characters."""
    across, down = COMPONENTS
    planes = [_transform(small.getchannel(channel)) for channel in range(3)]
    factors: list[Colour] = [
        (planes[0][y][x], planes[1][y][x], planes[2][y][x]) for y in range(down) for x in range(across)
    ]
    mean, rest = factors[0], factors[1:]
    strongest = max(abs(value) for factor in rest for value in factor)
    quantised = max(0, min(82, math.floor(strongest * 166 - 0.5)))
    scale = (quantised + 1) / 166
    head = _base83((across - 1) + (down - 1) * 9, 1) + _base83(quantised, 1) + _base83(_encode_mean(mean), 4)
    return head + "".join(_base83(_encode_factor(factor, scale), 2) for factor in rest)


def _transform(plane: Image.Image) -> list[list[float]]:
    """The first cosine terms of one channel, `[down][across]`; the sums are separable, rows first."""
    width, height = plane.size
    across, down = COMPONENTS
    linear = [_LINEAR[value] for value in plane.tobytes()]
    rows = [linear[at : at + width] for at in range(0, width * height, width)]
    waves_x, waves_y = _waves(width, across), _waves(height, down)
    partial = [[sum(map(mul, row, wave)) for row in rows] for wave in waves_x]
    return [
        [
            sum(map(mul, partial[x], waves_y[y])) * (1.0 if x == y == 0 else 2.0) / (width * height)
            for x in range(across)
        ]
        for y in range(down)
    ]


@lru_cache(maxsize=128)
def _waves(length: int, terms: int) -> list[list[float]]:
    return [[math.cos(math.pi * term * at / length) for at in range(length)] for term in range(terms)]


def _to_linear(value: int) -> float:
    """sRGB 0..255 to linear light 0..1 (IEC 61966-2-1)."""
    share = value / 255
    return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4


_LINEAR: Final = [_to_linear(value) for value in range(256)]


def _to_srgb(value: float) -> int:
    share = max(0.0, min(1.0, value))
    return round((share * 12.92 if share <= 0.0031308 else 1.055 * share ** (1 / 2.4) - 0.055) * 255)


def _encode_mean(mean: Colour) -> int:
    red, green, blue = (_to_srgb(value) for value in mean)
    return red << 16 | green << 8 | blue


def _encode_factor(factor: Colour, scale: float) -> int:
    red, green, blue = (
        max(0, min(18, math.floor(math.copysign(math.sqrt(abs(value / scale)), value) * 9 + 9.5))) for value in factor
    )
    return red * 361 + green * 19 + blue


def _base83(value: int, length: int) -> str:
    return "".join(_ALPHABET[value // 83 ** (length - place) % 83] for place in range(1, length + 1))
