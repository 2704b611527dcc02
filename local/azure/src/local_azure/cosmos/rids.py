"""Resource ids (`_rid`): the parents' numbers and one's own, packed and spelt in base64 with `-` for `/`.

A database takes 4 bytes, a container 4 more, whatever lives in a container 8 more. The SDKs tell
databases, containers and documents apart by these lengths.
"""

import base64

_CONTAINER_BIT = 0x80000000
_DOCUMENT_RID_LENGTH = 24
_CHILD_KINDS = {"docs": 0x0, "pkranges": 0x5, "udfs": 0x6, "triggers": 0x7, "sprocs": 0x8, "conflicts": 0x4}


def _spell(packed: bytes) -> str:
    return base64.b64encode(packed).decode().replace("/", "-")


def database_rid(number: int) -> str:
    """Rid of the database with this number (1 to 2³¹)."""
    return _spell(number.to_bytes(4, "little"))


def container_rid(database: int, number: int) -> str:
    """Rid of a container; the first bit of its own part tells it from a user."""
    return _spell(database.to_bytes(4, "little") + (number | _CONTAINER_BIT).to_bytes(4, "big"))


def user_rid(database: int, number: int) -> str:
    """Rid of a user of a database."""
    return _spell(database.to_bytes(4, "little") + number.to_bytes(4, "big"))


def child_rid(parent_rid: str, number: int, kind: str = "docs") -> str:
    """Rid of something in a container (a document, a script) or of a user's permission."""
    parent = base64.b64decode(parent_rid.replace("-", "/"))
    return _spell(parent + number.to_bytes(7, "little") + bytes([_CHILD_KINDS.get(kind, 0) << 4]))


def number_of_child(parent_rid: str, rid: str) -> int | None:
    """The number of a document in its container, None when this is no rid of one."""
    if len(rid) != _DOCUMENT_RID_LENGTH or not rid.startswith(parent_rid[:10]):
        return None
    try:
        packed = base64.b64decode(rid.replace("-", "/"), validate=True)
    except ValueError:
        return None
    return int.from_bytes(packed[8:15], "little")


def offer_rid(number: int) -> str:
    """Rid of an offer: three bytes, four letters."""
    return _spell(number.to_bytes(3, "big"))
