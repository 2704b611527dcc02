"""The script of faults: the same for a seed, and nothing left out."""

from __future__ import annotations

import pytest

from bench.storm.script import CALM_S, deck, script
from local_azure.faults import FaultKind, parse_fault

SIGNALS = {"kill", "stop", "restart", "steal", "cut", "clock"}


def test_a_seed_plays_the_same_script() -> None:
    """A failing run can be run again: the seed alone decides which faults strike when, and another seed decides
    otherwise."""
    assert script(7, 600) == script(7, 600)
    assert script(7, 600) != script(8, 600)


@pytest.mark.parametrize("seed", range(20))
def test_ten_minutes_hold_every_fault(seed: int) -> None:
    """Whatever the seed, a run of ten minutes plays every card of the deck, between a calm beginning and end."""
    strikes = script(seed, 600)
    assert {(one.kind, one.target) for one in deck()} == {(one.kind, one.target) for one in strikes}
    assert min(one.at_s for one in strikes) >= CALM_S
    assert max(one.at_s for one in strikes) <= 600 - CALM_S


def test_the_local_azure_knows_every_fault() -> None:
    """Each fault of the script is one that the servers' fault port takes, and each kind that they know is played."""
    faults = [one for one in deck() if one.kind not in SIGNALS]
    for one in faults:
        parse_fault({"kind": one.kind, **one.fault})
    assert {one.kind for one in faults} == set(FaultKind)
