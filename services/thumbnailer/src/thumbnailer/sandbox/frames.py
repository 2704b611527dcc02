"""What crosses the pipes between parent and worker: frames of four bytes of length (big endian) and a body."""

from __future__ import annotations

from typing import BinaryIO, Final

import msgspec

from thumbnailer.imaging.recipe import Made, Recipe

LENGTH_BYTES: Final = 4


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The worker's first word: it is shut in, by the named means."""

    confinement: tuple[str, ...]


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """The image can't or may not be made into thumbnails."""

    reason: str
    detail: str
    spent: bool = False
    """The worker ends after this, since its memory may be in disorder."""


class Answer(msgspec.Struct, frozen=True):
    """The outcome of one image, and the CPU seconds that the worker has used since it was born."""

    outcome: Made | Refused
    cpu_s: float


class Confinement(msgspec.Struct, frozen=True):
    """What a worker shuts itself in with."""

    memory_bytes: int
    cpu_s: int
    """Over its whole life."""
    recipe: Recipe


encoder = msgspec.msgpack.Encoder()
confinement_decoder = msgspec.msgpack.Decoder(Confinement)
ready_decoder = msgspec.msgpack.Decoder(Ready)
answer_decoder = msgspec.msgpack.Decoder(Answer)


def frame(body: bytes) -> bytes:
    """A short body with its length before it."""
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


def read_frame(stream: BinaryIO) -> bytes | None:
    """The next body from a blocking stream, or None at its end."""
    head = stream.read(LENGTH_BYTES)
    if len(head) < LENGTH_BYTES:
        return None
    return stream.read(int.from_bytes(head, "big"))
