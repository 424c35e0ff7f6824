"""Between acts and the bytes that are signed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec
import rfc8785
from msgspec import Meta

from registry.acts.deeds import DEED_BODIES, DeedBody, Push, Refusal
from registry.acts.law import LAW, LAW_BODIES, Genesis, LawBody
from registry.acts.parts import Client, Hex32, Nonce, Part, Sealed, Time
from registry.errors import InvalidInput, Malformed

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_BASE: Final = "https://hallmark-registry/"
QUANTIZATION: Final = PREDICATE_BASE + "quantization/v1"
RECIPE: Final = PREDICATE_BASE + "recipe/v1"
LINEAGE: Final = PREDICATE_BASE + "lineage/v1"
EVALUATION: Final = PREDICATE_BASE + "evaluation/v1"

Body = LawBody | DeedBody
_BODIES: dict[str, type[Body]] = {body.kind: body for body in (*LAW_BODIES, *DEED_BODIES)}
_MaybeHex32 = Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?\Z")]


class Header(Part, frozen=True):
    """Who acts, on which registry, when, under which law, from where.

    ``law`` is the digest of the newest act of the law that the actor knows; ``registry`` and ``law`` are
    empty in the genesis act alone.
    """

    registry: _MaybeHex32
    actor: Hex32  # key id: SHA-256 of the DER SubjectPublicKeyInfo
    time: Time
    nonce: Nonce
    law: _MaybeHex32
    client: Client


class Act(Part, frozen=True):
    """A decoded act. ``digest`` is the SHA-256 of the exact payload bytes; it names the act."""

    header: Header
    body: Body
    digest: str

    @property
    def kind(self) -> str:
        return self.body.kind

    @property
    def is_law(self) -> bool:
        """Whether the act says who may do what."""
        return self.kind in LAW

    @property
    def model(self) -> str | None:
        """The model that the act is about, if it is about one."""
        found: str | None = getattr(self.body, "model", None)
        return found

    @property
    def number(self) -> int | None:
        """The version that the act is about, if it is about one."""
        found: int | None = getattr(self.body, "number", None)
        return found

    @property
    def target(self) -> str | None:
        """What an act of the law, or a refusal, is about: a member, a team, a namespace or a model."""
        found: str | None = getattr(self.body, "target", None)
        return found


class _Subject(Part, frozen=True):
    name: str
    digest: dict[str, str]


class _Predicate(Header, frozen=True):
    body: msgspec.Raw


class _Statement(Part, frozen=True):
    type_: str = msgspec.field(name="_type")
    subject: list[_Subject]
    predicate_type: str = msgspec.field(name="predicateType")
    predicate: _Predicate


def timestamp(now: datetime) -> str:
    """``now`` as RFC 3339 in UTC with microseconds: fixed width, so that text order is time order."""
    return now.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def encode(header: Header, body: Body) -> bytes:
    """The RFC 8785 bytes of the statement that says ``body``."""
    plain = _plain(body)
    return _canonical(
        {
            "_type": STATEMENT_TYPE,
            "subject": [_subject(body, plain)],
            "predicateType": f"{PREDICATE_BASE}{body.kind}/v1",
            "predicate": {**_plain(header), "body": plain},
        }
    )


def compose(header: Header, body: Body) -> bytes:
    """As ``encode``, for values a person gave. Raises InvalidInput for one that ``decode`` would refuse."""
    try:
        msgspec.convert(_plain(body), type(body))
        return encode(header, body)
    except (msgspec.ValidationError, rfc8785.CanonicalizationError) as error:
        raise InvalidInput(f"the registry cannot record this {body.kind}: {error}") from error


def decode(payload: bytes) -> Act:
    """Read an act. Raises Malformed for anything but the canonical bytes of a known kind."""
    try:
        statement = msgspec.json.decode(payload, type=_Statement)
        kind = _kind(statement)
        body: Body = msgspec.json.decode(statement.predicate.body, type=_BODIES[kind])
    except (msgspec.DecodeError, KeyError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"an act does not parse: {error}") from error
    said = statement.predicate
    header = Header(said.registry, said.actor, said.time, said.nonce, said.law, said.client)
    # One statement, one byte string: no duplicate key, no second spelling, no subject at odds with the body.
    if encode(header, body) != payload:
        raise Malformed("an act is not in canonical form (RFC 8785)", on=kind)
    return Act(header=header, body=body, digest=hashlib.sha256(payload).hexdigest())


def glance(payload: bytes) -> Act:
    """As ``decode``, to show what an act says: without its custody, in whatever form. It proves nothing."""
    try:
        statement = msgspec.json.decode(payload, type=_Statement)
        kind, said = _kind(statement), statement.predicate
        fields = msgspec.json.decode(said.body, type=dict[str, msgspec.Raw])
        if kind in LAW and kind != Genesis.kind and "custody" in fields:
            fields["custody"] = msgspec.Raw(b"{}")  # most of what an act of the law weighs
        body: Body = msgspec.json.decode(msgspec.json.encode(fields), type=_BODIES[kind])
    except (msgspec.DecodeError, KeyError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"an act does not parse: {error}") from error
    header = Header(said.registry, said.actor, said.time, said.nonce, said.law, said.client)
    return Act(header=header, body=body, digest=hashlib.sha256(payload).hexdigest())


def sealed_in(body: Body) -> Iterator[Sealed]:
    """Every sealed secret that an act names; their bytes travel beside it."""
    if isinstance(body, Push):
        yield from (blob.key for blob in body.blobs)
    elif not isinstance(body, DeedBody):
        custody = body.custody
        yield from (share.sealed for vault in custody.vaults for share in vault.shares)
        yield from (handed.share.sealed for handed in custody.shares)
        yield from (kept.blob.key for kept in custody.blobs)


def _canonical(value: dict[str, Any]) -> bytes:
    """RFC 8785. In plain ASCII without escapes, and without floats, sorted JSON is already canonical.

    That is most acts, and many times faster; whatever else there is goes to the library.
    """
    try:
        quick = msgspec.json.encode(value, order="sorted")
    except UnicodeEncodeError:  # half a surrogate pair: the library says so
        return rfc8785.dumps(value)
    return quick if quick.isascii() and b"\\" not in quick else rfc8785.dumps(value)


def _kind(statement: _Statement) -> str:
    kind = statement.predicate_type.removeprefix(PREDICATE_BASE).removesuffix("/v1")
    if statement.type_ != STATEMENT_TYPE or kind not in _BODIES:
        raise Malformed("an act of unknown kind", on=statement.predicate_type[:200])
    return kind


def _subject(body: Body, plain: dict[str, Any]) -> dict[str, Any]:
    if isinstance(body, Genesis):
        return {"name": body.name, "digest": {"sha256": hashlib.sha256(body.ledger).hexdigest()}}
    if isinstance(body, LawBody | Refusal):
        said = hashlib.sha256(_canonical(plain)).hexdigest()
        return {"name": f"{body.kind} {body.target}", "digest": {"sha256": said}}
    return {"name": f"{body.model}:{body.number}", "digest": {"sha256": body.digest}}


def _plain(part: Part) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(part)
    return plain
