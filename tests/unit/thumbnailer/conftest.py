"""Images made by the tests themselves."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from thumbnailer.imaging.recipe import Recipe, parse_presets

Encode = Callable[..., bytes]


def encoded(image: Image.Image, name: str, **options: Any) -> bytes:
    output = io.BytesIO()
    image.save(output, name, **options)
    return output.getvalue()


def quarters(width: int = 160, height: int = 120) -> Image.Image:
    """Red, green, blue and white quarters, clockwise from the top left: every flip and turn shows."""
    image = Image.new("RGB", (width, height))
    for place, colour in (((0, 0), "red"), ((1, 0), (0, 255, 0)), ((1, 1), "blue"), ((0, 1), "white")):
        left, top = place[0] * width // 2, place[1] * height // 2
        image.paste(colour, (left, top, left + width // 2, top + height // 2))
    return image


@pytest.fixture
def encode() -> Encode:
    """Encodes an image in one of Pillow's formats."""
    return encoded


@pytest.fixture
def four_quarters() -> Callable[..., Image.Image]:
    """Makes an image of four coloured quarters."""
    return quarters


@pytest.fixture
def recipe() -> Recipe:
    """One small PNG, so that colours can be compared exactly."""
    return Recipe(presets=parse_presets("card=80x80:contain:png"))
