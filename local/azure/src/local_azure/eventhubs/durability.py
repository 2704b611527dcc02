"""When an appended publication may be acknowledged."""

import asyncio
from collections.abc import Callable

from local_azure.eventhubs.config import FsyncPolicy

OnDurable = Callable[[OSError | None], None]


class GroupSync:
    """Calls back at once, or after an fsync that all publications waiting at its start share."""

    def __init__(self, pending_sync: Callable[[], Callable[[], None]], policy: FsyncPolicy) -> None:
        """Sync with what `pending_sync` returns, as `policy` demands."""
        self._pending_sync = pending_sync
        self._policy = policy
        self._waiting: list[OnDurable] = []
        self._running: asyncio.Future[None] | None = None
        self._dirty = False

    def when_durable(self, on_durable: OnDurable) -> None:
        """Call `on_durable` when what was appended until now is as safe as the policy demands."""
        if self._policy is FsyncPolicy.ALWAYS:
            self._waiting.append(on_durable)
            self._start()
        else:
            self._dirty = True
            on_durable(None)

    def take_dirty(self) -> Callable[[], None] | None:
        """Return the sync that the interval policy owes, or None if nothing was appended since the last."""
        if not self._dirty:
            return None
        self._dirty = False
        return self._pending_sync()

    def _start(self) -> None:
        if self._running is not None or not self._waiting:
            return
        sharing, self._waiting = self._waiting, []
        loop = asyncio.get_running_loop()
        self._running = loop.run_in_executor(None, self._pending_sync())
        self._running.add_done_callback(lambda done: self._finish(done, sharing))

    def _finish(self, done: "asyncio.Future[None]", sharing: list[OnDurable]) -> None:
        self._running = None
        problem = done.exception()
        if problem is not None and not isinstance(problem, OSError):
            raise problem
        for on_durable in sharing:
            on_durable(problem)
        self._start()
