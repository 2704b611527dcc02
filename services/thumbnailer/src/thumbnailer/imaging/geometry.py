"""Sizes and crops: how a preset's box lies on an image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from thumbnailer.imaging.recipe import Fit, Preset

Size = tuple[int, int]
"""Width and height; px."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Which part of an image to take (left, top, right, bottom; px, fractions allowed) and the size to bring it to."""

    box: tuple[float, float, float, float]
    size: Size


def box_of(preset: Preset, *, sideways: bool) -> Size:
    """The preset's box as it lies on the image before EXIF rotation."""
    return (preset.height, preset.width) if sideways else (preset.width, preset.height)


def place(size: Size, box: Size, fit: Fit) -> Placement:
    """Where the box comes to lie on an image of this size. Never enlarges; no edge is under 1 px, however narrow the
    image."""
    return _cover(size, box) if fit == "cover" else _contain(size, box)


def _contain(size: Size, box: Size) -> Placement:
    scale = min(1.0, box[0] / size[0], box[1] / size[1])
    return Placement((0.0, 0.0, float(size[0]), float(size[1])), (_px(size[0] * scale), _px(size[1] * scale)))


def _cover(size: Size, box: Size) -> Placement:
    """The largest part in the middle that has the box's aspect ratio."""
    ratio = min(size[0] / box[0], size[1] / box[1])
    width, height = box[0] * ratio, box[1] * ratio
    left, top = max(0.0, (size[0] - width) / 2), max(0.0, (size[1] - height) / 2)
    shrink = min(1.0, 1 / ratio)
    target = (_px(width * shrink), _px(height * shrink))
    return Placement((left, top, min(left + width, size[0]), min(top + height, size[1])), target)


def _px(length: float) -> int:
    return max(1, round(length))


def decode_size(size: Size, presets: Sequence[Preset], *, sideways: bool) -> Size:
    """The least size that the whole image must be decoded at, so that no preset has to enlarge it."""
    scale = max(_scale(size, box_of(preset, sideways=sideways), preset.fit) for preset in presets)
    return max(1, math.ceil(size[0] * scale)), max(1, math.ceil(size[1] * scale))


def _scale(size: Size, box: Size, fit: Fit) -> float:
    choose = max if fit == "cover" else min
    return min(1.0, choose(box[0] / size[0], box[1] / size[1]))
