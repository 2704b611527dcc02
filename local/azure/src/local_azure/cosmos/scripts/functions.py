"""User-defined functions in queries: each thread that runs queries has a JavaScript context of its own."""

import json
import threading

import quickjs

from local_azure.cosmos.scripts.engine import new_context, prelude

_MAX_CALL_S = 1.0
_MAX_KEPT = 100


class _Thread(threading.local):
    """A context, the functions compiled in it, and what the last failure was."""

    def __init__(self) -> None:
        self.renew()
        self.failure: str | None = None

    def renew(self) -> None:
        self.context = new_context()
        self.host = self.context.eval(prelude())
        self.compiled: dict[str, quickjs.Object] = {}


_thread = _Thread()


def call(source: str, *texts: str | None) -> str | None:
    """Call a function by its source with arguments as JSON text; None stands for undefined, both ways.

    Raises quickjs.JSException for what it throws, and when it takes over a second.
    """
    if len(_thread.compiled) > _MAX_KEPT:
        _thread.renew()
    context = _thread.context
    context.set_time_limit(_MAX_CALL_S)
    try:
        function = _thread.compiled.get(source)
        if function is None:
            function = _thread.compiled[source] = context.eval(f"({source}\n)")
        result = _thread.host("call", function, json.dumps(texts))
    except quickjs.JSException as error:
        _thread.failure = str(error)
        raise
    return None if result is None else str(result)


def take_failure() -> str | None:
    """What the last failed call on this thread said, once."""
    failure, _thread.failure = _thread.failure, None
    return failure
