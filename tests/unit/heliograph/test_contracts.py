from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from heliograph.contracts import Alert, Insight, PlantWindow, Reading, alert_id, plant_window_id

NOON = datetime(2026, 6, 21, 3, tzinfo=UTC)
GOOD: dict[str, Any] = {
    "v": 1,
    "plant_id": "kr-46-00001",
    "source": "fleet",
    "observed_at": "2026-06-21T03:00:00Z",
    "region": "KR-46",
    "capacity_kw": 990.0,
    "generation_kw": 512.5,
}


def decode(**changes: Any) -> Reading:
    return msgspec.json.decode(msgspec.json.encode(GOOD | changes), type=Reading)


def test_reading_round_trip() -> None:
    """A reading survives the wire, its time as an aware UTC datetime."""
    reading = decode()
    assert reading.observed_at == NOON
    assert reading.observed_at.utcoffset() is not None
    assert msgspec.json.decode(msgspec.json.encode(reading), type=Reading) == reading


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("v", 2),
        ("v", None),
        ("capacity_kw", -1.0),
        ("capacity_kw", 0.0),
        ("generation_kw", "512"),
        ("generation_kw", 4e9),
        ("poa_w_m2", 2500.0),
        ("module_c", 900.0),
        ("observed_at", "2026-06-21T03:00:00"),
        ("observed_at", "yesterday"),
        ("plant_id", ""),
        ("plant_id", "x" * 65),
    ],
)
def test_reading_refuses(field: str, value: object) -> None:
    """A reading outside its bounds, of a wrong type or an unknown version is refused, and the field is named."""
    with pytest.raises(msgspec.ValidationError, match=rf"\$\.{field}"):
        decode(**{field: value})


def test_reading_tolerates_unknown_fields() -> None:
    """A field added by a later producer does no harm."""
    assert decode(humidity_pct=40.0).generation_kw == 512.5


def test_every_message_carries_its_version() -> None:
    """The version is on the wire even where the other defaults are left out."""
    window = PlantWindow(
        v=1, plant_id="p", region="KR-46", window="10s", window_start=NOON, window_end=NOON, readings=0,
        capacity_kw=1.0, state="no-data",
    )  # fmt: skip
    wire = msgspec.json.decode(msgspec.json.encode(window))
    assert wire["v"] == 1
    assert wire["kind"] == "plant_window"


def test_insights_are_told_apart_by_kind() -> None:
    """Each message of the union comes back as the type that was sent."""
    alert = Alert(
        v=1, alert_id="p:trip:2026-06-21T03:00:00Z", rule="trip", severity="critical", state="open",
        region="KR-46", plant_id="p", onset=NOON, updated_at=NOON, message="no output while the sun is up",
    )  # fmt: skip
    assert msgspec.json.decode(msgspec.json.encode(alert), type=Insight) == alert


def test_ids_are_made_of_what_they_identify() -> None:
    """The same window and the same fault have the same id wherever they are found."""
    assert plant_window_id("p", "10s", NOON) == "p:10s:2026-06-21T03:00:00Z"
    assert alert_id("p", "trip", NOON) == "p:trip:2026-06-21T03:00:00Z"
