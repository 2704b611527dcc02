"""Files made to mislead: cut off, lying about their size, two things at once, or small and enormous."""

from __future__ import annotations

import os
import random
import struct
import zlib
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from PIL import Image

from thumbnailer.imaging.make import make
from thumbnailer.imaging.recipe import Limits, Made, Recipe, parse_presets
from thumbnailer.sandbox.frames import Confinement, Refused
from thumbnailer.sandbox.process import WorkerDiedError, WorkerProcess
from thumbnailer.sandbox.worker import judge

SMALL = Recipe(presets=parse_presets("card=16x16:cover:jpeg"), limits=Limits(max_bytes=1_000_000, max_pixels=1_000_000))
FUZZED = 10_000
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "AVIF", "TIFF", "BMP")
OPTIONS = {"AVIF": {"speed": 10}}


def reason(data: bytes, recipe: Recipe = SMALL) -> str:
    """Why the image is refused; fails if a thumbnail is made."""
    outcome = judge(data, recipe)
    assert isinstance(outcome, Refused), outcome
    return outcome.reason


def png(width: int, height: int, rows: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of 8-bit grey whose header may say what it likes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    between = b"".join(chunk(*pair) for pair in chunks)
    return b"\x89PNG\r\n\x1a\n" + header + between + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_truncated_file_is_broken(name, share, encode):
    """A file that ends too soon is refused, not shown half grey."""
    image = Image.effect_noise((200, 200), 80).convert("RGB")
    whole = encode(image, name, **OPTIONS.get(name, {}))
    assert reason(whole[: int(share * len(whole))]) == "broken"


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"\x89PNG", b"<svg/>", b"%PDF-1.7", b"%!PS-Adobe-3.0 EPSF", b"PK\x03\x04"]
)
def test_what_is_no_allowed_format_is_never_opened(data):
    """Formats that are not on the list, PostScript and SVG above all, meet no decoder."""
    assert reason(data) == "unknown-format"


def test_the_extension_is_never_asked(encode):
    """Pillow knows dozens of formats; only what the first bytes announce is tried, with that format's decoder."""
    for name in ("PPM", "TGA", "ICO", "PCX", "SGI", "EPS", "PDF"):
        assert reason(encode(Image.new("RGB", (16, 16)), name)) == "unknown-format"


def test_a_header_that_lies_about_its_size_is_refused():
    """A PNG that promises 400 megapixels is never decoded; one that promises more rows than it holds costs no more
    than its header says, and shows those that there are."""
    assert isinstance(judge(png(900, 900, b"\0" + b"x" * 900), SMALL), Made)
    assert reason(png(900, 900, b"")) in ("broken", "memory")
    assert reason(png(20_000, 20_000, b"\0")) == "too-many-pixels"
    assert reason(png(2_000_000_000, 1, b"\0")) in ("too-many-pixels", "broken")
    assert reason(png(0, 10, b"\0")) == "broken"


def test_bombs_are_refused_before_they_are_decoded(encode):
    """A few kilobytes that unfold to 2.5 gigapixels are refused by their header, in next to no time."""
    rows = zlib.compressobj()
    body = rows.compress(bytes(50_000 * 100)) + rows.flush()
    bomb = bytearray(png(50_000, 50_000, b""))
    assert reason(bytes(bomb) + body) == "too-many-pixels"
    assert reason(encode(Image.new("L", (1001, 1000)), "GIF")) == "too-many-pixels"


def test_a_text_chunk_that_unfolds_to_gigabytes_is_refused(encode):
    """A compressed comment of a PNG may not fill the memory."""
    bomb = zlib.compress(bytes(200 * 1024 * 1024), 9)
    data = png(4, 4, (b"\0" + bytes(4)) * 4, (b"zTXt", b"comment\0\0" + bomb), (b"iCCP", b"icc\0\0" + bomb))
    assert isinstance(judge(data, SMALL), Made | Refused)


def test_an_animation_of_too_many_pixels_is_refused(encode):
    """All frames together count against the limit when all of them are to be shown."""
    frames = [Image.new("L", (500, 500), at) for at in range(5)]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    moving = Recipe(presets=parse_presets("a=16x16:cover:gif"), animation="keep", limits=SMALL.limits)
    assert reason(data, moving) == "too-many-pixels"
    assert isinstance(judge(data, SMALL), Made)


def test_a_file_over_the_limit_of_bytes_is_refused():
    """Size is checked before anything is read."""
    assert reason(b"\xff\xd8\xff" + bytes(1_000_000)) == "too-many-bytes"


def test_a_polyglot_is_only_what_its_first_bytes_say(encode):
    """A file that is an image and something else besides is decoded as the image, and nothing of the rest survives."""
    image = encode(Image.new("RGB", (32, 32), "red"), "JPEG")
    script = b"<script>alert(1)</script>"
    archive = b"PK\x03\x04" + bytes(26) + b"evil.sh"
    for data in (image + archive, image + script, image[:2] + b"\xff\xfe\x00\x1b" + script + image[2:]):
        made = make(data, SMALL)
        assert made.content_type == "image/jpeg"
        assert b"script" not in made.renditions[0].data
        assert b"evil" not in made.renditions[0].data
    assert reason(script + image) == "unknown-format"


def test_one_format_in_the_clothes_of_another_is_broken(encode):
    """The bytes of one format after another's first bytes are not handed on to a decoder that might like them."""
    jpeg = encode(Image.new("RGB", (32, 32)), "JPEG")
    for head in (
        b"GIF89a",
        b"\x89PNG\r\n\x1a\n",
        b"II*\x00",
        b"RIFF\x00\x00\x00\x00WEBP",
        b"BM" + bytes(12) + b"\x28\0\0\0",
    ):
        assert reason(head + jpeg) in ("broken", "too-many-pixels")


@pytest.mark.parametrize("brand", [b"heic", b"avif", b"mif1", b"isom"])
def test_a_brand_of_nonsense_is_refused(brand):
    """A file of the ISO family is told by its brands, and a hollow one is broken or unknown."""
    data = b"\x00\x00\x00\x18ftyp" + brand + bytes(4) + b"mif1" + brand + os.urandom(200)
    assert reason(data) == ("broken" if brand in (b"heic", b"avif") else "unknown-format")


def test_an_upright_thumbnail_survives_a_mad_exif_block(encode):
    """Orientation 0, 9 or text, and an EXIF block of noise, cost nothing."""
    for value in (0, 9, 65535):
        exif = Image.Exif()
        exif[0x0112] = value
        assert make(encode(Image.new("RGB", (32, 16)), "JPEG", exif=exif), SMALL).width == 32
    noise = b"Exif\0\0" + random.Random(1).randbytes(200)
    assert isinstance(judge(encode(Image.new("RGB", (32, 16)), "JPEG", exif=noise), SMALL), Made | Refused)


def seeds(encode) -> list[bytes]:
    """One small file of each format, HEIC included, with metadata to stumble over."""
    image = Image.effect_noise((24, 16), 60).convert("RGB")
    exif = Image.Exif()
    exif[0x0112], exif[0x8298] = 6, "Plant"
    plain = {"GIF": {}, "BMP": {}}
    files = [encode(image, name, **plain.get(name, {"exif": exif}), **OPTIONS.get(name, {})) for name in FORMATS]
    files.append(encode(image, "JPEG", progressive=True, exif=exif))
    files.append(encode(image, "TIFF", compression="tiff_lzw"))
    files.append(encode(image, "GIF", save_all=True, append_images=[image.rotate(90)]))
    files.append((Path(__file__).parent / "samples" / "rotated.heic").read_bytes())
    return files


def mutate(data: bytes, chance: random.Random) -> bytes:
    """The file with a few bytes changed, cut out, doubled or cut off."""
    file = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        at = chance.randrange(len(file))
        match chance.randrange(6):
            case 0 | 1:
                file[at] ^= 1 << chance.randrange(8)
            case 2:
                file[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF))
            case 3:
                file[at : at + 4] = chance.choice((b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\x7f\xff\xff\xff"))
            case 4:
                del file[at : at + chance.randrange(1, 16)]
            case _:
                file[at:at] = file[at : at + chance.randrange(1, 64)]
        if len(file) < 16:
            break
    return bytes(file)


@pytest.mark.timeout(300)
def test_ten_thousand_fuzzed_files_leave_the_sandbox_standing(encode):
    """Whatever is done to a file, the answer is a thumbnail or a refusal with a reason; a worker that dies of one takes
    no other with it, and the next image is made."""
    seed = random.SystemRandom().randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    files = seeds(encode)
    confinement = Confinement(1 << 30, 600, msgspec.structs.replace(SMALL, animation="keep"))
    worker = WorkerProcess(confinement, image_cpu_s=10).start()
    fates: Counter[str] = Counter()
    try:
        for at in range(FUZZED):
            try:
                outcome = worker.answer(mutate(files[at % len(files)], chance)).outcome
            except WorkerDiedError as error:
                fates[error.verdict().reason] += 1
                worker = WorkerProcess(confinement, image_cpu_s=10).start()
            else:
                fates[outcome.reason if isinstance(outcome, Refused) else "made"] += 1
        assert isinstance(worker.answer(files[0]).outcome, Made)
    finally:
        worker.kill()
    print(dict(fates))
    assert fates.total() == FUZZED
    assert fates["made"] > FUZZED // 20
    assert fates["broken"] > FUZZED // 20
