"""What a pushed body may be."""

import pytest

from ingest.push_body import BodyError, parse_push

DEEP = b"[" * 1_000_000 + b"]" * 1_000_000
FIELD = b'{"plant_id": ' + DEEP + b', "observed_at": "2026-06-21T03:00:00Z"}'


def test_json_nested_without_end_is_no_json() -> None:
    """Such a body is refused as what it is, and does not end the request in an error of ours."""
    with pytest.raises(BodyError, match="no JSON") as refused:
        parse_push(DEEP, "application/json")
    assert refused.value.status == 400


def test_a_line_nested_without_end_is_refused_alone() -> None:
    """In NDJSON the lines beside it are taken."""
    good = b'{"plant_id": "p1", "source": "s", "observed_at": "2026-06-21T03:00:00Z", "generation_kw": 1}'
    readings, places, refused = parse_push(good + b"\n" + FIELD + b"\n" + good, "application/x-ndjson")
    assert (len(readings), places, [one.index for one in refused]) == (2, [0, 2], [1])
