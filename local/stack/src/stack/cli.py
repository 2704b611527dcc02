"""The command `heliograph`: the whole product on one machine, with neither Docker nor Azure."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC
from pathlib import Path
from typing import Annotated, Any

import msgspec
import psutil
import typer
from rich.markup import escape
from rich.table import Table

from heliograph.contracts import iso_seconds
from local_azure.directory import DataDirectoryInUseError
from stack.layout import HOST, WELL_KNOWN_PORTS, Plan
from stack.operate import DEFAULT_DATA, Data, dead_letters, fail, lag, moment, out, verify_hour
from stack.ports import taken
from stack.state import StackState, other_clock, own_ports, running_stack

app = typer.Typer(
    help="Heliograph watches a country's solar plants. This command runs all of it on this machine: the five "
    "services and a local Azure (Event Hubs, Cosmos DB, blobs and queues). Try `heliograph up`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(lag)
app.command("verify")(verify_hour)
app.add_typer(dead_letters, name="dead-letters")

START_LIMIT_S = 240.0
_CLOCKS = (
    "The data in {data} goes by another clock ({first}) than asked for ({asked}); the newest counts as live, so that\n"
    "one would hide the other. Name a folder of its own, e.g. --data {data}-2"
)


@app.command()
def up(
    data: Data = DEFAULT_DATA,
    *,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when all is ready, and run on.")] = False,
    plants: Annotated[int, typer.Option(min=1, max=200_000, help="Plants of the simulated national fleet.")] = 2000,
    speed: Annotated[
        float, typer.Option(min=0.0, help="Simulated seconds a second, for fleet and replay; 0 is as fast as it goes.")
    ] = 1.0,
    sources: Annotated[
        str, typer.Option(help="What to poll, by commas: fleet, replay, open-meteo, … (see docs/sources.md), or none.")
    ] = "fleet",
    start: Annotated[
        str,
        typer.Option(help="Time at which the simulated clock starts, e.g. 2026-06-21T11:00:00+09:00. Default: now."),
    ] = "",
    free: Annotated[
        bool, typer.Option("--free-ports", help="Take free ports, the same at each start in a folder.")
    ] = False,
) -> None:
    """Start everything and say where to look. Stop it with Ctrl-C, or `heliograph down`."""
    data = data.absolute()
    if running := running_stack(data):
        fail(f"Heliograph already runs in {data} (process {running.pid}): {_page(running.plan)}")
    begins = iso_seconds(moment("--start", start).astimezone(UTC)) if start else ""
    _make_folder(data)
    try:
        ports = own_ports(data) if free else WELL_KNOWN_PORTS
        if held := list(taken(ports)):
            fail("\n".join([*held, "Stop what holds them, or use --free-ports."]))
        plan = Plan(data=str(data), ports=ports, plants=plants, speed=speed, sources=sources, start=begins)
        if first := other_clock(data, plan.clock):
            fail(_CLOCKS.format(data=data, first=first, asked=plan.clock))
        if detach:
            _detached(plan)
        else:
            _foreground(plan)
    except OSError as error:
        fail(f"--data: can't keep files in {data}: {error.strerror} ({error.filename})")


def _make_folder(data: Path) -> None:
    try:
        (data / "logs").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fail(f"--data: can't make the folder {data}: {error.strerror}")


def _foreground(plan: Plan) -> None:
    from stack.supervisor import StartError  # noqa: PLC0415 - loads Azure's SDKs, as `stack.operate` says

    def ready(took_s: float) -> None:
        out.print(f"\n[bold]Heliograph is up[/bold] after {took_s:.0f} s, with {plan.plants} simulated plants.")
        out.print(f"  the page       {_page(plan)}")
        out.print(f"  its API        {_page(plan)}/api/v1/docs")
        out.print(f"  push readings  http://{HOST}:{plan.ports['ingest']}/docs")
        out.print(f"  all data       {escape(plan.data)}")
        out.print("Stop it with Ctrl-C, or `heliograph down`.\n")

    try:
        asyncio.run(_supervise(plan, ready))
    except (StartError, DataDirectoryInUseError) as error:
        fail(str(error))


async def _supervise(plan: Plan, ready: Any) -> None:  # noqa: ANN401 - a callable
    from stack.supervisor import Supervisor  # noqa: PLC0415

    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(sign, stopping.set)
    out.print(f"Starting Heliograph in {escape(plan.data)} …")
    await Supervisor(plan, report=_tell).run(stopping, ready)
    out.print("Heliograph has stopped.")


def _tell(line: str) -> None:
    out.print(f"  {line}", soft_wrap=True, markup=False, highlight=False)


def _detached(plan: Plan) -> None:
    log = plan.folder / "logs" / "stack.log"
    words = [sys.executable, "-m", "stack.cli", "supervise", msgspec.json.encode(plan).decode()]
    with log.open("wb") as output:
        child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
    shown = 0
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        lines = log.read_text(errors="replace").splitlines()
        for line in lines[shown:]:
            out.print(line, markup=False, highlight=False)
        shown = len(lines)
        if child.poll() is not None:
            fail(f"the stack ended with code {child.returncode}, see {log}")
        if (state := running_stack(plan.folder)) and state.phase == "ready" and "is up" in "".join(lines):
            return
        time.sleep(0.1)
    fail(f"not ready after {START_LIMIT_S:g} s, see {log}")


@app.command(hidden=True)
def supervise(plan: str) -> None:
    """What `up --detach` leaves running."""
    _foreground(msgspec.json.decode(plan, type=Plan))


@app.command()
def down(data: Data = DEFAULT_DATA) -> None:
    """Stop everything; the data stays, and `up` goes on from it."""
    state = _running_orfail(data)
    supervisor = psutil.Process(state.pid)
    os.kill(state.pid, signal.SIGTERM)
    out.print("Stopping: the services drain, then the local Azure closes …")
    try:
        supervisor.wait(60)
    except psutil.TimeoutExpired:
        fail(f"process {state.pid} did not stop within 60 s, see {data.absolute() / 'logs'}")
    out.print("Heliograph has stopped.")


@app.command()
def status(
    data: Data = DEFAULT_DATA,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on one line.")] = False,
) -> None:
    """Say how each service is, and what has come through, read from the real stores."""
    from stack.status import AT_LEAST, collect  # noqa: PLC0415

    state = _running_orfail(data)
    report = asyncio.run(collect(state))
    if as_json:
        sys.stdout.write(json.dumps(report) + "\n")
        return
    table = Table("service", "health", "pid", "restarts", box=None, header_style="bold")
    for name, facts in report["services"].items():
        health = "[green]healthy[/green]" if facts["healthy"] else f"[red]{escape(facts['reason'])}[/red]"
        table.add_row(name, health, str(facts["pid"] or "–"), str(facts["restarts"]))
    out.print(table)
    counts = Table(box=None, show_header=False)
    for key, value in report.items():
        if key != "services":
            least = "at least once each" if key in AT_LEAST else ""
            counts.add_row(key.replace("_", " "), "–" if value is None else str(value), least)
    out.print(counts)


def _running_orfail(data: Path) -> StackState:
    state = running_stack(data.absolute())
    if state is None:
        fail(f"Heliograph does not run in {data.absolute()}. Start it with `heliograph up`, or name its --data.")
    return state


def _page(plan: Plan) -> str:
    return f"http://{HOST}:{plan.ports['dashboard']}"


def main() -> None:
    """Entry point of the command `heliograph`."""
    app()


if __name__ == "__main__":
    main()
