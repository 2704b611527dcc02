"""The fault registry that both local servers ask, and its admin port."""

import httpx
import pytest

from local_azure.faults import Fault, FaultKind, Faults, Site, admin_app, parse_fault

SEND = Site("eventhubs", "send", hub="readings", partition="3")


def test_a_fault_strikes_only_what_it_names() -> None:
    """Every part of the site that a fault names has to agree, without regard to case; the rest may be anything."""
    faults = Faults()
    faults.add(Fault(FaultKind.LATENCY, hub="Readings", partition="3"))
    assert faults.take(Site("eventhubs", "send", "readings", "4"), FaultKind.LATENCY) is None
    assert faults.take(Site("cosmos", "read", container="readings"), FaultKind.LATENCY) is None
    assert faults.take(SEND, FaultKind.THROTTLE) is None
    assert faults.take(SEND, FaultKind.THROTTLE, FaultKind.LATENCY) is not None


def test_a_fault_ends_with_its_count_or_its_time() -> None:
    """A count is what clients felt, a duration runs from when the fault was armed; whichever ends first ends it."""
    now_s = 100.0
    faults = Faults(lambda: now_s)
    faults.add(Fault(FaultKind.TIMEOUT, count=2))
    assert [faults.take(SEND, FaultKind.TIMEOUT) is None for _ in range(3)] == [False, False, True]
    faults.add(Fault(FaultKind.TIMEOUT, duration_s=5))
    assert faults.take(SEND, FaultKind.TIMEOUT)
    now_s = 105.0
    assert faults.take(SEND, FaultKind.TIMEOUT) is None
    assert faults.armed() == []


def test_a_full_disk_fails_like_one() -> None:
    """The fault raises the error that the operating system would."""
    faults = Faults()
    faults.add(Fault(FaultKind.DISK_FULL, count=1))
    with pytest.raises(OSError, match="No space left"):
        faults.raise_if_disk_full(SEND)
    faults.raise_if_disk_full(SEND)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([], "JSON object"),
        ({}, "kind is None"),
        ({"kind": "fire"}, "kind is 'fire'"),
        ({"kind": "latency", "colour": 1}, "no field 'colour'"),
        ({"kind": "latency", "count": 0}, "count is 0"),
        ({"kind": "latency", "count": True}, "count cannot be True"),
        ({"kind": "latency", "latency_s": -1}, "latency_s is -1"),
        ({"kind": "latency", "latency_s": "1"}, "latency_s cannot be '1'"),
        ({"kind": "latency", "hub": 1}, "hub cannot be 1"),
    ],
)
def test_a_wrong_fault_is_refused_by_name(body: object, message: str) -> None:
    """A fault that could never strike as meant is refused, and the message names what is wrong."""
    with pytest.raises(ValueError, match=message):
        parse_fault(body)


async def test_the_admin_port_arms_shows_and_disarms() -> None:
    """What is posted strikes, is listed with how often it did, and goes when deleted."""
    faults = Faults()
    transport = httpx.ASGITransport(admin_app(faults))
    async with httpx.AsyncClient(transport=transport, base_url="http://admin") as client:
        first = await client.post("/faults", json={"kind": "throttle", "hub": "readings", "retry_after_s": 4})
        assert first.status_code == 201
        await client.post("/faults", json={"kind": "latency", "count": 9})
        assert faults.take(SEND, FaultKind.THROTTLE)
        shown = (await client.get("/faults")).json()
        assert [(one["kind"], one["taken"]) for one in shown] == [("throttle", 1), ("latency", 0)]
        statuses = [(await client.delete(f"/faults/{first.json()['id']}")).status_code for _ in range(2)]
        assert statuses == [204, 404]
        assert (await client.delete("/faults")).status_code == 204
        assert (await client.get("/faults")).json() == []
        for wrong in (b"{", b"\xff", b"[]", b'{"kind": "latency", "latency_s": NaN}'):
            assert (await client.post("/faults", content=wrong)).status_code == 400
