"""Who is asking, and may they act? Four modes, one `Gate` each; a `User` is what a request is answered for.

    public    everyone reads, nobody acts
    entra     Container Apps signs users in before a request gets here and says who they are in its headers
    password  names and argon2 hashes in a file; the sign-in is a signed cookie
    open      everyone reads and acts: for a machine of one's own

A request that changes something must also come from the page itself: it carries a header that no other site can add
without a permission that is never given, and its Origin is ours.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec
from fastapi import HTTPException, Request

from dashboard.front import Front
from dashboard.passwords import Sessions
from dashboard.settings import Access
from heliograph.wire import UNREADABLE

CSRF_HEADER: Final = "x-heliograph"
SESSION_COOKIE: Final = "heliograph_session"
_CLAIM_TENANT: Final = ("tid", "http://schemas.microsoft.com/identity/claims/tenantid")
_CLAIM_NAME: Final = (
    "name",
    "preferred_username",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
)
_CLAIM_ROLE: Final = ("roles", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role")
_MAX_NAME: Final = 64


@dataclass(frozen=True, slots=True)
class User:
    """Who asks. `name` is None where nobody is signed in."""

    name: str | None
    can_act: bool


class Gate(Protocol):
    """Tells who asks."""

    mode: Access
    sign_in: str | None

    def user(self, request: Request) -> User | None:
        """The user, or None when a sign-in is needed first."""


class PublicGate:
    """Everyone reads."""

    mode: Access = "public"
    sign_in: str | None = None

    def user(self, request: Request) -> User:
        """Nobody in particular."""
        del request
        return User(None, can_act=False)


class OpenGate:
    """Everyone acts, under the name they give."""

    mode: Access = "open"
    sign_in: str | None = None

    def user(self, request: Request) -> User:
        """Nobody in particular, who may act."""
        del request
        return User(None, can_act=True)


class EntraGate:
    """Container Apps' built-in authentication. It strips these headers from what comes from outside and sets its own;
    they are believed only while `front` has proof of that, and what they say must fit together and name our tenant."""

    mode: Access = "entra"
    sign_in: str | None = "/.auth/login/aad"

    def __init__(self, tenant_id: str, operator_role: str | None, front: Front) -> None:
        self.front = front
        self._tenant_id = tenant_id
        self._operator_role = operator_role

    def user(self, request: Request) -> User | None:
        """The user whom the platform has signed in."""
        if self.front.trouble:
            return None
        claims = _principal_claims(request.headers.get("x-ms-client-principal", ""))
        name = request.headers.get("x-ms-client-principal-name", "")
        identity = request.headers.get("x-ms-client-principal-id", "")
        if not (claims and name and identity) or request.headers.get("x-ms-client-principal-idp") != "aad":
            return None
        values = {value for _, value in claims}
        if _one(claims, _CLAIM_TENANT) != self._tenant_id or name not in values or identity not in values:
            return None
        roles = {value for kind, value in claims if kind in _CLAIM_ROLE}
        return User(
            (_one(claims, _CLAIM_NAME) or name)[:_MAX_NAME],
            can_act=self._operator_role is None or self._operator_role in roles,
        )


class PasswordGate:
    """A signed cookie, given out by `POST /login`."""

    mode: Access = "password"
    sign_in: str | None = "/login"

    def __init__(self, sessions: Sessions) -> None:
        self.sessions = sessions

    def user(self, request: Request) -> User | None:
        """The user whose cookie is good."""
        name = self.sessions.name_of(request.cookies.get(SESSION_COOKIE, ""))
        return User(name, can_act=True) if name else None


def reader(request: Request) -> User:
    """Dependency of every route that tells something. Raises 401 where a sign-in is needed."""
    user = gate_of(request).user(request)
    if user is None:
        raise HTTPException(401, "sign in first")
    return user


def actor(request: Request) -> User:
    """Dependency of every route that changes something. Raises 401, and 403 for who may not or for another site."""
    own_page(request)
    user = reader(request)
    if not user.can_act:
        raise HTTPException(403, "this page is for reading only")
    return user


def own_page(request: Request) -> None:
    """Raises 403 unless the request comes from our own page."""
    if request.headers.get(CSRF_HEADER) != "1":
        raise HTTPException(403, f"the header {CSRF_HEADER} is missing")
    site = request.headers.get("sec-fetch-site", "same-origin")
    origin = request.headers.get("origin", "")
    foreign = origin and origin.partition("://")[2] != request.headers.get("host", "")
    if site not in ("same-origin", "none") or foreign:
        raise HTTPException(403, "the request comes from another site")


def gate_of(request: Request) -> Gate:
    """The gate of the app."""
    gate: Gate = request.app.state.gate
    return gate


def _principal_claims(header: str) -> list[tuple[str, str]]:
    try:
        principal: Any = msgspec.json.decode(base64.b64decode(header, validate=True))
        return [(str(claim["typ"]), str(claim["val"])) for claim in principal["claims"]]
    except (binascii.Error, *UNREADABLE, KeyError, TypeError):
        return []


def _one(claims: list[tuple[str, str]], kinds: tuple[str, ...]) -> str | None:
    return next((value for wanted in kinds for kind, value in claims if kind == wanted), None)
