"""How a box lies on an image."""

from hypothesis import given
from hypothesis import strategies as st

from thumbnailer.imaging.geometry import decode_size, place
from thumbnailer.imaging.recipe import Preset

edges = st.integers(1, 60_000)
sizes = st.tuples(edges, edges)
boxes = st.tuples(st.integers(1, 4096), st.integers(1, 4096))


@given(size=sizes, box=boxes)
def test_contained_images_fit_inside_the_box_whole(size, box):
    """`contain` keeps the whole image, never enlarges it and never exceeds the box, however narrow the image is."""
    placed = place(size, box, "contain")
    assert placed.box == (0, 0, *size)
    assert all(1 <= edge <= limit for edge, limit in zip(placed.size, box, strict=True))
    assert all(edge <= limit for edge, limit in zip(placed.size, size, strict=True))


@given(size=sizes, box=boxes)
def test_covering_images_fill_the_box_and_lie_inside_the_image(size, box):
    """`cover` takes a part that lies inside the image, in the box's shape, and never enlarges it."""
    placed = place(size, box, "cover")
    left, top, right, bottom = placed.box
    assert 0 <= left < right <= size[0]
    assert 0 <= top < bottom <= size[1]
    assert all(1 <= edge <= limit for edge, limit in zip(placed.size, box, strict=True))
    if size[0] >= box[0] and size[1] >= box[1]:
        assert placed.size == box


@given(size=sizes, box=boxes, fit=st.sampled_from(["cover", "contain"]))
def test_the_decoder_is_asked_for_enough_pixels(size, box, fit):
    """At the size asked of the decoder no thumbnail has to be enlarged."""
    needed = decode_size(size, [Preset("p", *box, fit, "png")], sideways=False)
    assert all(1 <= edge <= limit for edge, limit in zip(needed, size, strict=True))
    placed = place(size, box, fit)
    left, top, right, bottom = placed.box
    part = (right - left) * needed[0] / size[0], (bottom - top) * needed[1] / size[1]
    assert all(target <= max(1, edge + 0.5 + 1e-6) for target, edge in zip(placed.size, part, strict=True))
