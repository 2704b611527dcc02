"""The photos that the thumbnail benchmark reads, and how like two images are.

uv run python -m bench.thumbnail_photos write FOLDER/jpeg_12mp.jpeg
uv run python -m bench.thumbnail_photos ssim PHOTO THUMBNAIL
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

SIZES_PX: Final = {"2mp": (1632, 1224), "12mp": (4000, 3000), "48mp": (8000, 6000)}
OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "jpeg": {"quality": 88},
    "png": {"compress_level": 3},
    "webp": {"method": 0},
}
"""JPEG at quality 88 with 4:2:0, as telephones write it."""


def photo(width: int, height: int) -> Image.Image:
    """A made-up inspection photo: sky, a field of panels with their grid, grass, and a sensor's grain."""
    rng = np.random.default_rng(7)
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    across = np.linspace(0, 1, width, dtype=np.float32)[None, :]
    sky = np.stack([120 + 80 * down + 0 * across, 160 + 60 * down + 0 * across, 230 - 10 * down + 0 * across], axis=-1)
    cells = ((across * 96 % 1 < 0.06) | (down * 72 % 1 < 0.06)).astype(np.float32)
    frames = ((across * 16 % 1 < 0.04) | (down * 12 % 1 < 0.05)).astype(np.float32)
    glare = np.exp(-((across - 0.6) ** 2 + (down - 0.55) ** 2) * 12)
    base = np.stack([18 + 90 * glare, 30 + 95 * glare, 70 + 100 * glare], axis=-1)
    panels = base + cells[..., None] * 30 + frames[..., None] * 110
    coarse = Image.fromarray((rng.random((height // 16, width // 16)) * 255).astype(np.uint8))
    blades = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), dtype=np.float32)
    grass = np.stack([50 + blades * 0.25, 80 + blades * 0.45, 30 + blades * 0.15], axis=-1)
    picture = np.where(down[..., None] < 0.3, sky, np.where(down[..., None] < 0.8, panels, grass))
    picture += rng.normal(0, 2.0, (height, width, 1)).astype(np.float32)
    return Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))


def write(path: Path) -> None:
    """Writes the photo that the file's name asks for."""
    kind, size = path.stem.split("_")
    photo(*SIZES_PX[size]).save(path, kind.upper(), **OPTIONS[kind])


Luma = npt.NDArray[np.float64]


def ssim(one: Image.Image, other: Image.Image) -> float:
    """Mean structural similarity of two images of one size: luma, windows of 8x8 px (Wang et al. 2004,
    doi:10.1109/TIP.2003.819861)."""
    x, y = (np.asarray(image.convert("L"), dtype=np.float64) for image in (one, other))
    mean_x, mean_y = _means(x), _means(y)
    var_x, var_y = _means(x * x) - mean_x**2, _means(y * y) - mean_y**2
    covariance = _means(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    likeness = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    return float(np.mean(likeness / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))))


def _means(values: Luma, window: int = 8) -> Luma:
    """The mean of each window."""
    sums = np.pad(values.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    total = sums[window:, window:] - sums[:-window, window:] - sums[window:, :-window] + sums[:-window, :-window]
    return np.asarray(total / window**2)


def likeness_of(path: Path, thumbnail: Path) -> float:
    """SSIM of a thumbnail to the whole photo resized by Lanczos and not compressed."""
    with Image.open(path) as image, Image.open(thumbnail) as small:
        return round(ssim(small, image.convert("RGB").resize(small.size, Image.Resampling.LANCZOS)), 4)


def main() -> None:
    """Reads the command line; prints JSON."""
    match sys.argv[1:]:
        case ["write", path]:
            write(Path(path))
            print("null")
        case ["ssim", path, thumbnail]:
            print(json.dumps(likeness_of(Path(path), Path(thumbnail))))
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
