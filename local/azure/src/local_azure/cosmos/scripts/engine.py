"""One run of a stored procedure or a trigger: the script's turns, and the work that it asks for between them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import quickjs

from local_azure.cosmos import jsontext
from local_azure.cosmos.errors import CosmosError, bad_request
from local_azure.cosmos.jsontext import Json

_MAX_MEMORY_BYTES = 64 * 1024 * 1024

Work = Callable[[dict[str, Json]], tuple[Json, dict[str, Json]]]
"""Does one call of a script; gives its result and the response's options, or raises CosmosError."""


@dataclass(frozen=True)
class Outcome:
    """What a run left: the response's body, the request's body if the script changed it, and what it logged."""

    body: Json
    request: Json
    log: str


def run(source: str, parameters: list[Json], surroundings: dict[str, Json], work: Work, *, limit_s: float) -> Outcome:
    """Run a function's source with `parameters`; `surroundings` are what the script finds in its context.

    Raises CosmosError 400 for whatever the script throws, and when it and its work take more than `limit_s` seconds
    of CPU.
    """
    turns = _Turns(limit_s)
    try:
        host = turns.take(turns.context.eval, prelude())
        turns.take(host, "begin", jsontext.dumps(surroundings))
        script = turns.take(turns.context.eval, f"({source}\n)")
        turns.take(host, "run", script, jsontext.dumps(parameters))
        while (asked := turns.take(host, "take")) is not None:
            call = jsontext.loads(asked)
            turns.take(host, "answer", call["id"], jsontext.dumps(_answer(call, work)))
        return _outcome(turns.take(host, "outcome"))
    except quickjs.JSException as error:
        raise bad_request(f"Encountered exception while executing Javascript. Exception = {error}") from error


def _answer(call: dict[str, Json], work: Work) -> dict[str, Json]:
    try:
        result, options = work(call)
    except CosmosError as error:
        if error.status >= 500:
            raise
        told = {"number": error.status, "status": error.status, "code": error.status, "message": error.message}
        return {"error": {**told, "body": error.message}}
    return {"result": result, "options": options}


def _outcome(text: str) -> Outcome:
    told = jsontext.loads(text)
    return Outcome(told.get("body"), told.get("request"), told["log"])


class _Turns:
    """A JavaScript context whose turns, with all that is done between them, have a limit of time."""

    def __init__(self, limit_s: float) -> None:
        self.context = new_context()
        self._limit_s = limit_s
        self._started_s = time.thread_time()

    def take(self, turn: Callable[..., Json], *given: Json) -> Json:
        left_s = self._started_s + self._limit_s - time.thread_time()
        if left_s <= 0:
            raise bad_request(f"The script and its work took more than {self._limit_s:g} s of CPU.")
        self.context.set_time_limit(left_s)
        return turn(*given)


def new_context() -> quickjs.Context:
    """A context with a limit of memory."""
    context = quickjs.Context()
    context.set_memory_limit(_MAX_MEMORY_BYTES)
    return context


@lru_cache(maxsize=1)
def prelude() -> str:
    """The source of what surrounds a script."""
    return files("local_azure.cosmos.scripts").joinpath("prelude.js").read_text(encoding="utf-8")
