"""What becomes of images of every kind."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from PIL import Image, ImageCms, ImageOps

from thumbnailer.imaging.make import make
from thumbnailer.imaging.recipe import ImageRefusedError, Limits, Recipe, Rendition, parse_presets

SAMPLES = Path(__file__).parent / "samples"
CORNERS = {"top left": (0.2, 0.2), "top right": (0.8, 0.2), "bottom right": (0.8, 0.8), "bottom left": (0.2, 0.8)}


def opened(rendition: Rendition) -> Image.Image:
    return Image.open(io.BytesIO(rendition.data))


def corners(image: Image.Image) -> list[str]:
    """The nearest named colour of each quarter, clockwise from the top left."""
    names = {(255, 0, 0): "red", (0, 255, 0): "green", (0, 0, 255): "blue", (255, 255, 255): "white"}
    rgb = image.convert("RGB")
    found = []
    for across, down in CORNERS.values():
        pixel = rgb.getpixel((int(across * rgb.width), int(down * rgb.height)))
        found.append(
            min(names.items(), key=lambda item: sum(abs(a - b) for a, b in zip(item[0], pixel, strict=True)))[1]
        )
    return found


def only(data: bytes, recipe: Recipe) -> Image.Image:
    return opened(make(data, recipe).renditions[0])


FORMATS = [
    ("JPEG", "image/jpeg", {"quality": 95}),
    ("PNG", "image/png", {}),
    ("GIF", "image/gif", {}),
    ("WEBP", "image/webp", {"quality": 95}),
    ("AVIF", "image/avif", {"quality": 90}),
    ("TIFF", "image/tiff", {"compression": "tiff_lzw"}),
    ("BMP", "image/bmp", {}),
]


@pytest.mark.parametrize(("name", "content_type", "options"), FORMATS, ids=[row[0] for row in FORMATS])
def test_every_format_is_known_by_its_content(name, content_type, options, four_quarters, encode):
    """An image of each format becomes a thumbnail in the preset's size, and its type is told from its bytes alone."""
    made = make(encode(four_quarters(), name, **options), Recipe(presets=parse_presets("card=80x80:contain:png")))
    assert (made.content_type, made.width, made.height) == (content_type, 160, 120)
    small = opened(made.renditions[0])
    assert small.size == (80, 60)
    assert corners(small) == ["red", "green", "blue", "white"]


def test_heic_is_read_and_upright(recipe):
    """A HEIC photo, as telephones take them, is decoded and shown as its rotation says."""
    made = make((SAMPLES / "rotated.heic").read_bytes(), recipe)
    assert (made.content_type, made.width, made.height) == ("image/heic", 120, 160)
    assert opened(made.renditions[0]).size == (60, 80)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("fit", ["contain", "cover"])
@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_exif_rotation_is_applied(orientation, fit, name, encode, four_quarters):
    """Each of the eight EXIF orientations comes out as Pillow's reference turns the whole image, and upright."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    source = encode(four_quarters(), name, exif=exif)
    with Image.open(io.BytesIO(source)) as image:
        reference = ImageOps.exif_transpose(image)
    made = make(source, Recipe(presets=parse_presets(f"card=40x30:{fit}:png")))
    small = opened(made.renditions[0])
    assert (made.width, made.height) == reference.size
    assert corners(small) == corners(reference)
    assert small.size == ((40, 30) if fit == "cover" or orientation < 5 else (22, 30))
    assert small.getexif().get(0x0112, 1) == 1


def test_metadata_is_stripped_but_for_what_is_allowed(encode, four_quarters):
    """GPS, comments, profiles and XMP do not reach a thumbnail; the tags on the allow-list do."""
    exif = Image.Exif()
    exif[0x8298], exif[0x013B], exif[0x010F] = "Plant", "Ada", "Camera"
    exif.get_ifd(0x8825)[1] = "N"
    source = encode(four_quarters(), "JPEG", exif=exif, comment=b"secret", icc_profile=srgb(), xmp=b"<x:xmpmeta/>")
    recipe = Recipe(
        presets=parse_presets("a=40x40:contain:jpeg b=40x40:contain:png c=40x40:contain:webp d=40x40:contain:avif"),
        keep_exif=("Copyright",),
    )
    for rendition in make(source, recipe).renditions:
        small = opened(rendition)
        tags = small.getexif()
        assert dict(tags) == {0x8298: "Plant"}
        assert not tags.get_ifd(0x8825)
        assert not {"comment", "icc_profile", "xmp", "XML:com.adobe.xmp"} & set(small.info)


def srgb() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def swapped_rgb() -> bytes:
    """sRGB with its red and blue primaries exchanged: a colour space in which red means blue."""
    profile = bytearray(srgb())
    count = int.from_bytes(profile[128:132], "big")
    entries = {bytes(profile[at : at + 4]): at for at in range(132, 132 + 12 * count, 12)}
    red, blue = entries[b"rXYZ"], entries[b"bXYZ"]
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(profile)


def test_colours_are_converted_to_srgb(recipe, encode, four_quarters):
    """The ICC profile decides what a pixel's numbers mean; the thumbnail is in sRGB and carries no profile."""
    small = only(encode(four_quarters(), "PNG", icc_profile=swapped_rgb()), recipe)
    assert corners(small) == ["blue", "green", "red", "white"]
    assert "icc_profile" not in small.info


@pytest.mark.parametrize("profile", [b"", b"nonsense", srgb()[:200], b"\0" * 128])
def test_a_broken_profile_counts_as_none(profile, recipe, encode, four_quarters):
    """A profile that makes no sense does not cost the photo its thumbnail."""
    assert corners(only(encode(four_quarters(), "PNG", icc_profile=profile), recipe)) == [
        "red", "green", "blue", "white",
    ]  # fmt: skip


def test_cmyk_comes_out_right(recipe, encode, four_quarters):
    """A CMYK photo, with Adobe's inversion or without, shows its colours."""
    for name, options in (("JPEG", {"quality": 95}), ("TIFF", {})):
        small = only(encode(four_quarters().convert("CMYK"), name, **options), recipe)
        assert corners(small) == ["red", "green", "blue", "white"]


@pytest.mark.parametrize("name", ["PNG", "TIFF"])
def test_sixteen_bits_keep_their_brightness(name, recipe, encode):
    """A sample of 16 bits becomes 8 by scaling: half bright stays half bright, and does not clip to white."""
    small = only(encode(Image.new("I;16", (64, 64), 32768), name), recipe)
    assert small.convert("L").getpixel((5, 5)) == pytest.approx(128, abs=1)


@pytest.mark.parametrize("mode", ["I", "F"])
def test_samples_without_a_fixed_white_are_stretched(mode, recipe, encode):
    """A thermal picture of degrees shows its least value as black and its greatest as white."""
    image = Image.new(mode, (64, 64), 20)
    image.paste(60, (32, 0, 64, 64))
    small = only(encode(image, "TIFF"), recipe).convert("L")
    assert small.getpixel((4, 30)) == pytest.approx(0, abs=2)
    assert small.getpixel((60, 30)) == pytest.approx(255, abs=2)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB"])
def test_every_mode_is_brought_to_srgb(mode, recipe, encode):
    """Whatever mode a file is in, a grey picture stays grey."""
    grey = Image.new("L", (64, 64), 128)
    if mode == "LAB":
        image = ImageCms.profileToProfile(
            grey.convert("RGB"), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
        )
    else:
        image = Image.new(mode, grey.size, 1) if mode == "1" else grey.convert("P" if mode == "PA" else mode)
    small = only(encode(image, "TIFF"), recipe).convert("RGB")
    red, green, blue = small.getpixel((10, 10))
    expected = 255 if mode == "1" else 128
    assert max(abs(red - expected), abs(green - expected), abs(blue - expected)) <= 3


def see_through(mode: str) -> Image.Image:
    image = Image.new("RGBA", (64, 64), (255, 0, 0, 255))
    image.paste((0, 0, 0, 0), (32, 0, 64, 64))
    return image.quantize() if mode == "P" else image


@pytest.mark.parametrize("mode", ["RGBA", "P"])
def test_transparency_is_kept_or_laid_on_the_background(mode, encode):
    """`keep` keeps alpha where the format has it; `flatten`, or a JPEG, shows the background instead."""
    recipe = Recipe(presets=parse_presets("a=32x32:contain:png b=32x32:contain:jpeg:95"), background="#0000ff")
    source = encode(see_through(mode), "PNG")
    kept, flat = (opened(rendition) for rendition in make(source, recipe).renditions)
    assert kept.getpixel((25, 10)) == (0, 0, 0, 0) or kept.getpixel((25, 10))[3] == 0
    assert flat.getpixel((28, 10))[2] > 240
    flattened = make(source, msgspec.structs.replace(recipe, alpha="flatten")).renditions[0]
    assert opened(flattened).getpixel((28, 10)) == (0, 0, 255)


def test_transparent_pixels_leave_no_fringe(encode):
    """The colour hidden under full transparency does not bleed into the edge."""
    image = Image.new("RGBA", (64, 64), (255, 255, 255, 255))
    image.paste((255, 0, 0, 0), (31, 0, 64, 64))
    small = opened(make(encode(image, "PNG"), Recipe(presets=parse_presets("a=16x16:contain:png"))).renditions[0])
    for across in range(16):
        red, green, _, alpha = small.getpixel((across, 8))
        assert alpha < 8 or red - green < 8


def moving(encode, name: str, frames: int = 3) -> bytes:
    colours = ["red", (0, 255, 0), "blue", "white"]
    images = [Image.new("RGB", (40, 30), colours[at % 4]) for at in range(frames)]
    return encode(images[0], name, save_all=True, append_images=images[1:], duration=[100, 200, 300][:frames], loop=0)


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG", "AVIF"])
def test_animations_show_their_first_frame_or_move(name, encode):
    """The first frame alone by default; all frames with their timing when the setting says so."""
    presets = parse_presets("a=20x20:contain:webp b=20x20:contain:gif c=20x20:contain:jpeg")
    first = make(moving(encode, name), Recipe(presets=presets))
    assert [getattr(opened(rendition), "n_frames", 1) for rendition in first.renditions] == [1, 1, 1]
    kept = make(moving(encode, name), Recipe(presets=presets, animation="keep"))
    assert [getattr(opened(rendition), "n_frames", 1) for rendition in kept.renditions] == [3, 3, 1]
    gif = opened(kept.renditions[1])
    durations = []
    for frame in range(3):
        gif.seek(frame)
        durations.append(gif.info["duration"])
    assert durations == [100, 200, 300]


def test_the_further_images_of_a_telephones_jpeg_are_no_animation(encode):
    """An MPO, the JPEG with a preview or gain map of another size behind it, shows its photo alone."""
    gain_map = Image.new("RGB", (10, 8), "blue")
    source = encode(Image.new("RGB", (40, 30), "red"), "MPO", save_all=True, append_images=[gain_map])
    made = make(source, Recipe(presets=parse_presets("a=20x20:contain:webp"), animation="keep"))
    assert made.content_type == "image/jpeg"
    assert getattr(opened(made.renditions[0]), "n_frames", 1) == 1


def test_an_animation_over_the_limit_of_frames_is_refused(encode):
    """Frames are counted before they are decoded."""
    recipe = Recipe(presets=parse_presets("a=20x20:contain:gif"), animation="keep", limits=Limits(max_frames=2))
    with pytest.raises(ImageRefusedError, match="too-many-frames: 3 frames, the limit is 2"):
        make(moving(encode, "GIF"), recipe)


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1), (3, 2), (320, 241)])
@pytest.mark.parametrize("fit", ["cover", "contain"])
def test_narrow_and_tiny_images_work(size, fit, encode):
    """No edge becomes zero and nothing is enlarged, however odd the image's shape."""
    made = make(encode(Image.new("RGB", size, "red"), "PNG"), Recipe(presets=parse_presets(f"a=320x240:{fit}:png")))
    small = opened(made.renditions[0])
    assert all(1 <= edge <= limit for edge, limit in zip(small.size, size, strict=True))


def test_facts_about_the_photo_are_told(recipe, encode):
    """Size as shown, dominant colour, BlurHash and, if it has an offset, the time that it was taken."""
    image = Image.new("RGB", (80, 60), (10, 120, 200))
    image.paste("white", (0, 0, 20, 60))
    exif = Image.Exif()
    exif.get_ifd(0x8769).update({0x9003: "2026:07:01 12:30:00", 0x9011: "+09:00"})
    made = make(encode(image, "JPEG", exif=exif, quality=95, subsampling=0), recipe)
    assert made.taken_at == datetime(2026, 7, 1, 3, 30, tzinfo=UTC)
    assert (made.width, made.height) == (80, 60)
    channels = [int(made.dominant_colour[at : at + 2], 16) for at in (1, 3, 5)]
    assert channels == pytest.approx([10, 120, 200], abs=3)
    assert len(made.placeholder) == 28


def test_a_time_without_an_offset_is_not_guessed(recipe, encode):
    """A camera's local time says too little, so it is left out."""
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2026:07:01 12:30:00"
    assert make(encode(Image.new("RGB", (8, 8)), "JPEG", exif=exif), recipe).taken_at is None


def test_a_thumbnail_is_the_same_each_time(recipe, encode, four_quarters):
    """The same photo by the same recipe gives the same bytes, so a repeat changes nothing."""
    source = encode(four_quarters(), "JPEG")
    assert make(source, recipe) == make(source, recipe)
