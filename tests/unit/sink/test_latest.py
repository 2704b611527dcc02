"""The latest state never goes back."""

from __future__ import annotations

import random

from heliograph.rows import unpack_plant
from sink.latest import latest_document, merged, newest


def test_merging_in_any_order_keeps_the_newest(plant_window, rng: random.Random) -> None:
    """Of each plant the greatest window end wins, then the highest revision, in whatever order they are merged."""
    windows = [plant_window(f"p{n % 3}", after_s=10 * (n // 3), revision=r) for n in range(12) for r in (0, 1)]
    for _ in range(20):
        rows = {}
        for window in rng.sample(windows, len(windows)):
            rows = merged(rows, newest([window]))
        assert rows == newest(windows)
        for plant_id, (name, *row) in rows.items():
            window = unpack_plant(row, plant_id, name, 0)
            assert (window.revision, window) == (1, max((w for w in windows if w.plant_id == plant_id),
                                                        key=lambda w: (w.window_end, w.revision)))  # fmt: skip


def test_the_document_says_how_far_it_goes(plant_window) -> None:
    """`last` is the latest window end, as a time that people read."""
    rows = newest([plant_window("p1"), plant_window("p2", after_s=50)])
    assert latest_document("c0001", rows)["last"] == "2026-06-01T03:01:00Z"
