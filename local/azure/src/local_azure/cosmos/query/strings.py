"""String functions. Undefined where an argument is of the wrong type."""

from collections.abc import Callable

import regex

from local_azure.cosmos import jsontext
from local_azure.cosmos.jsontext import Json
from local_azure.cosmos.query.semantics import UNDEFINED, encode, is_number

_REGEX_TIMEOUT_S = 1.0
_MAX_REPLICATE_CHARACTERS = 10_000
_Token = Callable[[str], bool] | None
_MODIFIERS = {"m": regex.MULTILINE, "s": regex.DOTALL, "i": regex.IGNORECASE, "x": regex.VERBOSE}


def _strings(*values: Json) -> bool:
    return all(isinstance(value, str) for value in values)


def _folded(left: str, right: str, ignore_case: Json) -> tuple[str, str]:
    return (left.lower(), right.lower()) if ignore_case is True else (left, right)


def _test(check: Callable[[str, str], bool]) -> Callable[..., Json]:
    def function(text: Json, part: Json, ignore_case: Json = False) -> Json:
        if not _strings(text, part):
            return UNDEFINED
        return check(*_folded(text, part, ignore_case))

    return function


def _map(change: Callable[[str], Json]) -> Callable[[Json], Json]:
    def function(text: Json) -> Json:
        return change(text) if isinstance(text, str) else UNDEFINED

    return function


def _concat(*parts: Json) -> Json:
    return "".join(parts) if _strings(*parts) else UNDEFINED


def _index_of(text: Json, part: Json, start: Json = 0) -> Json:
    if not _strings(text, part) or not is_number(start):
        return UNDEFINED
    return text.find(part, max(0, int(start)))


def _left(text: Json, count: Json) -> Json:
    return text[: max(0, int(count))] if isinstance(text, str) and is_number(count) else UNDEFINED


def _right(text: Json, count: Json) -> Json:
    if not isinstance(text, str) or not is_number(count):
        return UNDEFINED
    return text[-int(count) :] if count >= 1 else ""


def _substring(text: Json, start: Json, length: Json) -> Json:
    if not isinstance(text, str) or not is_number(start) or not is_number(length):
        return UNDEFINED
    begin = max(0, int(start))
    return text[begin : begin + max(0, int(length))]


def _replace(text: Json, old: Json, new: Json) -> Json:
    if not _strings(text, old, new):
        return UNDEFINED
    return text.replace(old, new) if old else text


def _replicate(text: Json, times: Json) -> Json:
    if not isinstance(text, str) or not is_number(times) or times < 0:
        return UNDEFINED
    return text * int(times) if len(text) * times <= _MAX_REPLICATE_CHARACTERS else UNDEFINED


def _trim(strip: Callable[..., str]) -> Callable[..., Json]:
    def function(text: Json, characters: Json = None) -> Json:
        return strip(text, characters) if isinstance(text, str) else UNDEFINED

    return function


def _to_string(value: Json) -> Json:
    return value if isinstance(value, str) else encode(value) or UNDEFINED


def _parse(text: Json, kind: type | tuple[type, ...]) -> Json:
    if not isinstance(text, str):
        return UNDEFINED
    try:
        value = jsontext.loads(text.strip())
    except (ValueError, RecursionError):
        return UNDEFINED
    return value if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)) else UNDEFINED


def _regex_match(text: Json, pattern: Json, modifiers: Json = "") -> Json:
    if not _strings(text, pattern, modifiers) or not set(modifiers) <= set(_MODIFIERS):
        return UNDEFINED
    flags = 0
    for modifier in modifiers:
        flags |= _MODIFIERS[modifier]
    try:
        return regex.search(pattern, text, flags, timeout=_REGEX_TIMEOUT_S) is not None
    except (regex.error, TimeoutError):
        return UNDEFINED


def _join(parts: Json, separator: Json) -> Json:
    if not isinstance(parts, list) or not _strings(separator, *parts):
        return UNDEFINED
    return separator.join(parts)


def _split(text: Json, separator: Json) -> Json:
    if not _strings(text, separator):
        return UNDEFINED
    return text.split(separator) if separator else [text]


def like(text: Json, pattern: Json, escape: Json) -> Json:
    """LIKE with `%`, `_`, `[a-c]` and `[^a-c]`, in time proportional to the product of the lengths."""
    if not _strings(text, pattern):
        return UNDEFINED
    return _wildcard(text, _like_tokens(pattern, escape))


def _like_tokens(pattern: str, escape: str) -> list[_Token]:
    """One test for each character wanted; None stands for `%`."""
    tokens: list[_Token] = []
    position = 0
    while position < len(pattern):
        character = pattern[position]
        position += 1
        if character == escape and position < len(pattern):
            tokens.append(pattern[position].__eq__)
            position += 1
        elif character == "%":
            tokens.append(None)
        elif character == "_":
            tokens.append(lambda _: True)
        elif character == "[" and "]" in pattern[position:]:
            end = pattern.index("]", position)
            tokens.append(_character_class(pattern[position:end]))
            position = end + 1
        else:
            tokens.append(character.__eq__)
    return tokens


def _character_class(text: str) -> Callable[[str], bool]:
    negated = text.startswith("^")
    members = text[1:] if negated else text
    ranges: list[tuple[str, str]] = []
    position = 0
    while position < len(members):
        if members[position + 1 : position + 2] == "-" and position + 2 < len(members):
            ranges.append((members[position], members[position + 2]))
            position += 3
        else:
            ranges.append((members[position], members[position]))
            position += 1
    return lambda character: any(low <= character <= high for low, high in ranges) != negated


def _nothing(_character: str) -> bool:
    return False


def _wildcard(text: str, tokens: list[_Token]) -> bool:
    at, token, star, retry = 0, 0, -1, 0
    while at < len(text):
        wanted = tokens[token] if token < len(tokens) else _nothing
        if wanted is None:
            star, retry, token = token, at, token + 1
        elif wanted(text[at]):
            at, token = at + 1, token + 1
        elif star >= 0:
            retry += 1
            at, token = retry, star + 1
        else:
            return False
    return all(rest is None for rest in tokens[token:])


FUNCTIONS: dict[str, tuple[Callable[..., Json], int, int]] = {
    "CONCAT": (_concat, 1, 100),
    "CONTAINS": (_test(lambda text, part: part in text), 2, 3),
    "ENDSWITH": (_test(str.endswith), 2, 3),
    "STARTSWITH": (_test(str.startswith), 2, 3),
    "STRINGEQUALS": (_test(str.__eq__), 2, 3),
    "INDEX_OF": (_index_of, 2, 3),
    "LEFT": (_left, 2, 2),
    "RIGHT": (_right, 2, 2),
    "LENGTH": (_map(len), 1, 1),
    "LOWER": (_map(str.lower), 1, 1),
    "UPPER": (_map(str.upper), 1, 1),
    "REVERSE": (_map(lambda text: text[::-1]), 1, 1),
    "TRIM": (_trim(str.strip), 1, 2),
    "LTRIM": (_trim(str.lstrip), 1, 2),
    "RTRIM": (_trim(str.rstrip), 1, 2),
    "REGEXMATCH": (_regex_match, 2, 3),
    "REPLACE": (_replace, 3, 3),
    "REPLICATE": (_replicate, 2, 2),
    "SUBSTRING": (_substring, 3, 3),
    "STRINGJOIN": (_join, 2, 2),
    "STRINGSPLIT": (_split, 2, 2),
    "STRINGTOARRAY": (lambda text: _parse(text, list), 1, 1),
    "STRINGTOBOOLEAN": (lambda text: _parse(text, bool), 1, 1),
    "STRINGTONULL": (lambda text: _parse(text, type(None)), 1, 1),
    "STRINGTONUMBER": (lambda text: _parse(text, (int, float)), 1, 1),
    "STRINGTOOBJECT": (lambda text: _parse(text, dict), 1, 1),
    "TOSTRING": (_to_string, 1, 1),
}
"""Name → implementation, least and most arguments."""
