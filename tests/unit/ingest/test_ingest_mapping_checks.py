"""What a mapping file must not say, and what its secret and its file's columns must be."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

import pyarrow
import pyarrow.parquet
import pytest
from azure.storage.blob.aio import BlobServiceClient

from ingest.deduplication import Deduplicator
from ingest.fetching import Fetcher
from ingest.observations import Observation
from ingest.service import folders_of, open_client
from ingest.sources.declaration import AnswerError
from ingest.sources.http_json import HttpJson
from ingest.sources.json_body import number
from ingest.sources.mapping import MappingError, MappingFile, parse_mapping
from ingest.sources.tables import Table

NOON = datetime(2026, 6, 21, 3, tzinfo=UTC)
MAPPING: dict[str, Any] = {
    "name": "acme",
    "kind": "csv",
    "url": "https://acme.example/power.csv",
    "fields": {"plant_id": "plant", "observed_at": "t", "generation_kw": "p"},
}
KEY = {"kind": "header", "name": "X-Api-Key", "secret": "ACME"}


def mapping(**changes: Any) -> MappingFile:
    return parse_mapping(json.dumps(MAPPING | changes).encode())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"url": "acme.example/power"}, "url: 'acme.example/power'"),
        ({"url": "ftp://acme.example/power"}, "url: 'ftp://"),
        ({"fields": {"plant_id": "plant", "observed_at": "t"}}, "fields has no value"),
        ({"url": "https://acme.example/?from={since}"}, r"url: .* csv .*\{since\}"),
        ({"kind": "parquet", "url": "https://acme.example/?from={since_s}"}, r"url: .* parquet .*\{since_s\}"),
        ({"paging": {"kind": "page"}}, "paging: .* csv"),
        ({"url": "file:///power.csv", "auth": KEY}, "auth: file"),
    ],
)
def test_what_would_be_ignored_or_never_work_is_refused_at_the_start(changes: dict[str, Any], said: str):
    """The message names the field."""
    with pytest.raises(MappingError, match=said):
        Table(mapping(**changes))


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_files_are_asked_for_with_their_secret(kind: str):
    """As header or query, as with JSON."""
    [by_header] = Table(mapping(kind=kind, auth=KEY), "s3cret").request(NOON, NOON)
    assert (by_header.url, by_header.headers) == (MAPPING["url"], {"X-Api-Key": "s3cret"})
    auth = {"kind": "query", "name": "key", "secret": "ACME"}
    [by_query] = Table(mapping(kind=kind, auth=auth), "s3cret").request(NOON, NOON)
    assert by_query.url == f"{MAPPING['url']}?key=s3cret"


def parquet(**columns: Any) -> bytes:
    body = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), body)
    return body.getvalue()


@pytest.mark.parametrize(
    ("kind", "body"),
    [("csv", b"plant,t,power\n"), ("csv", b""), ("parquet", parquet(plant=["a"], t=[NOON], power=[1.0]))],
)
def test_a_file_without_a_mapped_column_is_an_error_that_names_it(kind: str, body: bytes):
    """Else all its rows would be left out as rows without a value."""
    one = Table(mapping(kind=kind))
    with pytest.raises(AnswerError, match=r"no column .*'p'"):
        one.parse(body, one.request(NOON, NOON)[0])


def test_decimals_of_parquet_are_numbers():
    """A DECIMAL column is a column of numbers; one that is none is refused."""
    power = pyarrow.array([Decimal("1.50"), None], pyarrow.decimal128(10, 2))
    one = Table(mapping(kind="parquet"))
    answer = one.parse(parquet(plant=["a", "b"], t=[NOON, NOON], p=power), one.request(NOON, NOON)[0])
    assert [seen.generation_kw for seen in answer.parsed.observations] == [1.5]
    assert not answer.parsed.refused
    for wrong in ("NaN", "Infinity"):
        with pytest.raises(ValueError, match="no finite number"):
            number(Decimal(wrong))


@asynccontextmanager
async def provider(head: str, heard: list[str]) -> AsyncIterator[int]:
    """Answers every request with the head; gives its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append((await reader.readuntil(b"\r\n\r\n")).decode())
        body = b"[]" if "200" in head else b""
        writer.write(f"HTTP/1.1 {head}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def redirected(host: str, auth: dict[str, str] | None, heard: list[str]) -> None:
    """Asks a provider on 127.0.0.1 that sends on to the host."""
    async with (
        provider("200 OK", heard) as there,
        provider(f"302 Found\r\nLocation: http://{host}:{there}/x", []) as here,
        open_client({"HELIOGRAPH_SECRET_ACME": "s3 cret/"}) as client,
    ):
        source = HttpJson(mapping(kind="http-json", url=f"http://127.0.0.1:{here}/p", auth=auth), "s3 cret/")
        fetcher = Fetcher(client, folders_of(cast("BlobServiceClient", None)))
        await fetcher.fetch(source.request(NOON, NOON)[0])


AUTHS = [KEY, {"kind": "query", "name": "key", "secret": "ACME"}, KEY | {"prefix": "Key "}]


@pytest.mark.parametrize("auth", AUTHS)
async def test_a_secret_does_not_follow_a_redirect_to_another_host(auth: dict[str, str]):
    """The other host hears nothing, and the error names it."""
    heard: list[str] = []
    with pytest.raises(AnswerError, match="redirects to http://localhost, where the secret must not go"):
        await redirected("localhost", auth, heard)
    assert heard == []


@pytest.mark.parametrize(("host", "auth"), [("localhost", None), ("127.0.0.1", KEY)])
async def test_other_redirects_are_followed(host: str, auth: dict[str, str] | None):
    """On the same host with the secret, to another host without one."""
    heard: list[str] = []
    await redirected(host, auth, heard)
    assert ("s3 cret/" in heard[0]) == (auth is not None)


async def test_a_container_has_one_folder_and_so_one_breaker():
    """What failed at one fetch is remembered at the next."""
    async with BlobServiceClient("https://acme.blob.core.windows.net", credential="a2V5") as blobs:
        folder_of = folders_of(blobs)
        assert folder_of("uploads") is folder_of("uploads")
        assert folder_of("uploads") is not folder_of("sites")


BEFORE: dict[str, float] = {"module_c": -1.0, "interval_s": 60.0, "capacity_kw": 100.0}


@pytest.mark.parametrize("changed", [{"module_c": -2.0}, {"interval_s": 300.0}, {"capacity_kw": 90.0}])
def test_whatever_changes_under_a_known_key_is_a_revision(changed: dict[str, float]):
    """Also -1 degC to -2 degC, which Python hashes alike, the interval, and the capacity of the moment."""
    memory = Deduplicator(10)
    key = {"plant_id": "p", "observed_at": NOON, "source": "push"}
    memory.remember(Observation(**key, **BEFORE))  # type: ignore[arg-type]
    assert memory.judge(Observation(**key, **BEFORE)) == "duplicate"  # type: ignore[arg-type]
    assert memory.judge(Observation(**key, **(BEFORE | changed))) == "revised"  # type: ignore[arg-type]
