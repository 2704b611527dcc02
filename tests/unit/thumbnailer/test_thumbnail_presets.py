"""The text form of presets."""

import pytest

from thumbnailer.imaging.recipe import Preset, parse_presets


def test_presets_are_parsed_in_their_order():
    """A preset is NAME=WIDTHxHEIGHT:fit:format:quality, and the quality may be left out."""
    assert parse_presets("card=320x240:cover:webp:80  large=1280x1280:contain:jpeg") == (
        Preset("card", 320, 240, "cover", "webp", 80),
        Preset("large", 1280, 1280, "contain", "jpeg", 80),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "at least one preset"),
        ("card", "'card' is not"),
        ("card=320:cover:webp", "is not NAME"),
        ("card=320x240:stretch:webp", "is not NAME"),
        ("card=320x240:cover:tiff", "is not NAME"),
        ("card=0x240:cover:webp", "1 to 4096 px"),
        ("card=320x9999:cover:webp", "1 to 4096 px"),
        ("card=32x24:cover:webp:0", "quality is 1 to 100"),
        ("a=1x1:cover:png a=2x2:cover:png", "names must differ"),
    ],
)
def test_a_wrong_preset_is_named(text: str, said: str):
    """A preset that makes no sense is refused with a message that names it."""
    with pytest.raises(ValueError, match=said):
        parse_presets(text)
