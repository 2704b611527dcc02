"""Who may do what, and what the broker's own nodes answer."""

import time
from typing import Any
from uuid import UUID

import pytest

from local_azure.eventhubs import cbs, management, messages
from local_azure.eventhubs.codec import ULong, decode
from local_azure.eventhubs.messages import Request
from local_azure.eventhubs.tokens import Claims, TokenError, entity_path, sign, verify_signature
from local_azure.faults import Fault, FaultKind

_MESSAGE_ID = UUID(int=7)
NAME, KEY = "RootManageSharedAccessKey", "SAS_KEY_VALUE"


def answer_of(raw: bytes) -> tuple[Any, dict[str, Any], Any]:
    """Correlation id, application properties and body of an answer."""
    values = {section.code: decode(raw, section.value_start)[0] for section in messages.sections(raw)}
    return values[messages.PROPERTIES][5], values[messages.APPLICATION_PROPERTIES], values[messages.VALUE]


def put_token(setup: Any, token: str, name: str = "sb://host/readings", message_id: Any = _MESSAGE_ID) -> Any:
    claims = Claims()
    properties = {"operation": "put-token", "type": "servicebus.windows.net:sastoken", "name": name}
    raw = cbs.put_token(setup.service, claims, Request(message_id, "$cbs", None, properties, token))
    correlation_id, answer, _ = answer_of(raw)
    assert (correlation_id, type(correlation_id)) == (message_id, type(message_id))
    return answer["status-code"], answer.get("error-condition"), claims


def test_a_signature_opens_its_resource_until_it_expires() -> None:
    """What the right key signed is good for the path in it, whatever the host, and no longer than it says."""
    token = sign("amqps://Host:5672/Readings", NAME, KEY, 2000)
    assert verify_signature(token, {NAME: KEY}, 1999) == ("readings", 2000)
    with pytest.raises(TokenError, match="ExpiredToken"):
        verify_signature(token, {NAME: KEY}, 2000)


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (sign("sb://host/readings", NAME, "other", 2000), "InvalidSignature"),
        (sign("sb://host/readings", "other", KEY, 2000), "InvalidSignature"),
        (sign("sb://host/readings", NAME, KEY, 2000).replace("readings", "insights"), "InvalidSignature"),
        (sign("sb://host/readings", NAME, KEY, 2000).replace("se=2000", "se=3000"), "InvalidSignature"),
        (sign("sb://host/readings", NAME, KEY, 2000).replace("se=2000", "se=soon"), "MalformedToken"),
        ("SharedAccessSignature sr=x", "MalformedToken"),
        ("SharedAccessSignature ", "MalformedToken"),
    ],
)
def test_a_signature_that_is_not_right_is_refused(token: str, reason: str) -> None:
    """A wrong key, a wrong name, a changed part or a missing one is refused with the service's word for it."""
    with pytest.raises(TokenError, match=reason):
        verify_signature(token, {NAME: KEY}, 1000)


def test_claims_cover_what_lies_under_them() -> None:
    """A claim on a hub opens its partitions, not a hub whose name merely begins alike; a claim on all opens all."""
    claims = Claims()
    claims.grant("readings", 100)
    assert claims.allow("readings/partitions/3", 99)
    assert not claims.allow("readings2", 99)
    assert not claims.allow("readings", 100)
    claims.grant("", 100)
    assert claims.allow("anything", 99)
    assert entity_path("sb://h/Hub/ConsumerGroups/G/") == "hub/consumergroups/g"


@pytest.mark.parametrize("message_id", [UUID(int=7), "text", ULong(7), b"bytes"])
async def test_a_good_token_is_accepted(setup: Any, message_id: Any) -> None:
    """202, the correlation id in the type of the message id, and the claim is there."""
    token = sign("sb://host/readings", NAME, KEY, int(setup.now_s) + 60)
    status, condition, claims = put_token(setup, token, message_id=message_id)
    assert (status, condition) == (202, None)
    assert claims.allow("readings/partitions/0", setup.now_s)


@pytest.mark.parametrize(
    "token",
    [sign("sb://host/readings", NAME, "wrong", 2_000_000), sign("sb://host/insights", NAME, KEY, 2_000_000), "x", ""],
)
async def test_a_bad_token_is_refused(setup: Any, token: str) -> None:
    """401 with the auth-failed condition for a wrong key, another hub's token and no token at all."""
    status, condition, claims = put_token(setup, token)
    assert (status, condition) == (401, "com.microsoft:auth-failed")
    assert not claims.allow("readings", setup.now_s)


async def test_a_token_for_a_hub_that_is_not_there_is_not_found(setup: Any) -> None:
    """404 with the not-found condition: clients learn of a wrong hub name before they attach."""
    token = sign("sb://host/", NAME, KEY, int(setup.now_s) + 60)
    status, condition, claims = put_token(setup, token, "sb://host/absent")
    assert (status, condition) == (404, "amqp:not-found")
    assert not claims.allow("absent", setup.now_s)


async def test_claims_can_be_refused_on_demand(setup: Any) -> None:
    """The fault refuses a good token for the hub it names, as often as it says."""
    setup.faults.add(Fault(FaultKind.REFUSE_CLAIMS, hub="readings", count=1))
    token = sign("sb://host/", NAME, KEY, int(setup.now_s) + 60)
    assert put_token(setup, token, "sb://host/")[0] == 202
    assert put_token(setup, token)[0] == 401
    assert put_token(setup, token)[0] == 202


async def test_management_describes_hub_and_partition(setup: Any) -> None:
    """Every key that the SDKs read is there; an empty partition has the service's stand-ins."""

    def read(**properties: Any) -> tuple[int, dict[str, Any]]:
        request = Request("id", None, None, {"operation": "READ", "name": "readings", **properties}, None)
        _, answer, body = answer_of(management.read(setup.service, lambda path: path == "readings", request))
        return answer["status-code"], body

    status, hub = read(type="com.microsoft:eventhub")
    assert (status, hub["partition_count"], hub["partition_ids"]) == (200, 2, ["0", "1"])
    assert abs(hub["created_at"] / 1000 - time.time()) < 60
    status, partition = read(type="com.microsoft:partition", partition="1")
    assert partition == {
        "name": "readings",
        "type": "com.microsoft:partition",
        "partition": "1",
        "begin_sequence_number_epoch": -1,
        "begin_sequence_number": -1,
        "last_enqueued_sequence_number_epoch": -1,
        "last_enqueued_sequence_number": -1,
        "last_enqueued_offset": "-1",
        "last_enqueued_time_utc": -62135596800000,
        "is_partition_empty": True,
    }
    assert read(type="com.microsoft:partition", partition="9")[0] == 400
    assert read(type="com.microsoft:other")[0] == 400
    assert read(operation="DELETE")[0] == 400
    assert read(name="secret", type="com.microsoft:eventhub")[0] == 401
    setup.faults.add(Fault(FaultKind.THROTTLE, operation="management", count=1))
    assert read(type="com.microsoft:eventhub")[0] == 503
