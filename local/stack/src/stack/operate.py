"""The commands of an operator at three in the morning: lag, dead letters, verification.

They work on the stack of this machine, or on any other that the environment names, as it names it to the services.
Each loads Azure's SDKs when it is called: they take seconds that `up`, `down` and `--help` would wait for too.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Coroutine
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from heliograph.contracts import iso_seconds
from heliograph.settings import CosmosSettings
from stack.access import WAYS, access

if TYPE_CHECKING:
    from stack.verify import Span, Tumbling

out, err = Console(emoji=False), Console(stderr=True, emoji=False)
dead_letters = typer.Typer(no_args_is_help=True, help="What could not be processed: list it, show it, send it again.")

Data = Annotated[
    Path,
    typer.Option("--data", envvar="HELIOGRAPH_DATA", help="Folder that keeps hubs, documents, blobs and logs."),
]
DEFAULT_DATA = Path(".heliograph")
SHOWN = 20
T = TypeVar("T")


def ways_in(data: Path) -> CosmosSettings:
    """Of the environment or of the stack in the folder, else the end of the process with a message."""
    found = access(data)
    if found is None:
        named = f"set {WAYS[1]}, {WAYS[3]} and {WAYS[4]}"
        fail(f"Heliograph does not run in {data.absolute()}. Start it, name its --data, or {named}.")
    return found


def lag(data: Data = DEFAULT_DATA) -> None:
    """Say how far each reader of the hubs is behind, partition by partition, as KEDA counts it."""
    from stack.lag import lags  # noqa: PLC0415

    found = _run(lags(ways_in(data)))
    table = Table("hub", "group", "partition", "last", "checkpoint", "lag", box=None, header_style="bold")
    for one in found:
        checkpoint = "none" if one.checkpoint is None else str(one.checkpoint)
        table.add_row(one.hub, one.group, one.partition, str(one.last), checkpoint, str(one.events))
    out.print(table)
    out.print(f"{sum(one.events for one in found)} events behind in all")


@dead_letters.command("list")
def list_letters(
    prefix: Annotated[str, typer.Argument(help="Only names that begin so, e.g. analyzer/readings.")] = "",
    data: Data = DEFAULT_DATA,
) -> None:
    """Show the dead letters by name, with their reasons."""
    from stack import letters  # noqa: PLC0415

    async def show() -> int:
        total = 0
        async for box in letters.boxes(ways_in(data), prefix):
            reasons = Counter(letter.reason for letter in box.letters)
            total += len(box.letters)
            said = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
            detail = escape(box.letters[0].detail[:120])
            out.print(f"{escape(box.name)}  [yellow]{escape(said)}[/yellow]  {detail}", soft_wrap=True)
        return total

    out.print(f"{_run(show())} dead letters")


@dead_letters.command("show")
def show_letters(name: str, data: Data = DEFAULT_DATA) -> None:
    """Show the letters of one name, whole."""
    from heliograph.dead_letters import original_text  # noqa: PLC0415
    from stack import letters  # noqa: PLC0415

    box = _run(letters.box(ways_in(data), name))
    for letter in box.letters:
        out.print(f"[bold]{escape(letter.reason)}[/bold]: {escape(letter.detail)}", soft_wrap=True)
        place = f"{letter.source} partition {letter.partition}, sequence {letter.sequence}, message {letter.index}"
        out.print(f"from {place}, at {iso_seconds(letter.at)}", markup=False, soft_wrap=True)
        out.print(original_text(letter)[:4000], markup=False, soft_wrap=True)


@dead_letters.command("replay")
def replay_letters(name: str, data: Data = DEFAULT_DATA) -> None:
    """Send the letters of one name to their hub again; they are kept under `replayed/`."""
    from stack import letters  # noqa: PLC0415

    count = _run(letters.replay(ways_in(data), name))
    out.print(f"{count} sent to the hub again")


def verify_hour(
    data: Data = DEFAULT_DATA,
    start: Annotated[str, typer.Option("--from", help="ISO time; default: the last whole hour of the readings.")] = "",
    end: Annotated[str, typer.Option("--to", help="ISO time at which to stop.")] = "",
    window: Annotated[
        str, typer.Option(help="Which windows, as HELIOGRAPH_WINDOWS names them; tumbling ones only.")
    ] = "tumbling-10s",
) -> None:
    """Compute the windows again from the events that the hub still has, and report what Cosmos DB has otherwise."""
    from stack import verify  # noqa: PLC0415

    tumbling = _tumbling(window)
    asked = _span(start, end, tumbling)
    ways = ways_in(data)

    async def run() -> tuple[Span, int, list[str]]:
        kept = verify.Kept(asked, tumbling)
        await verify.read_retained(ways, await verify.refused(ways), kept)
        if kept.span is None:
            fail("the hub has no readings")
        truth = verify.fold(kept.readings, kept.span)
        stored = await verify.stored(ways, kept.span)
        return kept.span, len(truth), list(verify.differences(truth, stored))

    span, windows, found = _run(run())
    for line in found[:SHOWN]:
        out.print(line, markup=False, soft_wrap=True)
    if len(found) > SHOWN:
        out.print(f"… and {len(found) - SHOWN} more")
    verdict = f"{len(found)} differences" if found else "no difference"
    said = f"{iso_seconds(span.start)} to {iso_seconds(span.end)}: {windows} windows computed again, {verdict}"
    out.print(said, soft_wrap=True)
    raise typer.Exit(1 if found else 0)


def _tumbling(text: str) -> Tumbling:
    from stack.verify import parse_tumbling  # noqa: PLC0415

    try:
        return parse_tumbling(text)
    except ValueError as error:
        fail(f"--window is {error}")


def _span(start: str, end: str, window: Tumbling) -> Span | None:
    from stack.verify import HOUR, Span  # noqa: PLC0415

    if bool(start) != bool(end):
        fail("give both --from and --to")
    if not start:
        if HOUR % window.size:
            fail(f"{window.name} does not divide an hour: give both --from and --to")
        return None
    span = Span(moment("--from", start), moment("--to", end), window)
    if span.end <= span.start:
        fail(f"--to is {end!r}, it must be after --from, which is {start!r}")
    return span


def moment(option: str, text: str) -> datetime:
    """An ISO time with its offset from UTC, or the end of the process with a message that names the option."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        fail(f"{option} is {text!r}, it must be an ISO time like 2026-06-21T11:00:00+09:00")
    if parsed.tzinfo is None:
        fail(f"{option} is {text!r}, it must name its offset from UTC, e.g. {text}+09:00")
    return parsed


def _run(work: Coroutine[Any, Any, T]) -> T:
    """What the work gives. What is wrong with a letter or with Azure becomes the command's message."""
    from azure.core.exceptions import AzureError, ClientAuthenticationError  # noqa: PLC0415
    from azure.eventhub.exceptions import EventHubError  # noqa: PLC0415

    from heliograph.credentials import close_identity  # noqa: PLC0415
    from stack.letters import LetterError  # noqa: PLC0415

    logging.getLogger("azure").setLevel(logging.ERROR)  # warns of each try; what fails for good is said below

    async def whole() -> T:
        try:
            return await work
        finally:
            await close_identity()

    try:
        return asyncio.run(whole())
    except LetterError as error:
        fail(str(error))
    except ClientAuthenticationError as error:
        fail(f"Azure lets nobody in, sign in with `az login`: {str(error).splitlines()[0]}")
    except (AzureError, EventHubError, OSError) as error:
        fail(f"{type(error).__name__}: {error}")


def fail(message: str) -> NoReturn:
    """Ends the process with the message in red."""
    err.print(message, style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(1)
