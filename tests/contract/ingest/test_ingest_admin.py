"""The admin API, row by row as Azure Functions has it."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import httpx
import pytest

from tests.contract.ingest.ingest_process import API_KEY, CLIENT, MASTER_KEY, Ingest, until

pytestmark = pytest.mark.timeout(180)


def call(service: Ingest, method: str, path: str, **more: Any) -> httpx.Response:
    return CLIENT.request(method, f"{service.url}/admin/{path}", **more)


@pytest.mark.parametrize(
    ("name", "body", "status", "said"),
    [
        ("pvlive", b"", 400, "a body is needed"),
        ("pvlive", b"{", 400, "body"),
        ("pvlive", b"[]", 400, "body"),
        ("pvlive", b'{"input": {"a": 1}}', 400, "input: .*{'a': 1}"),
        ("nothing", b'{"input": ""}', 404, "no function 'nothing'; there are pvlive"),
        ("nothing", b"", 404, "no function"),
    ],
)
def test_a_trigger_that_can_not_be_is_refused(pushed: Ingest, name: str, body: bytes, status: int, said: str):
    """404 for an unknown function, 400 without a body or with another, and the answer says why."""
    answer = call(pushed, "POST", f"functions/{name}", content=body)
    assert answer.status_code == status
    assert re.search(said, answer.json()["detail"])


def test_a_trigger_runs_the_function_now_and_its_status_tells_how_it_went(pushed: Ingest):
    """202 without a body; then the status has the run, its error without the address's query, and the same next run."""
    before = call(pushed, "GET", "functions/pvlive/status").json()
    answer = call(pushed, "POST", "functions/pvlive", json={"input": "now"})
    assert (answer.status_code, answer.content) == (202, b"")
    after = until(
        lambda: (now := call(pushed, "GET", "functions/pvlive/status").json())["runs"] > before["runs"] and now,
        "the triggered run",
    )
    assert after["lastResult"] == "error"
    assert "ConnectError" in after["errors"][0]
    assert after["next"] == before["next"]
    next_run = datetime.fromisoformat(after["next"])
    assert (next_run.month, next_run.day, next_run.hour) == (1, 1, 0)
    [metadata] = call(pushed, "GET", "functions").json()
    assert metadata == call(pushed, "GET", "functions/pvlive").json()
    assert (metadata["name"], metadata["schedule"], metadata["isDisabled"]) == ("pvlive", "0 0 1 1 *", False)
    for path in ("functions/nothing", "functions/nothing/status"):
        assert call(pushed, "GET", path).status_code == 404


def test_the_host_tells_its_state_and_answers_pings_without_a_key(pushed: Ingest):
    """State, version, ids and uptime in ms have the names of Azure Functions; ping answers GET and POST."""
    first, second = (call(pushed, "GET", "host/status").json() for _ in range(2))
    assert set(first) == {"id", "instanceId", "state", "version", "processUptime", "errors"}
    assert (first["state"], first["processUptime"] <= second["processUptime"]) == ("Running", True)
    for method in ("GET", "POST"):
        answer = httpx.request(method, f"{pushed.url}/admin/host/ping", verify=False)
        assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "functions"),
        ("GET", "functions/pvlive"),
        ("GET", "functions/pvlive/status"),
        ("POST", "functions/pvlive"),
        ("GET", "host/status"),
        ("POST", "host/drain"),
        ("GET", "host/drain/status"),
        ("POST", "host/resume"),
    ],
)
def test_all_but_ping_want_the_master_key(pushed: Ingest, method: str, path: str):
    """As header or as `code`; a key that may push is not enough."""
    with httpx.Client(verify=False) as client:
        for headers in ({}, {"x-functions-key": "wrong"}, {"x-functions-key": API_KEY}):
            assert client.request(method, f"{pushed.url}/admin/{path}", headers=headers).status_code == 401
        assert client.request(method, f"{pushed.url}/admin/{path}?code=wrong").status_code == 401
        if method == "GET":
            assert client.get(f"{pushed.url}/admin/{path}", params={"code": MASTER_KEY}).status_code == 200


def test_a_drain_goes_from_in_progress_to_completed_and_a_resume_ends_it(pushed: Ingest):
    """202, then the counts of what is outstanding until there is nothing; functions are disabled meanwhile."""
    assert call(pushed, "GET", "host/drain/status").json()["state"] == "Disabled"
    call(pushed, "POST", "functions/pvlive", json={"input": ""})
    until(lambda: call(pushed, "GET", "functions/pvlive").json()["running"], "a run")
    begun = call(pushed, "POST", "host/drain")
    assert (begun.status_code, begun.json()["state"]) == (202, "InProgress")
    assert begun.json()["outstandingInvocations"] == 1
    assert call(pushed, "GET", "host/status").json()["state"] == "Draining"
    assert call(pushed, "GET", "functions/pvlive").json()["isDisabled"]
    until(lambda: call(pushed, "GET", "host/drain/status").json()["state"] == "Completed", "the end of the drain")
    assert call(pushed, "POST", "host/resume").status_code == 200
    assert call(pushed, "GET", "host/drain/status").json()["state"] == "Disabled"
    assert not call(pushed, "GET", "functions/pvlive").json()["isDisabled"]
