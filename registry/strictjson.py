"""JSON from outside, read one way only, and JSON that is signed, written one way only.

The accepted language is I-JSON (RFC 7493): UTF-8 without lone surrogates, no name twice in one object,
no NaN or Infinity, integers within 2**53 - 1. So two readers of the same signed bytes cannot disagree,
and what was read can be written again by RFC 8785.

Everything raises Malformed. The getters name the field that is wrong.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Collection, Iterable
from itertools import chain
from typing import Any, TypeVar, cast

import rfc8785

from registry.errors import Malformed

MAX_DEPTH = 32  # arrays and objects inside each other
MAX_INTEGER = (1 << 53) - 1  # RFC 7493 section 2.2

_ROUND = bytes.maketrans(b"[]{}", b"()()")
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")

Object = dict[str, object]
T = TypeVar("T")


def parse(data: bytes, *, limit: int, depth: int = MAX_DEPTH) -> object:
    """The value of one JSON text of at most ``limit`` bytes, nested at most ``depth`` deep."""
    if len(data) > limit:
        raise Malformed("the JSON text is too long", on=f"{len(data)} bytes, {limit} allowed")
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_float,
            parse_constant=_constant,
        )
    except RecursionError as error:  # the scanner's own bound lies far above ours
        raise Malformed("the JSON text is nested too deeply") from error
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError both
        raise Malformed("the bytes are not a JSON text", on=str(error)) from error
    if b"\\" in data or _deep(data, depth):
        _check(value, depth)
    return value


def parse_object(data: bytes, *, limit: int, what: str = "the JSON text") -> Object:
    """As ``parse``, for a text that must be an object."""
    return as_object(parse(data, limit=limit), what)


def as_object(value: object, what: str) -> Object:
    """``value`` if it is an object; ``what`` names it in the error."""
    if not isinstance(value, dict):
        raise Malformed(f"{what} is not a JSON object")
    return value


def only(obj: Object, required: Collection[str], optional: Collection[str] = ()) -> None:
    """Refuse an object that lacks a required name or has one that is neither required nor optional."""
    missing = set(required) - obj.keys()
    unknown = obj.keys() - set(required) - set(optional)
    if missing:
        raise Malformed("a field is missing", on=", ".join(sorted(missing)))
    if unknown:
        raise Malformed("a field is not known", on=", ".join(map(repr, sorted(unknown)[:5])))


def text(obj: Object, key: str) -> str:
    """A string."""
    return _as(str, _field(obj, key), key, "a string")


def boolean(obj: Object, key: str) -> bool:
    """``true`` or ``false``."""
    return _as(bool, _field(obj, key), key, "true or false")


def array(obj: Object, key: str) -> list[object]:
    """An array, of anything."""
    return _as(list, _field(obj, key), key, "an array")


def nested(obj: Object, key: str) -> Object:
    """An object inside the object."""
    return _as(dict, _field(obj, key), key, "an object")


def integer(obj: Object, key: str, *, low: int = 0, high: int = MAX_INTEGER) -> int:
    """An integer from ``low`` to ``high``, both included."""
    value = _as(int, _field(obj, key), key, "an integer")
    if isinstance(value, bool):  # a bool is an int to Python, not to JSON
        raise Malformed("a field is not an integer", on=key)
    if not low <= value <= high:
        raise Malformed("an integer is out of its range", on=f"{key}: {low} to {high}")
    return value


def texts(obj: Object, key: str) -> list[str]:
    """An array of strings."""
    return [_as(str, item, key, "an array of strings") for item in array(obj, key)]


def objects(obj: Object, key: str) -> list[Object]:
    """An array of objects."""
    return [_as(dict, item, key, "an array of objects") for item in array(obj, key)]


def b64(obj: Object, key: str) -> bytes:
    """Bytes written in the one canonical padded base64 of RFC 4648 section 4."""
    written = text(obj, key)
    try:
        value = base64.b64decode(written, validate=True)
    except (binascii.Error, ValueError) as error:  # ValueError: a character outside ASCII
        raise Malformed("a field is not base64", on=key) from error
    if to_b64(value) != written:  # stray bits after the last byte, RFC 4648 section 3.5
        raise Malformed("a field is not canonical base64", on=key)
    return value


def to_b64(value: bytes) -> str:
    """``value`` in the base64 that ``b64`` reads."""
    return base64.b64encode(value).decode("ascii")


def canonical(value: object) -> bytes:
    """``value`` in the canonical form of RFC 8785. Raises Malformed where it is no I-JSON value.

    A float from 2**53 to 1e21 is written as plain digits, which ``parse`` refuses as an inexact integer.
    """
    try:
        return rfc8785.dumps(cast(Any, value))
    except rfc8785.CanonicalizationError as error:
        raise Malformed("the value has no canonical JSON form", on=str(error)) from error


def _field(obj: Object, key: str) -> object:
    if key not in obj:
        raise Malformed("a field is missing", on=key)
    return obj[key]


def _as(kind: type[T], value: object, key: str, name: str) -> T:
    if not isinstance(value, kind):
        raise Malformed(f"a field is not {name}", on=key)
    return value


def _object(pairs: list[tuple[str, object]]) -> Object:
    value = dict(pairs)
    if len(value) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Malformed("a name occurs twice in one JSON object", on=repr(twice[:100]))
    return value


def _integer(digits: str) -> int:
    if len(digits) > 17 or abs(int(digits)) > MAX_INTEGER:
        raise Malformed("an integer is larger than 2**53 - 1", on=digits[:32])
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):  # 1e999
        raise Malformed("a number is larger than a double holds", on=digits[:32])
    return value


def _constant(name: str) -> object:
    raise Malformed("a number is not finite", on=name)


def _deep(data: bytes, depth: int) -> bool:
    """Whether a JSON text without escapes may be nested too deeply: what is not, needs no walk to tell.

    Nor has it half of a surrogate pair: in UTF-8 there is none, and only an escape could write one.
    """
    if data.count(b"{") + data.count(b"[") <= depth:
        return False
    brackets = b"".join(data.split(b'"')[::2]).translate(_ROUND, _NO_BRACKETS)
    for _ in range(depth):  # each turn takes the innermost level away, and no other
        brackets = brackets.replace(b"()", b"")
        if not brackets:
            return False
    return True


def _check(value: object, depth: int) -> None:
    """Bound the nesting and refuse lone surrogates, level by level and without recursion."""
    level = [value]
    for below in range(depth, -1, -1):
        holders = [item for item in level if isinstance(item, (dict, list))]
        if holders and not below:
            raise Malformed("the JSON text is nested too deeply", on=f"more than {depth} levels")
        for item in level:
            if isinstance(item, str):
                _check_text(item)
        level = [child for holder in holders for child in _children(holder)]


def _children(holder: Object | list[object]) -> Iterable[object]:
    return chain(holder.keys(), holder.values()) if isinstance(holder, dict) else holder


def _check_text(value: str) -> None:
    try:
        value.isascii() or value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise Malformed("a string holds half of a surrogate pair", on=ascii(value[:100])) from error
