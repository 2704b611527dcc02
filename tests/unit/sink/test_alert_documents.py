"""An alert's document is the same whatever order its parts come in."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import msgspec

from heliograph.contracts import Alert, AlertAction, Note, Photo, alert_id
from sink.alerts import with_action, with_alert
from sink.records import note_document, with_photo

ONSET = datetime(2026, 6, 1, 3, tzinfo=UTC)
ID = alert_id("plant/1", "trip", ONSET)


def alert(minutes: int, state: str = "open") -> Alert:
    at = ONSET + timedelta(minutes=minutes)
    over = at if state == "resolved" else None
    return Alert(v=1, alert_id=ID, rule="trip", severity="critical", state=state, region="KR-46", plant_id="plant/1",
                 onset=ONSET, updated_at=at, resolved_at=over, message="tripped")  # fmt: skip


def action(what: str, by: str = "kim", minutes: int = 3) -> AlertAction:
    at = ONSET + timedelta(minutes=minutes)
    return AlertAction(v=1, action_id=f"{what}-{by}", alert_id=ID, action=what, by=by, at=at)


def folded(parts) -> dict:
    document = None
    for part in parts:
        step = with_alert(document, part) if isinstance(part, Alert) else with_action(document, part)
        document = step or document
    return document


def test_every_order_ends_in_the_same_document() -> None:
    """Alert states and actions in any order, with any of them twice, give one document."""
    parts = [alert(1), alert(2), action("acknowledge"), action("resolve", "lee", 5)]
    expected = folded(parts)
    for order in itertools.permutations(parts):
        assert folded([*order, order[0]]) == expected
    assert (expected["status"], expected["acknowledged_by"], expected["resolved_by"]) == ("resolved", "kim", "lee")


def test_an_older_state_changes_nothing() -> None:
    """A state of the alert that was overtaken is dropped."""
    document = with_alert(None, alert(5, "resolved"))
    assert with_alert(document, alert(2)) is None
    assert with_alert(document, alert(5)) is None


def test_the_end_is_the_last_word() -> None:
    """Readings that an outage held back may date an alert's end before its beginning: it is over all the same."""
    late_end = alert(-2, "resolved")
    for order in ([alert(5), late_end], [late_end, alert(5)]):
        assert folded(order)["status"] == "resolved"


def test_an_end_that_late_readings_undid_is_not_the_last_word() -> None:
    """An alert that is reopened, even at the minute of its end, is open until it ends again; so in every order."""
    over, reopened = alert(5, "resolved"), msgspec.structs.replace(alert(5), reopened=True)
    for order in itertools.permutations([alert(1), over, reopened]):
        document = folded(order)
        assert (document["status"], document["resolved_at"]) == ("open", None)
        ended = with_alert(document, msgspec.structs.replace(alert(9, "resolved"), reopened=True))
        assert (ended["status"], ended["resolved_at"]) == ("resolved", "2026-06-01T03:09:00Z")


def test_an_acknowledgement_may_come_first() -> None:
    """An action before its alert makes a document that is found by its onset and rule, and that the alert fills."""
    early = with_action(None, action("acknowledge"))
    assert (early["status"], early["rule"], early["onset"]) == ("acknowledged", "trip", "2026-06-01T03:00:00Z")
    assert with_alert(early, alert(1))["message"] == "tripped"


def test_ids_hold_no_character_that_cosmos_refuses() -> None:
    """A slash in a plant's name is encoded in the id and kept in the fields."""
    document = with_alert(None, alert(1))
    assert "/" not in document["id"]
    assert (document["subject"], document["alert_id"]) == ("plant/1", ID)


def photo(minutes: int, **fields) -> Photo:
    at = ONSET + timedelta(minutes=minutes)
    return Photo(v=1, photo_id="f1", plant_id="p1", blob="p1/x.jpg", etag="e", uploaded_at=at, **fields)


def test_a_deleted_photo_stays_deleted() -> None:
    """The event of an upload that comes after that of the deletion does not bring the photo back."""
    gone = with_photo(None, photo(5, deleted=True))
    assert gone["ttl"] > 0
    assert with_photo(gone, photo(1, width=10)) is None
    assert with_photo(gone, photo(9, width=10))["deleted"] is False


def test_the_same_photo_again_is_not_written_again() -> None:
    """A redelivered photo costs no write."""
    known = with_photo(None, photo(5, width=10))
    assert with_photo(known, photo(5, width=10)) is None


def test_a_note_is_its_own_document() -> None:
    """A note's document holds all its fields under its id."""
    note = Note(v=1, note_id="n/1", plant_id="p1", author="kim", text="cleaned", at=ONSET)
    assert note_document(note) == {
        "id": "n%2F1",
        "note_id": "n/1",
        "plant_id": "p1",
        "author": "kim",
        "text": "cleaned",
        "at": "2026-06-01T03:00:00Z",
    }
