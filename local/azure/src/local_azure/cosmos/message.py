"""A request as the routes see it, and the answer that they give."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from urllib.parse import unquote

from local_azure.cosmos import jsontext
from local_azure.cosmos.errors import bad_request, not_found
from local_azure.cosmos.jsontext import Json

RESOURCE_KINDS = frozenset(
    {
        "clientencryptionkeys",
        "colls",
        "conflicts",
        "dbs",
        "docs",
        "offers",
        "operations",
        "permissions",
        "pkranges",
        "sprocs",
        "triggers",
        "udfs",
        "users",
    }
)
_ALTERNATING = 2


@dataclass(frozen=True)
class Request:
    """One HTTP request. `kinds` and `names` are the path's steps; a feed has one name fewer than kinds."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    base_url: str
    now: datetime

    @cached_property
    def _steps(self) -> list[str]:
        return [unquote(step) for step in self.path.split("/") if step]

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """Such as ("dbs", "colls", "docs"). Raises CosmosError 404 for a path that is none of ours."""
        kinds = tuple(self._steps[::_ALTERNATING])
        if not RESOURCE_KINDS.issuperset(kinds):
            raise not_found(f"the path {self.path[:200]}")
        return kinds

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The id (or rid) after each kind."""
        return tuple(self._steps[1::_ALTERNATING])

    @property
    def is_feed(self) -> bool:
        """Whether the path names a collection of resources and not one of them."""
        return len(self.names) < len(self.kinds)

    @property
    def link(self) -> str:
        """What a signature covers: the resource's path, or for a feed its parent's."""
        if self.kinds[-1:] == ("operations",):
            return "/".join(self._steps[: 2 * len(self.kinds) - 2])
        steps = self._steps[:-1] if self.is_feed else self._steps
        return "/".join(steps)

    @property
    def resource_type(self) -> str:
        """The last kind, as signatures spell it; "" for the account."""
        if self.kinds[-1:] == ("operations",):
            return "colls"
        return self.kinds[-1] if self.kinds else ""

    @property
    def now_s(self) -> int:
        """The time in whole seconds since 1970, as in `_ts`."""
        return int(self.now.timestamp())

    def header(self, name: str) -> str | None:
        """A header's value; empty counts as absent."""
        return self.headers.get(name) or None

    def flag(self, name: str) -> bool:
        """A header that says "true"."""
        return self.headers.get(name, "").lower() == "true"

    def number(self, name: str, default: int) -> int:
        """A whole number in a header. Raises CosmosError 400."""
        text = self.header(name)
        try:
            return default if text is None else int(text)
        except ValueError as error:
            raise bad_request(
                f"The value '{text[:40] if text else ''}' of the header {name} is not a number."
            ) from error

    def json(self) -> Json:
        """The decoded body. Raises CosmosError 400."""
        return jsontext.parse(self.body)

    def object(self) -> dict[str, Json]:
        """The decoded body, an object. Raises CosmosError 400."""
        decoded = self.json()
        if not isinstance(decoded, dict):
            raise bad_request("The request body is not a JSON object.")
        return decoded


@dataclass
class Reply:
    """One answer; `body` is JSON text, or empty."""

    status: int
    body: str = ""
    charge: float = 1.0
    headers: dict[str, str] = field(default_factory=dict)


def now_utc() -> datetime:
    """The server's clock."""
    return datetime.now(UTC)
