"""The table of how shares of clear-day power follow each other, and how it is counted."""

from __future__ import annotations

from importlib import resources

import numpy as np
import pandas as pd
import pytest

from analyzer.evidence import CLASSES, SHARES, STEPS_S, row_of
from bench.skies import SCALE, moves, shares, smoothed


def test_the_table_has_a_line_for_each_share_and_class_in_order() -> None:
    """The analyzer reads the table by the order of its lines; the moves of each line are all that can come."""
    with (resources.files("analyzer") / "skies.csv").open(encoding="utf-8") as lines:
        table = np.loadtxt(lines, delimiter=",", skiprows=1)
    keys = [(step, row, kind) for step in STEPS_S for row in range(SHARES) for kind in range(CLASSES)]
    assert table[:, :3].astype(int).tolist() == [list(key) for key in keys]
    assert table[:, 3:].min() >= 1
    assert table[:, 3:].sum(axis=1) == pytest.approx(SCALE, abs=10)


def test_moves_are_counted_within_a_day_only() -> None:
    """Steady shares stay where they are; the night between two days is no move."""
    seconds = np.concatenate([day * 86_400.0 + 900.0 * np.arange(30) for day in range(2)])
    logs = np.repeat(np.log([1.0, 0.5]), 30)
    counts = moves(seconds, logs, 900)
    assert counts.sum() == 2 * 29
    rows = row_of(np.log([1.0, 0.5]))
    assert counts[rows].sum(axis=1)[:, 4].tolist() == [29, 29], "the fifth move is to stay"
    assert smoothed(counts).sum(axis=2) == pytest.approx(1.0)


def test_shares_are_held_to_what_was_seen_before() -> None:
    """The first day tells nothing; of the second half as bright, the share is a half."""
    times = pd.date_range("2026-06-01", periods=2 * 96, freq="15min", tz="UTC")
    sun = np.tile(np.maximum(np.sin((np.arange(96) - 24) / 48 * np.pi), 0.0), 2)
    seconds, logs = shares(pd.Series(np.where(np.arange(192) < 96, sun, sun / 2), times), 900)
    assert seconds.min() >= times[96].timestamp()
    assert np.exp(logs) == pytest.approx(0.5, abs=0.02)
