"""Makes the jobs that the settings name: the one list of all sources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import httpx

from heliograph import azure_time
from heliograph.blobs import BlobFolder
from heliograph.settings import WrongSettingError
from heliograph.sites import Site
from ingest.fetching import Fetcher, source_guard
from ingest.fleet.model import Fleet
from ingest.intake import Intake, Lane, Lookup
from ingest.oauth import ClientCredentials
from ingest.polling import Attach, PollJob
from ingest.schedule.plan import Schedule, parse_schedule
from ingest.schedule.timer import Job
from ingest.settings import IngestSettings
from ingest.sources import replay
from ingest.sources.declaration import Declaration, Source
from ingest.sources.http_json import HttpJson
from ingest.sources.kma_nowcast import KmaNowcast
from ingest.sources.kpx_fuel import KpxFuel
from ingest.sources.kpx_region import KpxRegion
from ingest.sources.mapping import MappingFile, parse_mapping
from ingest.sources.open_meteo import OpenMeteo
from ingest.sources.pvlive import PvLive
from ingest.sources.solaredge import SolarEdge
from ingest.sources.tables import Table
from ingest.streams import FleetStream, LabelKeeper, ReplayStream, SimulatedClock, StreamJob

SECRETS_BEGIN = "HELIOGRAPH_SECRET_"
"""How the variables begin that hold the secrets of mapping files."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A job with the schedule it runs on, and the plants that it brings."""

    job: Job
    schedule: Schedule
    jitter_s: float = 0.0
    sites: Sequence[Site] = field(default=())


@dataclass(frozen=True, slots=True)
class Tools:
    """What jobs are made with."""

    settings: IngestSettings
    intake: Intake
    fetcher: Fetcher
    folder: BlobFolder
    """For what the simulation tells beside its readings."""
    places: Callable[[], Sequence[Site]]
    """The plants of the operator's registry."""
    lookup: Lookup
    """Any plant."""
    client: httpx.AsyncClient
    environment: Mapping[str, str]
    """Where the secrets of mapping files are."""

    def secret(self, name: str) -> str:
        """Raises `ValueError` that names the missing variable."""
        variable = f"{SECRETS_BEGIN}{name.upper().replace('-', '_')}"
        if not self.environment.get(variable):
            raise ValueError(f"auth.secret is {name!r}, but {variable} is not set")
        return self.environment[variable]

    def lane(self, name: str) -> Lane:
        """The memory of a source."""
        return Lane(name, memory=self.settings.memory)


def plan_jobs(tools: Tools, now: datetime) -> list[Planned]:
    """The jobs of the sources that the settings name. Raises `WrongSettingError`."""
    planned: list[Planned] = []
    for name in tools.settings.source_names:
        if name not in SOURCES:
            known = ", ".join(sorted(SOURCES))
            raise WrongSettingError(f"HELIOGRAPH_SOURCES: {name!r} is unknown; known are {known}")
        planned.extend(SOURCES[name](tools, now))
    names = Counter(plan.job.name for plan in planned)
    if twice := [name for name, count in names.items() if count > 1]:
        raise WrongSettingError(f"HELIOGRAPH_SOURCES, or two mapping files: {', '.join(twice)} is there twice")
    polled = {plan.job.name for plan in planned if isinstance(plan.job, PollJob)}
    if unknown := sorted(set(tools.settings.schedules) - polled):
        known = ", ".join(sorted(polled)) or "none"
        raise WrongSettingError(f"HELIOGRAPH_SCHEDULES: {unknown[0]!r} is not among the polled sources: {known}")
    return planned


def _fleet(tools: Tools, now: datetime) -> list[Planned]:
    settings = tools.settings
    fleet = Fleet(
        settings.fleet_seed,
        settings.fleet_plants,
        interval_s=settings.fleet_interval_s,
        faults_per_day=settings.fleet_faults_per_day,
    )
    job = StreamJob(
        "fleet",
        FleetStream(fleet),
        tools.intake,
        tools.lane("fleet"),
        fleet_clock(settings, now),
        gap_s=settings.fleet_gap_s,
        keep=LabelKeeper(fleet, tools.folder).keep,
    )
    return [Planned(job, _stream_schedule(settings, settings.fleet_interval_s), sites=fleet.plants.sites)]


def fleet_clock(settings: IngestSettings, now: datetime) -> SimulatedClock:
    """Live at speed 1; faster, it begins a day ago and becomes live when it has caught up."""
    live = settings.fleet_start is None and settings.speed == 1
    start = settings.fleet_start or (now if live else now - timedelta(days=1))
    return SimulatedClock(start, now, 0 if live else settings.speed, settings.fleet_end)


def _replay(tools: Tools, now: datetime) -> list[Planned]:
    settings = tools.settings
    try:
        recorded = replay.recordings(settings.replay_day, settings.replay_days, shift_to=settings.replay_shift_to)
    except ModuleNotFoundError as error:
        raise WrongSettingError(f"HELIOGRAPH_SOURCES: {error}") from None
    if not recorded:
        days = f"{settings.replay_days} days from {settings.replay_day} on"
        raise WrongSettingError(f"HELIOGRAPH_REPLAY_DAY, HELIOGRAPH_REPLAY_DAYS: nothing was recorded on the {days}")
    stream = ReplayStream(recorded)
    plants = {observation.plant_id for observation in recorded}
    sites = tuple(system.site for system in replay.SYSTEMS if system.site.plant_id in plants)
    clock = SimulatedClock(stream.begin, now, settings.speed)
    job = StreamJob("replay", stream, tools.intake, tools.lane("replay"), clock)
    return [Planned(job, _stream_schedule(settings, 60.0), sites=sites)]


def _stream_schedule(settings: IngestSettings, interval_s: float) -> Schedule:
    """Often enough for the speed, at most once a second: a run tells all that has happened since the last."""
    real_s = interval_s / settings.speed if settings.speed else 1.0
    return parse_schedule(f"every {max(1.0, min(real_s, interval_s)):g}s")


def _polled(make: Callable[[Tools], Source]) -> Callable[[Tools, datetime], list[Planned]]:
    def plan(tools: Tools, _now: datetime) -> list[Planned]:
        return [plan_polled(make(tools), tools)]

    return plan


def plan_polled(source: Source, tools: Tools, attach: Attach | None = None) -> Planned:
    """A polled source on its own schedule, or on that of the settings."""
    declaration = source.declaration
    job = PollJob(
        source,
        tools.fetcher,
        source_guard(declaration.name),
        intake=tools.intake,
        lane=tools.lane(declaration.name),
        attach=attach,
    )
    return Planned(job, _polled_schedule(declaration, tools.settings), declaration.jitter_s, source.sites())


def _polled_schedule(declaration: Declaration, settings: IngestSettings) -> Schedule:
    given = settings.schedules.get(declaration.name)
    if given is None:
        return parse_schedule(declaration.schedule)
    try:
        return parse_schedule(given, settings.schedule_zone)
    except ValueError as error:
        raise WrongSettingError(
            f"HELIOGRAPH_SCHEDULES of {declaration.name}, in HELIOGRAPH_SCHEDULE_ZONE: {error}"
        ) from None


def _korean_key(tools: Tools) -> str:
    key = tools.settings.data_go_kr_key.get_secret_value()
    if not key:
        raise WrongSettingError("HELIOGRAPH_DATA_GO_KR_KEY: the sources of data.go.kr need a service key")
    return key


def _solaredge(tools: Tools) -> Source:
    settings = tools.settings
    key = settings.solaredge_key.get_secret_value()
    if not key or not settings.solaredge_sites:
        raise WrongSettingError("HELIOGRAPH_SOLAREDGE_KEY, HELIOGRAPH_SOLAREDGE_SITES: the source solaredge needs both")
    return SolarEdge(key, settings.solaredge_sites, tools.lookup, settings.solaredge_url)


def _mapped(kind: str) -> Callable[[Tools, datetime], list[Planned]]:
    """A job for each mapping file of the kind."""

    def plan(tools: Tools, _now: datetime) -> list[Planned]:
        folder = tools.settings.mappings_dir
        if folder is None or not folder.is_dir():
            given = "is not set" if folder is None else f"{str(folder)!r} is no folder"
            raise WrongSettingError(f"HELIOGRAPH_MAPPINGS_DIR {given}: the source {kind} needs mapping files")
        planned = [one for path in sorted(folder.glob("*.json")) for one in _plan_file(path, kind, tools)]
        if not planned:
            raise WrongSettingError(f"HELIOGRAPH_MAPPINGS_DIR: no file *.json in '{folder}' is of kind {kind!r}")
        return planned

    return plan


def _plan_file(path: Path, kind: str, tools: Tools) -> list[Planned]:
    try:
        mapping = parse_mapping(path.read_bytes())
        return [_plan_mapping(mapping, tools)] if mapping.kind == kind else []
    except (OSError, ValueError) as error:
        raise WrongSettingError(f"HELIOGRAPH_MAPPINGS_DIR: {path.name}: {error}") from None


def _plan_mapping(mapping: MappingFile, tools: Tools) -> Planned:
    secret = tools.secret(mapping.auth.secret) if mapping.auth else ""
    attach: Attach | None = None
    if mapping.auth and mapping.auth.kind == "oauth2":
        attach = ClientCredentials(tools.client, mapping.auth, secret)
    source = HttpJson(mapping, secret) if mapping.kind == "http-json" else Table(mapping, secret)
    return plan_polled(source, tools, attach)


SOURCES: Mapping[str, Callable[[Tools, datetime], list[Planned]]] = {
    "fleet": _fleet,
    "replay": _replay,
    "open-meteo": _polled(lambda tools: OpenMeteo(tools.places, tools.settings.open_meteo_url)),
    "kpx-region": _polled(lambda tools: KpxRegion(_korean_key(tools), tools.settings.kpx_region_url)),
    "kpx-fuel": _polled(lambda tools: KpxFuel(_korean_key(tools), tools.settings.kpx_fuel_url)),
    "kma-nowcast": _polled(lambda tools: KmaNowcast(_korean_key(tools), tools.places, tools.settings.kma_url)),
    "pvlive": _polled(lambda tools: PvLive(tools.settings.pvlive_url)),
    "solaredge": _polled(_solaredge),
    "http-json": _mapped("http-json"),
    "csv": _mapped("csv"),
    "parquet": _mapped("parquet"),
}


def utc_now() -> datetime:
    """Azure's clock."""
    return azure_time.now()
