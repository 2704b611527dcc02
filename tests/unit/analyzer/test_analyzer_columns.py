"""Columns hold what the contract's structs hold, whatever the events before them looked like."""

from __future__ import annotations

import math
import re
from datetime import timedelta

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from replay import NOON, partition, reading

from analyzer.columns import ColumnDecoder, Columns, to_micros
from heliograph.contracts import Reading

NUMBERS = ("capacity_kw", "generation_kw", "poa_w_m2", "ghi_w_m2", "module_c", "ambient_c", "wind_m_s")
number = st.none() | st.floats(0, 40, width=32)
wire = st.fixed_dictionaries(
    {
        "v": st.just(1),
        "plant_id": st.sampled_from(["p1", "p2", "발전소"]),
        "source": st.sampled_from(["fleet", "sky"]),
        "observed_at": st.sampled_from(["2026-06-01T03:00:00Z", "2026-06-01T12:00:01.5+09:00"]),
        "region": st.just("KR-46"),
        "capacity_kw": st.sampled_from([100, 0.5]),
    },
    optional=dict.fromkeys(NUMBERS[1:], number)
    | {"flags": st.just(["above-capacity"]), "interval_s": st.just(60), "later_field": st.just({"a": [1]})},
)


def assert_same(columns: Columns, expected: list[Reading]) -> None:
    assert columns.plant_ids == [one.plant_id for one in expected]
    assert [columns.source or one.source for one in columns.readings] == [one.source for one in expected]
    assert columns.times.tolist() == [to_micros(one.observed_at) for one in expected]
    nothing = np.full(len(expected), math.nan)
    for name in NUMBERS:
        wanted = [math.nan if getattr(one, name) is None else getattr(one, name) for one in expected]
        np.testing.assert_array_equal(columns.values.get(name, nothing), wanted, err_msg=name)
    intervals = np.nan_to_num(columns.values.get("interval_s", nothing))
    np.testing.assert_array_equal(intervals, [one.interval_s for one in expected])


@settings(max_examples=60, deadline=None)
@given(events=st.lists(st.lists(wire, max_size=4), max_size=5))
def test_columns_hold_what_the_contract_reads(events: list[list[dict[str, object]]]) -> None:
    """Events of any mixture of sources, fields, nulls and unknown fields, one after the other through one decoder,
    become the columns of what `Reading` makes of them."""
    decoder = ColumnDecoder()
    for event in events:
        body = msgspec.json.encode(event)
        columns, refused = decoder.decode(body)
        assert refused == []
        assert_same(columns, msgspec.json.decode(body, type=list[Reading]))


def test_sources_that_take_turns_are_each_decoded_once() -> None:
    """When events of two sources with different fields alternate, the careful path is walked once for each."""
    decoder = ColumnDecoder()
    careful = 0
    walk = decoder._decode_with_care

    def counted(body: bytes) -> object:
        nonlocal careful
        careful += 1
        return walk(body)

    decoder._decode_with_care = counted  # type: ignore[method-assign, assignment]
    for _ in range(5):
        decoder.decode(msgspec.json.encode([reading("p", NOON)]))
        decoder.decode(msgspec.json.encode([reading("p", NOON, source="sky", generation_kw=None, ghi_w_m2=300.0)]))
    assert careful == 2


def test_a_bad_reading_among_good_ones_is_refused_by_its_field() -> None:
    """Of an event, a reading with a bad number, one with a bad stamp and one that is no reading at all are refused with
    the field's name, their place and their own bytes; the others count."""
    good = msgspec.json.encode(reading("p", NOON))
    bad_number = good.replace(b"50.0", b"-4e9")
    bad_stamp = good.replace(b"2026-06-01T03:00:00Z", b"yesterday")
    target = partition()
    target.take(0, to_micros(NOON), b"[" + good + b"]")
    body = b"[" + b",".join([good, bad_number, bad_stamp, b"{}", good]) + b"]"
    output = target.take(1, to_micros(NOON + timedelta(seconds=1)), body)
    assert output.readings == 2
    assert [(one.index, one.original) for one in output.refused] == [(1, bad_number), (2, bad_stamp), (3, b"{}")]
    for one, word in zip(output.refused, ("generation_kw", "observed_at", "`v`"), strict=True):
        assert word in one.detail


def test_an_event_nested_too_deep_is_refused() -> None:
    """JSON nested deeper than the decoder goes ends as a malformed event, not as the end of the process; what follows
    counts."""
    target = partition()
    body = b'[{"v":1,"x":' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}]"
    output = target.take(0, to_micros(NOON), body)
    assert [(one.reason, one.original) for one in output.refused] == [("malformed", body)]
    assert re.search("recursion|Stack overflow", output.refused[0].detail)
    assert target.take(1, to_micros(NOON), msgspec.json.encode([reading("p", NOON)])).readings == 1
