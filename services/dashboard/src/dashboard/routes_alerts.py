"""Alerts: the list, one of them, and what operators do to them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import uuid4

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from pydantic import BaseModel, Field

from dashboard.access import User, actor
from dashboard.answers import json_answer
from dashboard.doors import Moment, refusals
from dashboard.parts import Parts, known_region, parts_of, utc
from heliograph.contracts import AlertAction, Insight, Rule, iso_seconds
from heliograph.resilience import ANSWER_S
from heliograph.storage import ALERTS, document_id, subject_of
from heliograph.topology import shard_of
from heliograph.wire import encode, spelt_out, to_event

routes = APIRouter(tags=["alerts"], responses=refusals(400, 403, 404))
TheParts = Annotated[Parts, Depends(parts_of)]
Actor = Annotated[User, Depends(actor)]

MAX_ALERT_ID = 200
_STATES: Mapping[str, str] = {
    "open": "c.status IN ('open', 'acknowledged')",
    "unacknowledged": "c.status = 'open'",
    "resolved": "c.status = 'resolved'",
}
_FIELDS = (
    "alert_id", "subject", "plant_id", "region", "rule", "severity", "status", "onset", "updated_at", "resolved_at",
    "resolved_by", "acknowledged_at", "acknowledged_by", "expected_kw", "actual_kw", "plants", "reopened", "evidence",
    "message", "actions",
)  # fmt: skip


class ActionBody(BaseModel):
    """Who acts (only where nobody signs in) and why."""

    by: str = Field("", max_length=64)
    note: str = Field("", max_length=4000)


@dataclass(frozen=True, slots=True)
class AlertQuery:
    """Which alerts are asked for; times bound the onset, the end exclusive."""

    state: Literal["open", "unacknowledged", "resolved", "all"] = "open"
    start: Annotated[Moment | None, Query(alias="from")] = None
    end: Annotated[Moment | None, Query(alias="to")] = None
    region: str | None = None
    plant: str | None = None
    rule: Rule | None = None
    limit: Annotated[int, Query(ge=1, le=5000)] = 500

    def text(self, columns: Sequence[str] = ()) -> tuple[str, dict[str, object]]:
        """The query and its parameters; of the columns named, or all."""
        conditions = [_STATES[self.state]] if self.state in _STATES else []
        parameters: dict[str, object] = {}
        for condition, name, value in (
            ("c.onset >= @from", "from", self.start and iso_seconds(utc(self.start))),
            ("c.onset < @to", "to", self.end and iso_seconds(utc(self.end))),
            ("c.region = @region", "region", self.region),
            ("c.rule = @rule", "rule", self.rule),
        ):
            if value:
                conditions.append(condition)
                parameters[name] = value
        where = " AND ".join(conditions) or "true"
        order = f"ORDER BY c.onset DESC OFFSET 0 LIMIT {self.limit:d}"
        fields = ", ".join(f"c.{name}" for name in columns) or "*"
        return f"SELECT {fields} FROM c WHERE {where} {order}", parameters  # noqa: S608 - fixed words and a number


@routes.get("/alerts", summary="Alerts, the newest first")
async def alerts(request: Request, parts: TheParts, query: Annotated[AlertQuery, Depends()]) -> Response:
    return json_answer(request, {"alerts": [alert_body(one) for one in await find_alerts(parts, query)]})


async def find_alerts(parts: Parts, query: AlertQuery, columns: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The stored alerts that fit, the newest first. Raises 400 for an empty range and 404 for an unknown region, which
    would else read as if there were no alerts."""
    if query.region:
        known_region(parts, query.region)
    if query.start and query.end and utc(query.start) >= utc(query.end):
        since, until = iso_seconds(utc(query.start)), iso_seconds(utc(query.end))
        raise HTTPException(400, f"the range is empty: from {since} to {until}")
    text, parameters = query.text(columns)
    return await parts.store.query("alerts", ALERTS, text, parameters, pk=query.plant or None)


@routes.post("/alerts/{alert_id:path}/acknowledge", status_code=202, summary="Says that somebody has seen it")
async def acknowledge(request: Request, user: Actor, parts: TheParts, alert_id: str, body: ActionBody) -> Response:
    await _is_known(parts, alert_id)
    action = _action(user, alert_id, "acknowledge", body)
    await publish(parts, subject_of(alert_id), action)
    return json_answer(request, spelt_out(action), status=202)


@routes.post("/alerts/{alert_id:path}/resolve", status_code=202, summary="Says that it is over")
async def resolve(request: Request, user: Actor, parts: TheParts, alert_id: str, body: ActionBody) -> Response:
    await _is_known(parts, alert_id)
    action = _action(user, alert_id, "resolve", body)
    await publish(parts, subject_of(alert_id), action)
    return json_answer(request, spelt_out(action), status=202)


@routes.get("/alerts/{alert_id:path}", summary="One alert")
async def alert(request: Request, parts: TheParts, alert_id: str) -> Response:
    return json_answer(request, alert_body(await _stored(parts, alert_id)))


async def _stored(parts: Parts, alert_id: str) -> Mapping[str, Any]:
    found = await parts.store.read("alert", ALERTS, document_id(alert_id), subject_of(alert_id))
    if found is None:
        raise HTTPException(404, f"no alert is called {alert_id}")
    return found


async def _is_known(parts: Parts, alert_id: str) -> None:
    """Raises 404 for an alert that neither the live feed nor Cosmos knows; the feed is ahead of Cosmos."""
    if len(alert_id) > MAX_ALERT_ID:
        raise HTTPException(400, f"an alert's id has at most {MAX_ALERT_ID} characters, not {len(alert_id)}")
    if not parts.fleet.knows_alert(alert_id):
        await _stored(parts, alert_id)


def _action(user: User, alert_id: str, action: Literal["acknowledge", "resolve"], body: ActionBody) -> AlertAction:
    by = name_of(user, body.by)
    return AlertAction(
        v=1, action_id=uuid4().hex, alert_id=alert_id, action=action, by=by, note=body.note, at=datetime.now(UTC)
    )


def name_of(user: User, given: str) -> str:
    """Who acts: who is signed in, or where nobody signs in, the name given. Raises 400 without any."""
    name = user.name or given.strip()
    if not name:
        raise HTTPException(400, "say who you are: `by` (or `author`) is empty")
    return name


async def publish(parts: Parts, subject: str, message: Insight) -> None:
    """Sends a message to the hub; the sink stores it and all dashboards tell it to their pages. Raises `TimeoutError`
    where the hub does not take it."""
    async with asyncio.timeout(ANSWER_S):
        await parts.sender.send(shard_of(subject), [to_event(encode([message]))])


def alert_body(document: Mapping[str, Any]) -> dict[str, Any]:
    """An alert as pages get it."""
    return {name: document.get(name) for name in _FIELDS}
