"""What the messages of Heliograph mean: every field with its unit, its bounds and what its time marks.

All times are UTC and aware. Powers are AC kilowatts, positive when the plant delivers to the grid. Each
message carries `v`, the version of its schema; a reader refuses a version that it does not know.

On the hub `readings` travel `Reading`s; on the hub `insights` travels the tagged union `Insight`, told apart by
its field `kind`. An event's body is one message or an array of them (`heliograph.wire`).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Utc = Annotated[datetime, Meta(tz=True)]
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
"""No reading is older: it comes from a clock that was never set."""
Name = Annotated[str, Meta(min_length=1, max_length=64)]
Text = Annotated[str, Meta(min_length=1, max_length=4000)]
Count = Annotated[int, Meta(ge=0)]

MIN_POWER_KW, MAX_POWER_KW = -10_000.0, 1e8
"""Inverters draw a little at night; a series that stands for a whole nation reaches tens of gigawatts."""

Power = Annotated[float, Meta(ge=MIN_POWER_KW, le=MAX_POWER_KW, extra={"unit": "kW"})]
Capacity = Annotated[float, Meta(gt=0, le=MAX_POWER_KW, extra={"unit": "kW"})]
Irradiance = Annotated[float, Meta(ge=-20, le=2000, extra={"unit": "W/m2"})]
Temperature = Annotated[float, Meta(ge=-90, le=150, extra={"unit": "degC"})]
Speed = Annotated[float, Meta(ge=0, le=120, extra={"unit": "m/s"})]
Percent = Annotated[float, Meta(extra={"unit": "%"})]


class Message(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, forbid_unknown_fields=False):
    """Ground of all messages: immutable, tolerant of fields added later, silent about defaults on the wire."""


class Reading(Message, frozen=True, kw_only=True):
    """What a source observed at a plant over the interval that ends at `observed_at`.

    (`plant_id`, `source`, `observed_at`) is its de-duplication key. A weather source leaves `generation_kw` out.
    """

    v: Literal[1]
    plant_id: Name
    source: Name
    observed_at: Utc
    """End of the interval that the values stand for."""
    interval_s: Annotated[float, Meta(ge=0, le=86400, extra={"unit": "s"})] = 0.0
    """Length of that interval; 0 when the values are instantaneous. For one and a half times as long, an hour at most,
    the plant's power goes on counting in its region, if no later reading with power comes."""
    region: Name
    """ISO 3166-2 code of the province, e.g. KR-46."""
    capacity_kw: Capacity
    """Installed AC capacity, from the site registry."""
    generation_kw: Power | None = None
    """Mean AC power over the interval, from the plant's meter or inverters."""
    poa_w_m2: Irradiance | None = None
    """Global irradiance in the plane of the array."""
    ghi_w_m2: Irradiance | None = None
    """Global horizontal irradiance."""
    module_c: Temperature | None = None
    """Temperature at the back of the modules."""
    ambient_c: Temperature | None = None
    wind_m_s: Speed | None = None
    flags: tuple[Name, ...] = ()
    """What ingest found suspicious about the reading, e.g. `above-capacity`."""


class Aggregate(Message, frozen=True, kw_only=True):
    """Of the values that fell into a window, ordered by event time; `mean` is `sum / count`."""

    count: Annotated[int, Meta(ge=1)]
    sum: float
    min: float
    max: float
    mean: float
    first: float
    last: float


PlantState = Literal["ok", "warning", "fault", "night", "no-data"]


class PlantWindow(Message, frozen=True, kw_only=True, tag_field="kind", tag="plant_window"):
    """One plant over `[window_start, window_end)`; written by the analyzer, replaced by a higher `revision`."""

    v: Literal[1]
    plant_id: Name
    region: Name
    window: Name
    """Name of the window definition; the default is tumbling, ten seconds."""
    window_start: Utc
    window_end: Utc
    revision: Count = 0
    readings: Count
    capacity_kw: Capacity
    """That of the window's last reading."""
    generation_kw: Aggregate | None = None
    utilisation_pct: Percent | None = None
    """`generation_kw.mean / capacity_kw * 100`."""
    expected_kw: Power | None = None
    """What the plant should have produced in this weather (`analyzer.expectation`)."""
    performance_ratio: float | None = None
    """Actual over expected; dimensionless."""
    poa_w_m2: Irradiance | None = None
    ghi_w_m2: Irradiance | None = None
    module_c: Temperature | None = None
    """Mean over the window, like the other weather fields."""
    module_c_max: Temperature | None = None
    ambient_c: Temperature | None = None
    wind_m_s: Speed | None = None
    state: PlantState


class RegionWindow(Message, frozen=True, kw_only=True, tag_field="kind", tag="region_window"):
    """A region over `[window_start, window_end)`, as far as one partition of the hub has seen it.

    The region's total is the sum over `partition` of the latest revision of each partial.

    A plant counts with its own power in the window or, without any, with that of its last window with power, if the
    last reading with power there has an interval over half a window and is younger than one and a half intervals (and
    an hour) at `window_start`. Only the first window definition carries power so. A window that was taken back, since
    late readings left it without plants, has no readings and no plants.
    """

    v: Literal[1]
    region: Name
    partition: Name
    window: Name
    window_start: Utc
    window_end: Utc
    revision: Count = 0
    readings: Count
    """That fell into the window; those that are carried into it are not counted again."""
    plants: Count
    """Plants that count, heard in the window or carried into it."""
    capacity_kw: Annotated[float, Meta(ge=0, extra={"unit": "kW"})]
    """Sum over those plants."""
    generation_kw: float
    """Sum over those plants of their mean generation, each of its own last window."""
    expected_kw: float | None = None
    """Sum over those plants that have an expectation."""
    utilisation_pct: Percent | None = None


Rule = Literal[
    "sudden-drop",
    "trip",
    "temperature-spike",
    "stuck-sensor",
    "clipping",
    "curtailment",
    "silence",
    "over-capacity",
]
Severity = Literal["info", "warning", "critical"]


class Alert(Message, frozen=True, kw_only=True, tag_field="kind", tag="alert"):
    """A fault found in a plant, or, when `plant_id` is missing, in a region as a whole.

    `alert_id` is `plant_or_region:rule:onset`, so the same fault found again is the same alert. The analyzer
    opens and resolves; what operators do to it comes as `AlertAction` and never overwrites the analyzer's part.
    """

    v: Literal[1]
    alert_id: Annotated[str, Meta(min_length=1, max_length=200)]
    rule: Rule
    severity: Severity
    state: Literal["open", "resolved"]
    region: Name
    plant_id: Name | None = None
    onset: Utc
    """Start of the window in which the fault was first seen."""
    updated_at: Utc
    """End of the window that this state of the alert rests on."""
    resolved_at: Utc | None = None
    expected_kw: float | None = None
    actual_kw: float | None = None
    plants: Count = 1
    """How many plants it concerns."""
    reopened: bool = False
    """Whether it was said to be over, and late readings showed that it went on. Else its end is the last word on it."""
    evidence: dict[str, float | str] = {}
    message: Text


class AlertAction(Message, frozen=True, kw_only=True, tag_field="kind", tag="alert_action"):
    """What an operator did to an alert."""

    v: Literal[1]
    action_id: Name
    alert_id: Annotated[str, Meta(min_length=1, max_length=200)]
    action: Literal["acknowledge", "resolve"]
    by: Name
    note: Annotated[str, Meta(max_length=4000)] = ""
    at: Utc


class Note(Message, frozen=True, kw_only=True, tag_field="kind", tag="note"):
    """An operator's log entry for a plant."""

    v: Literal[1]
    note_id: Name
    plant_id: Name
    author: Name
    text: Text
    at: Utc


class Thumbnail(Message, frozen=True, kw_only=True):
    """One thumbnail of a photo, in the blob container of thumbnails."""

    preset: Name
    blob: Annotated[str, Meta(min_length=1, max_length=1024)]
    width: Annotated[int, Meta(ge=1, extra={"unit": "px"})]
    height: Annotated[int, Meta(ge=1, extra={"unit": "px"})]
    content_type: Name


class Photo(Message, frozen=True, kw_only=True, tag_field="kind", tag="photo"):
    """A photo of a plant and its thumbnails; `deleted` when the photo is gone."""

    v: Literal[1]
    photo_id: Name
    """Stable hash of the blob's name."""
    plant_id: Name
    blob: Annotated[str, Meta(min_length=1, max_length=1024)]
    """Name in the container of uploads: `plant_id/file`."""
    etag: Annotated[str, Meta(max_length=128)]
    content_type: Annotated[str, Meta(max_length=64)] = ""
    width: Count = 0
    """As shown, after EXIF rotation; px."""
    height: Count = 0
    bytes: Count = 0
    uploaded_at: Utc
    taken_at: Utc | None = None
    dominant_colour: Annotated[str, Meta(max_length=7)] = ""
    """`#rrggbb`."""
    placeholder: Annotated[str, Meta(max_length=256)] = ""
    """BlurHash of the photo."""
    thumbnails: tuple[Thumbnail, ...] = ()
    deleted: bool = False


Insight = PlantWindow | RegionWindow | Alert | AlertAction | Note | Photo


def iso_seconds(moment: datetime) -> str:
    """`2026-11-23T08:00:00Z`, the form of times in ids; fractions only where there are some."""
    text = moment.isoformat().replace("+00:00", "Z")
    return text if text.endswith("Z") else f"{text}Z"


def plant_window_id(plant_id: str, window: str, window_start: datetime) -> str:
    """The document id of a plant window: `plant:window:start`."""
    return f"{plant_id}:{window}:{iso_seconds(window_start)}"


def alert_id(subject: str, rule: Rule, onset: datetime) -> str:
    """The id of an alert on a plant or a region: `subject:rule:onset`."""
    return f"{subject}:{rule}:{iso_seconds(onset)}"
