"""What a thumbnail costs, safety and all: ours beside vipsthumbnail, naive Pillow and the bare decode.

    uv run python -m bench.thumbnails [--quick] [--json] [--drop N]

Each contender makes a JPEG of 320 px at quality 80 from the same files, in rounds that alternate so that a noisy
machine is noisy for all; the least of the rounds counts. CPU seconds are those of all processes involved.

- `ours`: bytes through the sandbox and back, as the service does it: pipes, worker process, seccomp, limits, EXIF,
  colours, dominant colour and BlurHash; with its share of a worker's start (one in 500 images).
- `vipsthumbnail`: Debian's libvips-tools, one command an image; `vipsthumbnail_batch`: one command for all images.
- `pillow_naive`: open, decode the whole image, `thumbnail` over all its pixels (`reducing_gap=None`), save.
  `pillow_default`: the same with `thumbnail`'s own default gap of 2.
- `bare_draft`: scaled decode, resize and encode in this process and nothing else: the floor.

SSIM is against the whole image resized by Lanczos and not compressed (`bench.thumbnail_photos` makes the photos).
`--drop N` also measures from upload to thumbnail, with N photos dropped at once into a running stack.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import psutil
import structlog
from PIL import Image

from bench import report
from thumbnailer.imaging.recipe import Limits, Recipe, parse_presets
from thumbnailer.sandbox import Sandbox, SandboxSettings

EDGE_PX: Final = 320
QUALITY: Final = 80
IMAGES_PER_WORKER: Final = 500
PHOTOS: Final = ("jpeg_2mp", "jpeg_12mp", "jpeg_48mp", "png_12mp", "webp_12mp")
RECIPE: Final = Recipe(presets=parse_presets("thumb=320x320:contain:jpeg:80"), limits=Limits(max_pixels=60_000_000))


def encoded(image: Image.Image) -> bytes:
    """The thumbnail as a JPEG."""
    output = io.BytesIO()
    image.convert("RGB").save(output, "JPEG", quality=QUALITY)
    return output.getvalue()


def naive(data: bytes) -> bytes:
    """All pixels decoded, all pixels resampled."""
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        image.thumbnail((EDGE_PX, EDGE_PX), reducing_gap=None)
        return encoded(image)


def default(data: bytes) -> bytes:
    """All pixels decoded, and `thumbnail` as it comes."""
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        image.thumbnail((EDGE_PX, EDGE_PX))
        return encoded(image)


def bare_draft(data: bytes) -> bytes:
    """Scaled decode, resize, encode."""
    with Image.open(io.BytesIO(data)) as image:
        scale = EDGE_PX / max(image.size)
        size = (round(image.width * scale), round(image.height * scale))
        image.draft("RGB", size)
        return encoded(image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0))


IN_PROCESS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "pillow_naive": naive,
    "pillow_default": default,
    "bare_draft": bare_draft,
}


def cpu_s(*whose: int) -> float:
    """CPU seconds used so far."""
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, whose))


def measured(work: Callable[[], object], count: int) -> dict[str, float]:
    """CPU milliseconds an image, this process and its ended children together, and the highest memory of either."""
    both = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    before = cpu_s(*both)
    work()
    peak_kb = max(resource.getrusage(who).ru_maxrss for who in both)
    return {"cpu_ms": (cpu_s(*both) - before) / count * 1000, "peak_mb": peak_kb / 1024}


async def through_sandbox(data: bytes, count: int) -> bytes:
    """So many images through one worker; the last thumbnail."""
    async with Sandbox(RECIPE, SandboxSettings(workers=1, images_per_worker=IMAGES_PER_WORKER)) as sandbox:
        for _ in range(count):
            made = await sandbox.make(data)
    return made.renditions[0].data


def ours(data: bytes, count: int) -> dict[str, float]:
    """The steady cost of an image, and its share of what a worker costs to start."""
    steady_ms, start_ms = asyncio.run(steady_and_start(data, count))
    peak_kb = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {"cpu_ms": steady_ms + start_ms / IMAGES_PER_WORKER, "start_ms": start_ms, "peak_mb": peak_kb / 1024}


async def steady_and_start(data: bytes, count: int) -> tuple[float, float]:
    """CPU milliseconds of an image once a worker runs, of both processes together; and of a worker's start."""
    settings = SandboxSettings(workers=1, images_per_worker=IMAGES_PER_WORKER)
    async with Sandbox(RECIPE, settings) as sandbox:
        await sandbox.make(data)
        (worker,) = psutil.Process().children()
        born_s = process_cpu_s(worker.pid)
        before_s = time.process_time() + born_s
        for _ in range(count):
            await sandbox.make(data)
        steady_s = (time.process_time() + process_cpu_s(worker.pid) - before_s) / count
    return steady_s * 1000, (born_s - steady_s) * 1000


def process_cpu_s(pid: int) -> float:
    """CPU seconds that another process has used: the kernel's clock of it, whose id is made of the process id."""
    return time.clock_gettime(~pid << 3 | 2)


def vips(path: Path, count: int, *, batch: bool) -> dict[str, float]:
    """vipsthumbnail, one command for each of some copies of the file or one for all; it would remember a file that it
    has seen."""
    command = ["vipsthumbnail", "--size", f"{EDGE_PX}x{EDGE_PX}", "-o", f"{path.parent}/vips-%s.jpg[Q={QUALITY}]"]
    copies = [str(shutil.copy(path, path.with_stem(f"copy{at}"))) for at in range(count)]

    def work() -> None:
        for files in [copies] if batch else [[copy] for copy in copies]:
            subprocess.run([*command, *files], check=True)

    return measured(work, count)


def run_one(name: str, path: Path, count: int) -> dict[str, float]:
    """One contender on one file; in a process of its own, so that its peak of memory is its own."""
    if name.startswith("vips"):
        return vips(path, count, batch=name.endswith("batch"))
    data = path.read_bytes()
    if name == "ours":
        return ours(data, count)
    return measured(lambda: [IN_PROCESS[name](data) for _ in range(count)], count)


def contest(path: Path, rounds: int, count: int) -> dict[str, dict[str, float]]:
    """All contenders on one file, the least of some alternating rounds."""
    names = ["ours", *IN_PROCESS]
    if shutil.which("vipsthumbnail"):
        names += ["vipsthumbnail", "vipsthumbnail_batch"]
    best: dict[str, dict[str, float]] = {}
    for _ in range(rounds):
        for name in names:
            result = in_process("bench.thumbnails", "--one", name, str(path), "--count", str(count))
            if name not in best or result["cpu_ms"] < best[name]["cpu_ms"]:
                best[name] = result
    return {name: {key: round(value, 1) for key, value in result.items()} for name, result in best.items()}


def in_process(module: str, *arguments: str) -> Any:  # noqa: ANN401 - what it printed
    """What a module prints as JSON, run in a process of its own. The kernel passes the memory peak of a parent on to
    its child, so whoever needs much memory does it there."""
    command = [sys.executable, "-m", module, *arguments]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def examine(path: Path, rounds: int, count: int) -> dict[str, Any]:
    """What each contender costs on a file, and how like the original ours is."""
    thumbnail = path.with_suffix(".thumbnail")
    thumbnail.write_bytes(asyncio.run(through_sandbox(path.read_bytes(), 1)))
    return {
        "bytes": path.stat().st_size,
        "ssim": in_process("bench.thumbnail_photos", "ssim", str(path), str(thumbnail)),
        **contest(path, rounds, count),
    }


def compare(*, quick: bool) -> dict[str, Any]:
    """The whole contest."""
    names = ["jpeg_12mp"] if quick else list(PHOTOS)
    rounds, count = (2, 5) if quick else (3, 6)
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder) / f"{name}.{name.split('_')[0]}" for name in names}
        for path in files.values():
            in_process("bench.thumbnail_photos", "write", str(path))
        detail: dict[str, Any] = {name: examine(path, rounds, count) for name, path in files.items()}
    main = detail["jpeg_12mp"]
    speeds = {name: round(1000 / figures["cpu_ms"], 2) for name, figures in main.items() if isinstance(figures, dict)}
    mine = speeds.pop("ours")
    detail["times_as_fast_as"] = {name: round(mine / speed, 2) for name, speed in speeds.items()}
    return {
        "bench": "thumbnails",
        "unit": "images per CPU second at 12 MP JPEG",
        "ours": mine,
        "peers": {name: speeds[name] for name in ("vipsthumbnail", "pillow_naive", "bare_draft") if name in speeds},
        "detail": detail,
    }


def main() -> None:
    """Reads the command line and prints the result."""
    parser = report.parser(__doc__, quick="the 12 megapixel JPEG alone, fewer rounds")
    parser.add_argument("--drop", type=int, metavar="N", default=0, help="also drop N photos at once into a stack")
    parser.add_argument("--one", nargs=2, metavar=("NAME", "FILE"), help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, default=10, help=argparse.SUPPRESS)
    given = parser.parse_args()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    if given.one:
        print(json.dumps(run_one(given.one[0], Path(given.one[1]), given.count)))
        return
    result = compare(quick=given.quick)
    if given.drop:
        result["detail"]["upload_to_thumbnail"] = in_process("bench.photo_drop", "--photos", str(given.drop), "--json")[
            "detail"
        ]
    report.tell(result, as_json=given.json)


if __name__ == "__main__":
    main()
