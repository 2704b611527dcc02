"""Polls one source: asks for what is new since its cursor and for what the provider may have revised, within its
quota, and hands on what the answers hold."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Protocol

import httpx

from heliograph.resilience import Guard, retry_after_s
from heliograph.telemetry import log
from ingest import metrics
from ingest.asking import Span, even_gap_s, is_worth_waiting, next_cursor, revisions_done, since_of
from ingest.fetching import Fetched, Fetcher, is_worth_retrying
from ingest.intake import Intake, Lane
from ingest.observations import Parsed, Refused
from ingest.schedule.quota import QuotaBook, QuotaError
from ingest.schedule.timer import Outcome, Run
from ingest.sources.declaration import Answer, AnswerError, Request, Source

MAX_PAGES_A_RUN = 500
"""That follow the calls which a run begins with."""
PATIENCE_S = 61.0
"""A round waits so long for a quota to be free again; else it ends."""
NOT_BEFORE, FAILING, ETAG = "not-before", "failing-since", "etag "
PROVIDER_WIDE = frozenset({401, 407, 429})
"""Refusals that the next call would get too."""
CHUNK = 5_000


class Attach(Protocol):
    """Adds what a call needs to be let in, e.g. a fresh OAuth2 token."""

    async def attach(self, request: Request) -> Request:
        """The request with it."""

    def forget(self) -> None:
        """It was refused: the next call needs another."""


@dataclass(slots=True)
class _Progress:
    queue: deque[Request]
    most_calls: int
    newest: datetime | None = None
    has_unreadable: bool = False
    calls: int = 0
    cost: int = 0
    answers: int = 0
    failure: Exception | None = None
    """Of a single call, while the provider answers others."""
    etags: dict[str, str] = field(default_factory=dict)
    begun_s: float = field(default_factory=time.monotonic)

    def now(self, run: Run) -> datetime:
        """The run's clock, which goes on: quotas of a minute begin anew while a round lasts."""
        return run.now + timedelta(seconds=time.monotonic() - self.begun_s)


class PollJob:
    """A source on the network, as a job of a timer."""

    def __init__(
        self,
        source: Source,
        fetcher: Fetcher,
        guard: Guard,
        *,
        intake: Intake,
        lane: Lane,
        attach: Attach | None = None,
    ) -> None:
        self.name = source.declaration.name
        self._source = source
        self._fetcher = fetcher
        self._guard = guard
        self._intake = intake
        self._lane = lane
        self._attach = attach

    async def run(self, run: Run) -> Outcome:
        """One round of calls. What was read before a failure is kept; the cursor then stays, to ask for it again."""
        declaration = self._source.declaration
        not_before = run.state.get(NOT_BEFORE, "")
        if not_before and not run.triggered and run.due < datetime.fromisoformat(not_before):
            return Outcome(run.cursor, run.state, "paced", f"{self.name} is asked again at {not_before}")
        book = QuotaBook(self.name, declaration.quotas, run.state)
        since = since_of(declaration, run.cursor, run.state, run.now)
        until = min(run.now, since + timedelta(seconds=declaration.window_s))
        begin = run.cursor or since
        requests = [one for one in self._source.request(since, until) if (one.not_before or run.now) <= run.now]
        progress = _Progress(deque(requests), len(requests) + MAX_PAGES_A_RUN)
        try:
            complete = await self._round(progress, run, book)
        except QuotaError as error:
            return Outcome(begin, {**run.state, **book.state()}, "quota", str(error))
        except Exception as error:
            if isinstance(error, AnswerError) and error.quota:
                book.exhaust(run.now)
            return self._failed(error, run, {**run.state, **book.state()}, begin)
        finally:
            left = book.left(run.now)
            if left is not None:
                metrics.QUOTA_LEFT.labels(self.name).set(left)
        state = {**run.state, **book.state()}
        if not complete:
            return Outcome(begin, state)
        state = {name: value for name, value in state.items() if not name.startswith(ETAG)} | progress.etags
        state |= revisions_done(declaration, since, run.now)
        found = Span(until, progress.newest, has_unreadable=progress.has_unreadable)
        cursor = next_cursor(declaration, begin, found, run.now)
        failing_since = state.pop(FAILING, run.now.isoformat())
        again = until < run.now and cursor >= until and progress.failure is None
        if not again:
            gap = timedelta(seconds=even_gap_s(declaration, progress.cost))
            state[NOT_BEFORE] = (run.due + gap).isoformat()
        if progress.failure is not None:
            state[FAILING] = failing_since
            if is_worth_waiting(declaration, datetime.fromisoformat(failing_since), run.now):
                cursor = begin
            return self._failed(progress.failure, run, state, cursor)
        return Outcome(cursor, state, again=again)

    def _failed(self, error: Exception, run: Run, state: dict[str, str], cursor: datetime | None) -> Outcome:
        asked_s = retry_after_s(error) if isinstance(error, httpx.HTTPStatusError) else None
        if asked_s:
            state[NOT_BEFORE] = (run.now + timedelta(seconds=asked_s)).isoformat()
        detail = f"{type(error).__name__}: {error}"
        log.warning("source failed", source=self.name, error=detail)
        return Outcome(cursor, state, "error", detail)

    async def _round(self, progress: _Progress, run: Run, book: QuotaBook) -> bool:
        """All calls, as many at once as the provider bears; false if it had to stop before the end.

        A call that the provider refuses by itself, e.g. for one plant, keeps none of the others.
        """
        parallel = self._source.declaration.parallel
        while progress.queue:
            if not run.may_go_on():
                return False
            batch = [progress.queue.popleft() for _ in range(min(parallel, len(progress.queue)))]
            tasks = [self._call(request, run, book, progress) for request in batch]
            replies = await asyncio.gather(*tasks, return_exceptions=True)
            for reply in sorted(replies, key=lambda one: isinstance(one, BaseException)):
                await self._take_in(reply, progress, run)
            progress.calls += len(batch)
            progress.cost += sum(request.cost for request in batch)
            if progress.calls > progress.most_calls:
                raise AnswerError(f"{self.name} asks for more than {MAX_PAGES_A_RUN} further pages")
        if progress.failure is not None and not progress.answers:
            raise progress.failure
        return True

    async def _take_in(self, reply: Answer | BaseException | None, progress: _Progress, run: Run) -> None:
        """Raises what stands for the provider as a whole: it is down, its quota is used up, or we are to stop."""
        if isinstance(reply, BaseException):
            if not isinstance(reply, AnswerError | httpx.HTTPStatusError) or is_worth_retrying(reply):
                raise reply
            if isinstance(reply, AnswerError) and reply.quota:
                raise reply
            if isinstance(reply, httpx.HTTPStatusError) and reply.response.status_code in PROVIDER_WIDE:
                raise reply
            progress.failure = progress.failure or reply
            return
        progress.answers += 1
        if reply is not None:
            progress.queue.extend(reply.more)
            await self._submit(reply.parsed, run, progress)

    async def _call(self, request: Request, run: Run, book: QuotaBook, progress: _Progress) -> Answer | None:
        """Fetches and parses; a retry counts as a call. None for a file that has not changed."""
        await self._take(request.cost, run, book, progress)
        key = ETAG + blake2b(request.url.encode(), digest_size=8).hexdigest()
        paid = True

        async def attempt() -> Answer | None:
            nonlocal paid
            if not paid:
                book.take(request.cost, progress.now(run))
            paid = False
            fetched = await self._fetch(request)
            answer = None
            if not fetched.etag or run.state.get(key) != fetched.etag:
                answer = await self._parse(fetched.body, request, run)
            if fetched.etag:
                progress.etags[key] = fetched.etag
            return answer

        return await self._guard(attempt)

    async def _fetch(self, request: Request) -> Fetched:
        if self._attach is None:
            return await self._fetcher.fetch(request)
        try:
            return await self._fetcher.fetch(await self._attach.attach(request))
        except httpx.HTTPStatusError as error:
            if error.response.status_code == 401:
                self._attach.forget()
            raise

    async def _take(self, cost: int, run: Run, book: QuotaBook, progress: _Progress) -> None:
        """Counts the call; a quota that is free again within a minute is waited for."""
        while True:
            now = progress.now(run)
            try:
                return book.take(cost, now)
            except QuotaError as error:
                if (error.free_at - now).total_seconds() > PATIENCE_S or not run.may_go_on():
                    raise
                await asyncio.sleep(1)

    async def _parse(self, body: bytes, request: Request, run: Run) -> Answer:
        try:
            return await asyncio.to_thread(self._source.parse, body, request)
        except AnswerError as error:
            if not error.quota:
                letter = Refused("malformed", f"{request.label}: {error}", body)
                await self._intake.submit(self._lane, (), run.due, [letter])
            raise

    async def _submit(self, parsed: Parsed, run: Run, progress: _Progress) -> None:
        ordered = sorted(parsed.observations, key=lambda one: one.observed_at)
        for start in range(0, max(len(ordered), 1), CHUNK):
            if not run.may_go_on():
                raise AnswerError(f"{self.name} lost its lease, or stops")
            refused = parsed.refused if start == 0 else ()
            receipt = await self._intake.submit(self._lane, ordered[start : start + CHUNK], run.now, refused)
            progress.has_unreadable |= any(one.reason == "malformed" for one in receipt.refused)
        known = [one.observed_at for one in ordered if one.observed_at <= run.now]
        if known:  # what is stamped in the future says nothing of what others have still to tell
            progress.newest = max(known[-1], progress.newest or known[-1])
