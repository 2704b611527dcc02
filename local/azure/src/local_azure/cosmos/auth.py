"""Who may ask: the account's key signs each request (HMAC-SHA256 over verb, type, link and date)."""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import unquote

from local_azure.cosmos.errors import CosmosError

EMULATOR_KEY = "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw=="
"""The well-known key of Microsoft's emulator; public, and good for loopback only."""

_TOLERATED_CLOCK_SKEW = timedelta(minutes=15)


def sign(key: str, verb: str, resource_type: str, link: str, date: str) -> str:
    """The signature of a request, in base64."""
    text = f"{verb.lower()}\n{resource_type.lower()}\n{link}\n{date.lower()}\n\n"
    return base64.b64encode(hmac.digest(base64.b64decode(key), text.encode(), hashlib.sha256)).decode()


@dataclass(frozen=True)
class Signed:
    """What a signature covers; `date` as in the x-ms-date header."""

    verb: str
    resource_type: str
    link: str
    date: str


def fields(authorization: str) -> dict[str, str]:
    """The parts of an authorization header: type, ver and sig."""
    decoded = unquote(authorization)
    pairs = (part.partition("=") for part in decoded.split("&"))
    return {name: value for name, _, value in pairs}


def verify(key: str, given: dict[str, str], signed: Signed, now: datetime) -> None:
    """Hold a request's signature against the account's key.

    Clients that address by name sign the whole link, those that address by rid the last rid in lower case.
    Raises CosmosError 401 for a missing, malformed or wrong signature and 403 for a date more than
    15 minutes from `now`.
    """
    if given.get("type") != "master" or "sig" not in given:
        raise CosmosError(401, "Required Header authorization is missing or not a master key token.")
    link, rid = signed.link, signed.link.rpartition("/")[2]
    for spelling in dict.fromkeys((link, link.lower(), rid, rid.lower())):
        expected = sign(key, signed.verb, signed.resource_type, spelling, signed.date)
        if hmac.compare_digest(expected.encode(), given["sig"].strip().encode()):
            return _check_date(signed.date, now)
    payload = f"{signed.verb.lower()}\\n{signed.resource_type}\\n{link}\\n{signed.date.lower()}\\n\\n"
    raise CosmosError(
        401,
        "The input authorization token can't serve the request. The wrong key is being used or the expected "
        f"payload is not built as per the protocol. Server used the following payload to sign: '{payload}'.",
    )


def _check_date(date: str, now: datetime) -> None:
    try:
        sent = parsedate_to_datetime(date)
    except (TypeError, ValueError) as error:
        raise CosmosError(401, f"The x-ms-date header is not an RFC 1123 date: {date[:60]!r}.") from error
    if abs(now - sent) > _TOLERATED_CLOCK_SKEW:
        raise CosmosError(403, f"The authorization token is not valid at the current time: signed at {date}.")
