"""Any provider with a REST API that answers JSON, described by a mapping file (`ingest.sources.mapping`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit, urlunsplit

from jmespath.exceptions import JMESPathError  # type: ignore[import-untyped]

from heliograph.sites import Site
from ingest.observations import parsed
from ingest.sources.declaration import Answer, AnswerError, Declaration, Quota, Request, Revision
from ingest.sources.json_body import parse_json
from ingest.sources.mapping import MappingFile, RowReader, compiled


def declaration_of(mapping: MappingFile) -> Declaration:
    """What the file says about the provider."""
    return Declaration(
        name=f"{mapping.kind}-{mapping.name}",
        schedule=mapping.schedule,
        interval_s=mapping.time.interval_s,
        label=mapping.time.label,
        timezone=mapping.time.zone,
        lag_s=mapping.lag_s,
        quotas=(Quota(mapping.quota.calls, mapping.quota.per_s),) if mapping.quota else (),
        revisions=(Revision(mapping.revision_s, 3600),) if mapping.revision_s else (),
        window_s=max(86_400.0, mapping.revision_s),
        jitter_s=5,
    )


class HttpJson:
    """One provider."""

    def __init__(self, mapping: MappingFile, secret: str = "") -> None:
        """Raises `MappingError`."""
        self.declaration = declaration_of(mapping)
        self._mapping = mapping
        self._secret = secret
        self._reader = RowReader(mapping, self.declaration.name)
        self._records = compiled("records", mapping.records)
        self._next = compiled("paging.path", mapping.paging.path or "@") if mapping.paging else None

    def sites(self) -> Sequence[Site]:
        """None of its own."""
        return ()

    def request(self, since: datetime, now: datetime) -> Sequence[Request]:
        """The first page. `{since}` and `{now}` in the address become times, `{since_s}`, `{now_s}` epoch seconds."""
        values = {
            "since": quote(f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}", safe=""),
            "now": quote(f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}", safe=""),
            "since_s": f"{since.timestamp():.0f}",
            "now_s": f"{now.timestamp():.0f}",
        }
        url = self._mapping.url
        for name, value in values.items():
            url = url.replace(f"{{{name}}}", value)
        paging = self._mapping.paging
        if paging and paging.kind == "page":
            return [self._page(url, paging.first)]
        return [with_auth(self._mapping, self._secret, url)]

    def _page(self, url: str, page: int) -> Request:
        paging = self._mapping.paging
        parameter = paging.parameter if paging else "page"
        context = {"page": str(page), "base": url}
        return with_auth(self._mapping, self._secret, _with_query(url, {parameter: str(page)}), context)

    def parse(self, body: bytes, request: Request) -> Answer:
        """The rows that `records` finds, and the next page."""
        answer = parse_json(body)
        try:
            rows = self._records.search(answer)
        except JMESPathError as error:
            raise AnswerError(f"{self._mapping.name}: {error}") from None
        if rows is None:
            raise AnswerError(f"{self._mapping.name}: the answer has nothing at {self._mapping.records!r}")
        found = self._reader.read(rows if isinstance(rows, list) else [rows])
        return Answer(parsed(found), self._more(answer, rows, request))

    def _more(self, answer: Any, rows: Any, request: Request) -> Sequence[Request]:  # noqa: ANN401 - any JSON
        paging = self._mapping.paging
        if paging is None or self._next is None:
            return ()
        if paging.kind == "page":
            return (self._page(request.context["base"], int(request.context["page"]) + 1),) if rows else ()
        link = self._next.search(answer)
        if not isinstance(link, str) or not link:
            return ()
        url = urljoin(request.url, link)
        if urlsplit(url)[:2] != urlsplit(self._mapping.url)[:2]:
            raise AnswerError(f"{self._mapping.name}: the next page is on another host, where the secret must not go")
        return (with_auth(self._mapping, self._secret, url),)


def with_auth(mapping: MappingFile, secret: str, url: str, context: Mapping[str, str] | None = None) -> Request:
    """A call with the secret in its header or query; a token of OAuth is added when it is made."""
    auth, context = mapping.auth, context or {}
    if auth is None or auth.kind == "oauth2":
        return Request(url, context=context)
    if auth.kind == "query":
        return Request(_with_query(url, {auth.name: secret}), context=context)
    return Request(url, headers={auth.name: auth.prefix + secret}, context=context)


def _with_query(url: str, more: Mapping[str, str]) -> str:
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in more]
    return urlunsplit(parts._replace(query=urlencode([*query, *more.items()])))
