"""BlurHash and dominant colour."""

from __future__ import annotations

import math

from PIL import Image

from thumbnailer.imaging.placeholder import blurhash, dominant_colour

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"


def number(text: str) -> int:
    value = 0
    for character in text:
        value = value * 83 + ALPHABET.index(character)
    return value


def decoded(text: str, width: int, height: int) -> list[list[tuple[float, ...]]]:
    """A decoder written from BlurHash's published algorithm: linear light, `[row][column]`."""
    across, down = number(text[0]) % 9 + 1, number(text[0]) // 9 + 1
    strongest = (number(text[1]) + 1) / 166
    mean = number(text[2:6])
    terms = [tuple(linear(mean >> shift & 255) for shift in (16, 8, 0))]
    for at in range(1, across * down):
        value = number(text[4 + 2 * at : 6 + 2 * at])
        parts = (value // 361, value // 19 % 19, value % 19)
        terms.append(tuple(math.copysign(((part - 9) / 9) ** 2, part - 9) * strongest for part in parts))
    return [
        [
            tuple(
                sum(
                    terms[i + j * across][channel]
                    * math.cos(math.pi * x * i / width)
                    * math.cos(math.pi * y * j / height)
                    for j in range(down)
                    for i in range(across)
                )
                for channel in range(3)
            )
            for x in range(width)
        ]
        for y in range(height)
    ]


def linear(value: int) -> float:
    share = value / 255
    return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4


def test_a_blurhash_decodes_to_the_blurred_image():
    """Decoded by the published algorithm, the hash is near the image where that is smooth."""
    image = Image.linear_gradient("L").resize((32, 24)).convert("RGB")
    text = blurhash(image)
    assert len(text) == 28
    picture = decoded(text, 32, 24)
    for y in range(2, 22, 4):
        assert abs(picture[y][16][0] - linear(image.getpixel((16, y))[0])) < 0.08


def test_one_colour_keeps_its_mean_exactly():
    """The first term is the mean colour, to the last bit."""
    text = blurhash(Image.new("RGB", (32, 24), (12, 200, 99)))
    assert number(text[2:6]) == 12 << 16 | 200 << 8 | 99


def test_the_dominant_colour_is_the_most_common_not_the_mean():
    """Two thirds of blue and a third of yellow are blue, not grey."""
    image = Image.new("RGB", (30, 30), (0, 0, 250))
    image.paste((250, 250, 0), (0, 0, 10, 30))
    assert dominant_colour(image) == "#0000fa"
