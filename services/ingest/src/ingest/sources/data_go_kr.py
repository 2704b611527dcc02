"""The envelope of Korea's public data portal (data.go.kr), which every service there shares.

Traps: the service key is given URL-encoded already, so that encoding it again spoils it; errors come as HTTP 200 with
XML, whatever format was asked for; no rows are an empty string, one row may be an object in place of a list.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote, urlencode
from xml.etree import ElementTree as Xml

from ingest.sources.declaration import AnswerError
from ingest.sources.json_body import parse_json

OK_CODES = frozenset({"00", "0", "000"})
NO_DATA_CODES = frozenset({"03"})
QUOTA_CODES = frozenset({"22"})
TRANSIENT_CODES = frozenset({"01", "02", "04", "05", "23", "99"})


def url_with_key(base: str, key: str, query: Mapping[str, object]) -> str:
    """The call's URL. The key may be given encoded or not: it is encoded exactly once."""
    encoded_key = quote(unquote(key), safe="")
    return f"{base}?serviceKey={encoded_key}&{urlencode({name: str(value) for name, value in query.items()})}"


def items_of(body: bytes) -> tuple[list[dict[str, Any]], int]:
    """The rows, and how many there are in all pages. Raises `AnswerError` for an error in any of its guises."""
    if body.lstrip()[:1] == b"<":
        return _items_of_xml(body)
    answer = parse_json(body)
    try:
        response = answer["response"]
        header, content = response["header"], response.get("body") or {}
        _check(str(header["resultCode"]), str(header.get("resultMsg", "")))
        items = (content.get("items") or {}).get("item") or [] if isinstance(content.get("items"), dict) else []
        return (items if isinstance(items, list) else [items]), int(content.get("totalCount") or 0)
    except (KeyError, TypeError, AttributeError) as error:
        raise AnswerError(f"the answer has another shape than data.go.kr's: {error!r}") from None


def _items_of_xml(body: bytes) -> tuple[list[dict[str, Any]], int]:
    try:
        root = Xml.fromstring(body)  # noqa: S314 - expat itself limits entity expansion since 2.4.1
    except Xml.ParseError as error:
        raise AnswerError(f"neither JSON nor XML came: {error}", transient=True) from None
    if root.tag.lower() == "html":
        raise AnswerError("HTML came in place of data", transient=True)
    code = _text(root, "returnReasonCode") or _text(root, "resultCode")
    message = _text(root, "returnAuthMsg") or _text(root, "resultMsg") or _text(root, "errMsg")
    _check(code, message)
    rows = [{field.tag: (field.text or "").strip() for field in item} for item in root.iter("item")]
    return rows, int(_text(root, "totalCount") or len(rows))


def _text(root: Xml.Element, name: str) -> str:
    found = next(root.iter(name), None)
    return (found.text or "").strip() if found is not None else ""


def _check(code: str, message: str) -> None:
    if code in OK_CODES or code in NO_DATA_CODES:
        return
    raise AnswerError(
        f"data.go.kr says {code or 'nothing'}: {message}", transient=code in TRANSIENT_CODES, quota=code in QUOTA_CODES
    )
