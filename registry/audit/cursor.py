"""Where a page of a search ended: the next page begins there, whatever has been added meanwhile."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from registry.errors import InvalidInput

_LIMIT = 4096  # characters
_HINT = "repeat the search without a cursor"
_Maybe = Annotated[str, Meta(pattern=r"^([0-9T:.-]{26}Z)?\Z")]
_Count = Annotated[int, Meta(ge=0, le=2**62)]


class Cursor(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The ledger's size at the first page, which search it is, and the last event that was shown."""

    size: _Count
    search: Annotated[str, Meta(pattern=r"^[0-9a-f]{16}\Z")]
    since: _Maybe
    until: _Maybe
    value: Annotated[str, Meta(max_length=300)]  # in the column of the order
    seq: _Count

    def to_text(self) -> str:
        """In letters, digits, "-" and "_"."""
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")


def parse(text: str) -> Cursor:
    """Read a cursor. Raises InvalidInput."""
    if len(text) > _LIMIT:
        raise InvalidInput("this is no cursor", on=f"{len(text)} characters", hint=_HINT)
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(data, type=Cursor)
    except (msgspec.DecodeError, binascii.Error, ValueError) as error:
        raise InvalidInput("this is no cursor", on=ascii(text[:60]), hint=_HINT) from error


def search_of(canonical: list[Any]) -> str:
    """The name of a search, from what makes two the same."""
    return hashlib.sha256(msgspec.json.encode(canonical)).hexdigest()[:16]
