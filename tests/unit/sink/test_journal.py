"""Insights become documents that are never rewritten."""

from __future__ import annotations

import random

from heliograph.rows import epoch_s, plant_windows, region_windows
from heliograph.storage import HOUR_S, TILE_S, cell_of, day_of
from heliograph.topology import SHARDS, shard_of
from sink.journal import MAX_ROWS, Commit, Span, journal

COMMIT = Commit("3", 10, 20, 1_780_000_000_000)


def all_documents(written):
    return [document for documents in written.documents.values() for document in documents]


def test_documents_hold_exactly_the_windows(plant_window, region_window, rng: random.Random) -> None:
    """What goes in comes out of the documents, each window once."""
    windows = [plant_window(f"p{n}", after_s=10 * rng.randrange(900)) for n in range(200)]
    partials = [region_window(partition=str(n % 8), after_s=10 * n) for n in range(100)]
    mixed = [*windows, *partials]
    rng.shuffle(mixed)
    documents = all_documents(journal(mixed, COMMIT, cells=32))
    assert plant_windows(documents) == sorted(windows, key=lambda w: (w.plant_id, w.window_start))
    assert {(p.partition, p.window_start) for p in region_windows(documents)} == {
        (p.partition, p.window_start) for p in partials
    }
    assert sum(document["count"] for document in documents) == len(mixed)


def test_a_document_stays_in_its_cell_and_tile(plant_window) -> None:
    """A document holds one cell's windows of ten minutes, so that a moment is found by a bounded range."""
    windows = [plant_window(f"p{n}", after_s=10 * n) for n in range(300)]
    for pk, documents in journal(windows, COMMIT, cells=32).documents.items():
        for document in documents:
            assert {cell_of(plant_id, 32) for plant_id in document["rows"]} == {pk}
            assert document["first"] // TILE_S == document.get("until", document["first"]) // TILE_S


def test_a_commit_written_again_writes_the_same(plant_window) -> None:
    """The same events give the same ids and content; another commit gives other ids."""
    windows = [plant_window(f"p{n}") for n in range(20)]
    first, again = journal(windows, COMMIT, cells=32), journal(windows, COMMIT, cells=32)
    other = journal(windows, Commit("3", 10, 21, COMMIT.at_ms), cells=32)
    assert all_documents(first) == all_documents(again)
    assert not {d["id"] for d in all_documents(first)} & {d["id"] for d in all_documents(other)}


def test_spans_are_hours_of_cells_and_minutes_of_regions(plant_window, region_window) -> None:
    """Each window marks the hour of its cell, each partial the five minutes of its day."""
    window, partial = plant_window(after_s=3700), region_window(after_s=400)
    spans = journal([window, partial], COMMIT, cells=32).spans
    cell, day = cell_of("p1", 32), day_of(partial.window_start)
    hour_s = epoch_s(window.window_start) // HOUR_S * HOUR_S
    assert spans[cell] == {Span(cell, "plants", hour_s)}
    assert spans[day] == {Span(day, "regions", epoch_s(partial.window_start) // 300 * 300)}


def test_big_commits_make_several_documents(plant_window) -> None:
    """No document has more rows than fit well below Cosmos's 2 MB, and parts have ids of their own."""
    windows = [plant_window(f"p{n:05d}") for n in range(MAX_ROWS * 34)]
    documents = all_documents(journal(windows, COMMIT, cells=32))
    assert max(sum(map(len, d["rows"].values())) for d in documents) <= MAX_ROWS
    assert len({(d["pk"], d["id"]) for d in documents}) == len(documents)


def test_a_cell_lies_in_one_shard() -> None:
    """With a multiple of the shards, plants of one cell share a shard, so one partition writes a cell."""
    shard_by_cell: dict[str, set[str]] = {}
    for n in range(3000):
        shard_by_cell.setdefault(cell_of(f"p{n}", SHARDS * 4), set()).add(shard_of(f"p{n}"))
    assert all(len(shards) == 1 for shards in shard_by_cell.values())
