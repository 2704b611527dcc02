"""A photo in, a thumbnail out, and its facts on the plant's page."""

from __future__ import annotations

from io import BytesIO

import pytest
from azure.storage.blob import BlobServiceClient
from PIL import Image

from heliograph import topology
from tests.flow.conftest import Stack, eventually

ORIENTATION, ROTATE_CW = 0x0112, 6


def photo() -> bytes:
    """A 400 × 200 JPEG, red on its left half, that asks to be turned by 90° clockwise."""
    image = Image.new("RGB", (400, 200), "blue")
    image.paste("red", (0, 0, 200, 200))
    exif = Image.Exif()
    exif[ORIENTATION] = ROTATE_CW
    out = BytesIO()
    image.save(out, "JPEG", exif=exif)
    return out.getvalue()


@pytest.mark.timeout(120)
def test_a_photo_becomes_an_upright_thumbnail(stack: Stack) -> None:
    """An uploaded photo has its thumbnails within seconds, turned as EXIF says, listed in Cosmos under its plant."""
    with BlobServiceClient.from_connection_string(stack.storage) as blobs:
        blobs.get_blob_client(topology.UPLOADS, "photographed/inverter.jpg").upload_blob(photo())
        found = eventually(
            lambda: [one for one in stack.documents("photos") if one["plant_id"] == "photographed"], bool, 60
        )
        assert len(found) == 1
        facts = found[0]
        assert (facts["width"], facts["height"]) == (200, 400)
        assert facts["thumbnails"]
        for thumbnail in facts["thumbnails"]:
            data = blobs.get_blob_client(topology.THUMBNAILS, thumbnail["blob"]).download_blob().readall()
            image = Image.open(BytesIO(data)).convert("RGB")
            assert image.size == (thumbnail["width"], thumbnail["height"])
            top = image.getpixel((image.width // 2, 2))
            bottom = image.getpixel((image.width // 2, image.height - 3))
            assert isinstance(top, tuple)
            assert isinstance(bottom, tuple)
            assert (top[0] > 200, top[2] < 60) == (True, True), "red is on top after the turn"
            assert (bottom[2] > 200, bottom[0] < 60) == (True, True)
