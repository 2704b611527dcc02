"""What two listings, read side by side, say about missed photos."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from thumbnailer.comparison import GONE, Listed, Page, Pages, Patience, side_by_side

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
PATIENCE = Patience(recipe="r1", grace_s=10, requeue_s=60)


def upload(name: str = "p/a", etag: str = "1", age_s: float = 100) -> Listed:
    return Listed(name, etag, 5, NOW - timedelta(seconds=age_s), {})


def receipt(state: str = "done", etag: str = "1", recipe: str = "r1", age_s: float = 10) -> Listed:
    at = (NOW - timedelta(seconds=age_s)).isoformat()
    return Listed("t/p/a", "receipt", 5, NOW, {"state": state, "etag": etag, "recipe": recipe, "at": at})


def what(photo: Listed | None, filed: Listed | None) -> str | None:
    missed = PATIENCE.missed("p/a", photo, filed, NOW)
    return missed and missed.what


def test_only_a_settled_receipt_of_the_same_photo_and_recipe_accounts_for_it():
    """New, overwritten, replayed or made by another recipe: each is missed; done and poisoned are not."""
    assert what(upload(), None) == "new"
    assert what(upload(), receipt()) is None
    assert what(upload(), receipt("poison")) is None
    assert what(upload(etag="2"), receipt()) == "changed"
    assert what(upload(), receipt("replay")) == "changed"
    assert what(upload(), receipt(recipe="r0")) == "changed"
    assert what(None, receipt()) == "deleted"
    assert what(None, None) is None


def test_what_was_queued_lately_is_left_alone():
    """A message may be on its way for a while; after that it counts as lost. So with deletions."""
    assert what(upload(), receipt("queued", age_s=59)) is None
    assert what(upload(), receipt("queued", age_s=61)) == "changed"
    assert what(upload(etag="2"), receipt("queued", age_s=1)) == "changed"
    assert what(None, receipt("queued", etag=GONE, age_s=59)) is None
    assert what(None, receipt("queued", etag=GONE, age_s=61)) == "deleted"
    assert what(upload(), receipt("queued", etag=GONE, age_s=1)) == "changed"


def test_a_fresh_photo_is_left_to_its_event():
    """Younger than the grace, a photo's event may still come."""
    assert what(upload(age_s=9), None) is None


def listing(names: list[str], page: int) -> Pages:
    """A listing in pages of so many blobs; the token is the place in the list."""

    async def read(token: str) -> Page:
        start = int(token or 0)
        blobs = [Listed(name, "1", 5, NOW, {}) for name in names[start : start + page]]
        return Page(blobs, str(start + page) if start + page < len(names) else "")

    return Pages(read, "")


names = st.lists(st.text("abc/", min_size=1, max_size=4), unique=True).map(sorted)


@given(photos=names, filed=names, page=st.integers(1, 4), after=st.sampled_from(["", "a", "b/a"]))
async def test_two_listings_are_joined_by_name(photos, filed, page, after):
    """Every name of either listing comes once, in order, with both sides where there are both, whatever the pages."""
    joined = side_by_side(listing(photos, page), listing([f"t/{name}" for name in filed], page), "t/", after)
    rows = [(name, upload is not None, receipt is not None) async for name, upload, receipt in joined]
    expected = sorted(name for name in {*photos, *filed} if name > after)
    assert rows == [(name, name in photos, name in filed) for name in expected]
