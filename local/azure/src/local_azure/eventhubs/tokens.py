"""Who may do what: shared access signatures, and the claims that a connection holds."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import parse_qs, quote_plus, urlsplit

SAS_PREFIX = "SharedAccessSignature "


class TokenError(ValueError):
    """The token is not valid; the message says why."""


def sign(resource: str, key_name: str, key: str, expires_at_s: int) -> str:
    """Make a shared access signature for `resource`, valid until `expires_at_s` (seconds since the epoch)."""
    encoded = quote_plus(resource)
    signature = quote_plus(_signature(key, encoded, str(expires_at_s)))
    return f"{SAS_PREFIX}sr={encoded}&sig={signature}&se={expires_at_s}&skn={quote_plus(key_name)}"


def _signature(key: str, encoded_resource: str, expiry: str) -> str:
    digest = hmac.new(key.encode(), f"{encoded_resource}\n{expiry}".encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def verify_signature(token: str, keys: Mapping[str, str], now_s: float) -> tuple[str, float]:
    """Check a shared access signature; return the path that it opens and when it expires.

    Source: https://learn.microsoft.com/azure/event-hubs/authenticate-shared-access-signature

    Raises:
        TokenError: it is malformed, expired, or not signed with the key that it names.
    """
    raw = {
        name: value for name, _, value in (part.partition("=") for part in token.removeprefix(SAS_PREFIX).split("&"))
    }
    try:
        values = {name: items[0] for name, items in parse_qs(token.removeprefix(SAS_PREFIX)).items()}
        resource, signature, expiry, key_name = (values[name] for name in ("sr", "sig", "se", "skn"))
        expires_at_s = float(expiry)
    except (KeyError, ValueError) as problem:
        raise TokenError(f"MalformedToken: {problem} is missing or wrong in the signature.") from problem
    key = keys.get(key_name)
    expected = _signature(key or "", raw["sr"], expiry)
    if key is None or not hmac.compare_digest(expected.encode(), signature.encode()):
        raise TokenError(f"InvalidSignature: The token has an invalid signature. Key name '{key_name}'.")
    if expires_at_s <= now_s:
        raise TokenError("ExpiredToken: The token is expired.")
    return entity_path(resource), expires_at_s


def entity_path(address: str) -> str:
    """Return the path of an address or audience, lower case, without host and outer slashes.

    The host is left out on purpose: the same broker is `localhost` to one client and a container's name to another.
    """
    return hub_path(address).casefold()


def hub_path(address: str) -> str:
    """Return the path of an address or audience as it is spelt, without host and outer slashes."""
    return (urlsplit(address).path if "://" in address else address).strip("/")


class Claims:
    """What one connection has proved so far: paths and until when."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._expiries_s: dict[str, float] = {}

    def grant(self, path: str, expires_at_s: float) -> None:
        """Add or renew the right to everything under `path`."""
        self._expiries_s[path] = expires_at_s

    def allow(self, path: str, now_s: float) -> bool:
        """Tell whether `path` may be used at `now_s`."""
        return any(
            expires_at_s > now_s and (not granted or path == granted or path.startswith(f"{granted}/"))
            for granted, expires_at_s in self._expiries_s.items()
        )
