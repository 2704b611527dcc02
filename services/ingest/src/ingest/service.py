"""The composition root of ingest."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path

import httpx
from azure.storage.blob.aio import BlobServiceClient

from heliograph import topology
from heliograph.blobs import BlobFolder, open_blobs
from heliograph.dead_letters import DeadLetters
from heliograph.hub import open_sender
from heliograph.leases import BlobLease
from heliograph.resilience import hasty
from heliograph.runtime import Service
from heliograph.settings import WrongSettingError
from heliograph.sites import publish_sites
from heliograph.telemetry import log
from ingest.admin import Host, admin_routes
from ingest.alarms import Alarms
from ingest.authority import Authority, EntraTokens, KeyRing
from ingest.fetching import Fetcher
from ingest.intake import Intake, Lane
from ingest.jobs import SECRETS_BEGIN, Planned, Tools, plan_jobs, utc_now
from ingest.letters import SERVICE
from ingest.outbox import Outbox, OutboxTakenError, claim_outbox
from ingest.packer import Packer
from ingest.push import Pressure, PushDesk, push_routes
from ingest.registry import Registry
from ingest.schedule.clock import Clock
from ingest.schedule.timer import Timer
from ingest.sending import Sending
from ingest.settings import IngestSettings
from ingest.sources.declaration import AnswerError
from ingest.validation import Validator

LAST_SENDS = 0.6
"""Share of the drain that the outbox may take; what is left is sent by the next process that owns it."""


async def serve(service: Service[IngestSettings]) -> None:
    """Runs the sources until asked to stop, then sends what still waits."""
    settings = service.settings
    async with AsyncExitStack() as stack:
        blobs = await stack.enter_async_context(open_blobs(settings))
        client = await stack.enter_async_context(open_client(os.environ))
        senders = {
            hub: await stack.enter_async_context(open_sender(settings, hub))
            for hub in (topology.READINGS_HUB, topology.INSIGHTS_HUB)
        }
        outbox = stack.enter_context(_open_outbox(settings))
        alarms = Alarms()
        packer = Packer(outbox, linger_s=settings.linger_ms / 1000, compress=settings.compress)
        keeping = hasty(f"blobs-{topology.DEAD_LETTERS}")  # who pushes readings waits for it
        letters = DeadLetters(BlobFolder(blobs, topology.DEAD_LETTERS, guard=keeping), SERVICE)
        fetcher = Fetcher(client, folders_of(blobs))
        registry = Registry(settings.sites_url, fetcher, alarms)
        await registry.reload()
        intake = Intake(registry.get, packer, letters, Validator(max_skew_s=settings.max_skew_s))
        schedules = BlobFolder(blobs, topology.SCHEDULES)
        tools = Tools(settings, intake, fetcher, schedules, registry.own, registry.get, client, os.environ)
        planned = plan_jobs(tools, utc_now())
        sites = BlobFolder(blobs, topology.SITES)
        await _publish(registry, planned, sites)
        timers = [_timer(plan, settings, blobs, schedules, alarms) for plan in planned]
        _add_routes(service, timers, _Core(intake, packer, outbox, registry, alarms, tools.lane("push")), client)
        for name, sender in senders.items():
            service.readiness.add(f"hub {name}", sender.probe)
        service.readiness.add("schedules", schedules.probe)
        work = [registry.follow(service, sites), *(timer.run(service.stopping) for timer in timers)]
        await _flow(service, work, packer, Sending(outbox, senders, letters, alarms, packer.traces), outbox)


def open_client(environment: Mapping[str, str]) -> httpx.AsyncClient:
    """Follows redirects, but never takes a mapping file's secret to another host: the library itself keeps back
    nothing but `Authorization`.
    """
    secrets = [value for name, value in environment.items() if name.startswith(SECRETS_BEGIN) and value]

    async def check(response: httpx.Response) -> None:
        request = response.request
        if not response.has_redirect_location or not any(_holds(request, secret) for secret in secrets):
            return
        there = request.url.join(response.headers["location"])
        if there.host != request.url.host or (request.url.scheme, there.scheme) == ("https", "http"):
            here = f"{request.url.scheme}://{request.url.host}"
            raise AnswerError(f"{here} redirects to {there.scheme}://{there.host}, where the secret must not go")

    return httpx.AsyncClient(follow_redirects=True, timeout=30, event_hooks={"response": [check]})


def _holds(request: httpx.Request, secret: str) -> bool:
    return secret in request.url.params.values() or any(secret in value for value in request.headers.values())


def folders_of(blobs: BlobServiceClient) -> Callable[[str], BlobFolder]:
    """The folder of a container, always the same: its circuit breaker remembers what failed."""
    return cache(lambda container: BlobFolder(blobs, container))


@dataclass(frozen=True, slots=True)
class _Core:
    """What the routes work with."""

    intake: Intake
    packer: Packer
    outbox: Outbox
    registry: Registry
    alarms: Alarms
    lane: Lane


def _add_routes(
    service: Service[IngestSettings], timers: Sequence[Timer], core: _Core, client: httpx.AsyncClient
) -> None:
    settings = service.settings
    authority = authority_of(settings, client)

    def draining() -> bool:
        return host.draining or service.stopping.is_set()

    desk = PushDesk(
        core.intake,
        core.packer,
        authority,
        Pressure(lambda: core.outbox.fill, draining),
        lookup=core.registry.get,
        lane=core.lane,
    )
    host = Host(
        timers,
        core.alarms,
        replica_name(),
        outstanding=lambda: {"pushes": desk.in_progress, "outboxBytes": core.outbox.waiting_bytes},
        loaded=lambda: desk.is_loaded,
        stopping=service.stopping.is_set,
    )
    service.app.include_router(push_routes(desk))
    service.app.include_router(admin_routes(host, authority))


def authority_of(settings: IngestSettings, client: httpx.AsyncClient) -> Authority:
    """Who may do what, by the settings."""
    tokens = None
    if settings.entra_tenant:
        tokens = EntraTokens(
            client, settings.entra_authority, settings.entra_tenant, settings.entra_audience, settings.entra_role
        )
    master_key = settings.master_key.get_secret_value() if settings.master_key else ""
    return Authority(host=settings.http_host, keys=KeyRing(settings.api_keys), tokens=tokens, master_key=master_key)


async def _flow(
    service: Service[IngestSettings],
    work: Sequence[Coroutine[object, object, None]],
    packer: Packer,
    sending: Sending,
    outbox: Outbox,
) -> None:
    """Sources stop first, then the packer, then the sending: each drains into the next."""
    packed, sent = asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        emptying = tasks.create_task(sending.run(packer.appended, sent), name="sending")
        packing = tasks.create_task(packer.run(packed), name="packer")
        async with asyncio.TaskGroup() as sources:
            for one in (service.stopping.wait(), *work):
                sources.create_task(one)
        packed.set()
        await packing
        sent.set()
        await asyncio.wait([emptying], timeout=service.settings.drain_s * LAST_SENDS)
        if not emptying.done():
            log.warning("readings left in the outbox", bytes=outbox.waiting_bytes)
            emptying.cancel()


async def _publish(registry: Registry, planned: Sequence[Planned], folder: BlobFolder) -> None:
    """The operator's file and each source's plants become a registry of their own."""
    await registry.publish(folder)
    for plan in planned:
        if plan.sites:
            registry.add(plan.sites)
            await publish_sites(folder, plan.job.name, plan.sites)


def _timer(
    plan: Planned, settings: IngestSettings, blobs: BlobServiceClient, folder: BlobFolder, alarms: Alarms
) -> Timer:
    lease = BlobLease(blobs, topology.SCHEDULES, f"locks/{plan.job.name}", duration_s=settings.lease_s)
    return Timer(
        plan.job,
        plan.schedule,
        folder=folder,
        lease=lease,
        clock=Clock(),
        alarms=alarms,
        replica=replica_name(),
        most_jitter_s=plan.jitter_s,
        renew_s=settings.lease_s / 3,
    )


def replica_name() -> str:
    """Of this process among its replicas."""
    return f"{socket.gethostname()}-{os.getpid()}"


def _open_outbox(settings: IngestSettings) -> Outbox:
    try:
        return claim_outbox(outbox_root(settings), max_bytes=settings.outbox_max_mb * 2**20)
    except (OSError, OutboxTakenError) as error:
        raise WrongSettingError(f"HELIOGRAPH_OUTBOX_DIR: can't be used: {error}") from error


def outbox_root(settings: IngestSettings) -> Path:
    """A folder for each namespace, so that what waits for one is never sent to another."""
    connection = settings.eventhub_connection_string
    target = connection.get_secret_value() if connection else settings.eventhub_namespace or ""
    return settings.outbox_dir / blake2b(target.encode(), digest_size=6).hexdigest()
