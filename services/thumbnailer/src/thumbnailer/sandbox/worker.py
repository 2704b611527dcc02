"""`python -m thumbnailer.sandbox.worker`: makes thumbnails of what comes in on stdin, shut in, until stdin ends."""

from __future__ import annotations

import io
import os
import resource
import sys
from typing import BinaryIO, Final

from PIL import Image

from thumbnailer.imaging.make import make
from thumbnailer.imaging.recipe import ImageRefusedError, Limits, Made, Recipe, parse_presets
from thumbnailer.sandbox.frames import Answer, Ready, Refused, confinement_decoder, encoder, frame, read_frame
from thumbnailer.sandbox.lockdown import lock_down

_WARM_FORMATS: Final = ("JPEG", "MPO", "PNG", "GIF", "WEBP", "AVIF", "TIFF", "BMP")


def main() -> None:
    """Takes the confinement from the first frame, then answers each image in turn."""
    answers = _take_stdout()
    images = sys.stdin.buffer
    first = read_frame(images)
    if first is None:
        return
    terms = confinement_decoder.decode(first)
    warm_up()
    means = lock_down(terms.memory_bytes, terms.cpu_s)
    _send(answers, encoder.encode(Ready(means)))
    while (data := read_frame(images)) is not None:
        outcome = judge(data, terms.recipe)
        _send(answers, encoder.encode(Answer(outcome, _cpu_s())))
        if isinstance(outcome, Refused) and outcome.spent:
            return


def judge(data: bytes, recipe: Recipe) -> Made | Refused:
    """The thumbnails of an image, or why there are none.

    A broken file makes Pillow raise almost anything; here its fate is decided, and the parent logs it.
    """
    try:
        return make(data, recipe)
    except ImageRefusedError as error:
        return Refused(error.reason, error.detail)
    except MemoryError:
        return Refused("memory", "decoding needs more memory than a worker may have", spent=True)
    except Exception as error:
        return Refused("broken", f"{type(error).__name__}: {error}"[:500])


def warm_up() -> None:
    """Makes Pillow load every module, codec and table that it loads when first used: later it can't open a file."""
    recipe = Recipe(
        presets=parse_presets("a=2x2:cover:jpeg b=2x2:cover:png c=2x2:cover:webp d=2x2:cover:avif e=2x2:cover:gif"),
        limits=Limits(),
        animation="keep",
        keep_exif=("Copyright",),
    )
    tags = Image.Exif()
    tags[0x8298] = "none"
    for name in _WARM_FORMATS:
        several = {"save_all": True, "append_images": [Image.new("RGB", (4, 4), "red")]} if name != "BMP" else {}
        buffer = io.BytesIO()
        extra = {} if name == "BMP" else {"exif": tags}
        if name == "JPEG":
            several = {}
        Image.new("RGB", (4, 4)).save(buffer, format=name, **extra, **several)
        judge(buffer.getvalue(), recipe)
    judge(b"\xff\xd8\xff broken", recipe)


def _take_stdout() -> BinaryIO:
    """The pipe to the parent, out of reach of a library that prints."""
    private = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(private, "wb")


def _send(answers: BinaryIO, body: bytes) -> None:
    answers.write(frame(body))
    answers.flush()


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
