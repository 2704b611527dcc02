"""An alert's document: what the analyzer says, what operators did, and the status that follows from both. Pure.

The two come in any order, any number of times. The analyzer's part is replaced only by a later state of it, and its
word that the alert is over is the last, unless it is said to be reopened: the same fault seen anew has another onset
and so is another alert, and readings that an outage held back may date the end before the beginning. Actions are
gathered by their ids, and the status is worked out from the whole, so that every order ends in the same document.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from heliograph.contracts import Alert, AlertAction
from heliograph.storage import document_id, subject_of
from heliograph.wire import spelt_out

Document = dict[str, Any]

_ANALYZER = (
    "rule", "severity", "region", "plant_id", "onset", "updated_at", "resolved_at", "expected_kw", "actual_kw",
    "plants", "reopened", "evidence", "message",
)  # fmt: skip


def with_alert(document: Mapping[str, Any] | None, alert: Alert) -> Document | None:
    """The document with this state of the alert, or None where it knows the same or a later one."""
    known = document or _blank(alert.alert_id)
    said = spelt_out(alert)
    fresh = {**known, **{name: said[name] for name in _ANALYZER}, "analyzer_state": alert.state}
    return None if _rank(known) >= _rank(fresh) else _settled(fresh)


def with_action(document: Mapping[str, Any] | None, action: AlertAction) -> Document | None:
    """The document with an operator's action, or None where it has it already. The alert itself may come later."""
    known = document or _blank(action.alert_id)
    actions: Sequence[Mapping[str, Any]] = known["actions"]
    if any(one["action_id"] == action.action_id for one in actions):
        return None
    one = {name: value for name, value in spelt_out(action).items() if name != "alert_id"}
    return _settled({**known, "actions": sorted([*actions, one], key=lambda each: (each["at"], each["action_id"]))})


def _rank(document: Mapping[str, Any]) -> tuple[bool, str, bool]:
    over = document["analyzer_state"] == "resolved"
    return over or bool(document.get("reopened")), document["updated_at"] or "", not over


def _blank(alert_id: str) -> Document:
    parts = alert_id.rsplit(":", 4)
    named = len(parts) == 5
    blank: Document = dict.fromkeys(_ANALYZER)
    blank |= {"rule": parts[1] if named else None, "onset": ":".join(parts[2:]) if named else None}
    names: Document = {"id": document_id(alert_id), "alert_id": alert_id, "subject": subject_of(alert_id)}
    return {**names, **blank, "status": "open", "analyzer_state": None, "actions": []}


def _settled(document: Document) -> Document:
    """With what follows from the parts. An operator's word that it is resolved stands: the same fault seen anew has
    another onset and so is another alert."""
    last = {action["action"]: action for action in document["actions"]}
    acknowledged, resolved = last.get("acknowledge"), last.get("resolve")
    over = resolved is not None or document["analyzer_state"] == "resolved"
    return {
        **document,
        "status": "resolved" if over else "acknowledged" if acknowledged else "open",
        "acknowledged_by": acknowledged and acknowledged["by"],
        "acknowledged_at": acknowledged and acknowledged["at"],
        "resolved_by": resolved and resolved["by"],
        "resolved_at": document["resolved_at"] or (resolved and resolved["at"]),
    }
