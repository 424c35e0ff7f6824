"""What a proof and an export say, as JSON of one spelling each: read with bounds, believed in no part.

A document is RFC 8785 JSON and a newline, and nothing else is read: the fields stand in the order of their
names, bytes in base64. So no two readers take one document for two things, and nothing rides along in it.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeVar

import msgspec
from msgspec import Meta

from registry.acts import Hex32, Part
from registry.crypto import dsse
from registry.crypto.checkpoint import MAX_NOTE
from registry.crypto.merkle import HASH
from registry.crypto.tlogproof import MAX_PATH, MAX_TEXT
from registry.errors import InvalidInput, Malformed

MAX_PROOF: Final = 256 << 20  # bytes of a proof
MAX_RANGE: Final = 64 << 20  # bytes of an export's proof.json: it shows one entry whole
PROOF_TYPE: Final = "application/vnd.hallmark-registry.proof.v1+json"
RANGE_TYPE: Final = "application/vnd.hallmark-registry.range.v1+json"
_MAX_LAW: Final = 10_000_000  # acts
_MAX_SEEN: Final = 256  # cosigned checkpoints

_Hash = Annotated[bytes, Meta(min_length=HASH, max_length=HASH)]
Index = Annotated[int, Meta(ge=0, le=(1 << 53) - 1)]
Path = Annotated[tuple[_Hash, ...], Meta(max_length=MAX_PATH)]
Note = Annotated[str, Meta(max_length=MAX_NOTE)]
T = TypeVar("T", bound=Part)


class Signed(Part, frozen=True):
    """The one signature of an entry."""

    keyid: Hex32
    sig: Annotated[bytes, Meta(max_length=dsse.MAX_SIGNATURE)]


class Entry(Part, frozen=True):
    """An entry of the ledger: a DSSE envelope with one signature."""

    payload: Annotated[bytes, Meta(max_length=dsse.MAX_PAYLOAD)]
    payload_type: Literal["application/vnd.in-toto+json"] = msgspec.field(name="payloadType")
    signatures: Annotated[tuple[Signed, ...], Meta(min_length=1, max_length=1)]

    @property
    def raw(self) -> bytes:
        """The exact bytes that are the leaf of the tree."""
        return msgspec.json.encode(self)


class Place(Part, frozen=True):
    """Where an entry lies, and the inclusion path from it to the checkpoint's root."""

    index: Index
    path: Path


class Shown(Part, frozen=True):
    """One more entry, with its place."""

    entry: Entry
    index: Index
    path: Path


class Cosigned(Part, frozen=True):
    """A checkpoint with cosignatures of witnesses, and the consistency path from it to the newest one."""

    note: Note
    path: Path


class Document(Part, frozen=True):
    """A proof of one act."""

    after: Shown | None  # the next act of the law, else a later entry under the same law
    entry: Entry
    head: Place | None  # of the last act of ``law``
    law: Annotated[tuple[Entry, ...], Meta(max_length=_MAX_LAW)]  # from the genesis act on, before the act
    media_type: Literal["application/vnd.hallmark-registry.proof.v1+json"] = msgspec.field(name="mediaType")
    proof: Annotated[str, Meta(max_length=MAX_TEXT)]  # C2SP tlog-proof of the entry
    registry: Hex32
    witnessed: Annotated[tuple[Cosigned, ...], Meta(max_length=_MAX_SEEN)]


class Range(Part, frozen=True):
    """What joins an export to the ledger before it."""

    before: Shown | None  # the last entry before the range: it names the law that the range begins under
    consistency: Path  # from ``since`` to ``checkpoint``, RFC 9162 section 2.1.4
    media_type: Literal["application/vnd.hallmark-registry.range.v1+json"] = msgspec.field(name="mediaType")
    registry: Hex32
    subtrees: Path  # the complete subtrees before the range, largest first
    witnessed: Annotated[tuple[Cosigned, ...], Meta(max_length=_MAX_SEEN)]


def entry(envelope: bytes) -> Entry:
    """An entry of the ledger, from its bytes. Raises Malformed."""
    return _decoded(envelope, Entry, "an entry")


def write(value: Part, limit: int) -> bytes:
    """The document's bytes. Raises InvalidInput where nobody would read them."""
    data = msgspec.json.encode(value) + b"\n"
    if len(data) > limit:
        raise InvalidInput(
            "the registry's law is too long for a proof of one act",
            on=f"{len(data)} bytes, {limit} allowed",
            hint="use 'registry audit export'",
        )
    return data


def read(data: bytes, kind: type[T], limit: int) -> T:
    """A document of this kind. Raises Malformed."""
    if len(data) > limit:
        raise Malformed("the document is too long", on=f"{len(data)} bytes, {limit} allowed")
    if not data.endswith(b"\n"):
        raise Malformed("the document is cut off: it ends with no newline")
    return _decoded(data[:-1], kind, "the document")


def _decoded(data: bytes, kind: type[T], what: str) -> T:
    try:
        value = msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"{what} does not parse: {error}") from error
    if msgspec.json.encode(value) != data:
        raise Malformed(f"{what} is not in its one canonical spelling")
    return value
