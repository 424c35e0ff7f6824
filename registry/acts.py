"""Acts: the statements that members sign and the ledger keeps.

An act is an in-toto Statement v1 whose predicate type is ``https://hallmark-registry/<kind>/v1``
and whose bytes are RFC 8785 JSON. The predicate carries a header (registry, actor, time, nonce)
and one body, a class of this module. Decoding is strict: an unknown field, a value out of its
bounds or bytes that are not the canonical form of what they say are refused.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final

import msgspec
import rfc8785
from msgspec import Meta

from registry.errors import InvalidInput, Malformed

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_BASE: Final = "https://hallmark-registry/"
QUANTIZATION: Final = PREDICATE_BASE + "quantization/v1"
BLOB_FORMAT: Final = "tink-aes256-gcm-hkdf-1mb"
FILE_LIMIT: Final = 100_000  # files in one version

# Patterns end in \Z: $ also matches before a newline at the end.
Hex32 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Nonce = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
Time = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z\Z")]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z", max_length=128)]
Model = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}/[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z", max_length=257)
]
Number = Annotated[int, Meta(ge=1, le=999_999_999)]
Size = Annotated[int, Meta(ge=0, le=2**53 - 1)]  # bytes; RFC 8785 numbers are exact up to 2^53 - 1
BlobId = Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,100}\Z")]
Text = Annotated[str, Meta(max_length=4096, pattern=r"^[^\x00]*\Z")]  # PostgreSQL stores no NUL
Some = Annotated[str, Meta(min_length=1, max_length=4096, pattern=r"^[^\x00]*\Z")]
Key = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[^\x00]*\Z")]


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A piece of an act's body. Bytes travel as standard base64."""


class Sealed(Part, frozen=True):
    """A secret sealed by HPKE (RFC 9180, base mode): encapsulated key and ciphertext."""

    suite: Name
    ciphertext: Annotated[bytes, Meta(max_length=8192)]


class Share(Part, frozen=True):
    """A vault's private half, sealed to one member."""

    recipient: Hex32
    sealed: Sealed


class Vault(Part, frozen=True):
    """A model's sealing key pair of one epoch; blob keys are sealed to ``public``."""

    epoch: Number
    suite: Name
    public: Annotated[bytes, Meta(max_length=4096)]
    shares: Annotated[tuple[Share, ...], Meta(min_length=1, max_length=10_000)]


class Blob(Part, frozen=True):
    """A ciphertext in the store: its size and SHA-256, what it holds, and its sealed key."""

    id: BlobId
    format: Annotated[str, Meta(pattern=rf"^{BLOB_FORMAT}\Z")]
    size: Size  # bytes of ciphertext
    sha256: Hex32  # of the ciphertext
    content: Hex32  # SHA-256 of the plaintext
    epoch: Number
    key: Sealed


class File(Part, frozen=True):
    """One file of a version and the blob that holds it."""

    path: Some
    size: Size  # bytes of plaintext
    sha256: Hex32
    blob: BlobId


class Keys(Part, frozen=True):
    """A member's public keys: ECDSA (SubjectPublicKeyInfo, DER) and HPKE."""

    name: Name
    signing: Annotated[bytes, Meta(max_length=4096)]
    suite: Name
    sealing: Annotated[bytes, Meta(max_length=4096)]


class Genesis(Part, frozen=True):
    """The first act: names the first admin and the ledger's Ed25519 key (32 raw bytes)."""

    kind: ClassVar[str] = "genesis"
    name: Name
    admin: Keys
    ledger: Annotated[bytes, Meta(min_length=32, max_length=32)]


class Push(Part, frozen=True, kw_only=True):
    """Publishes a version. ``vault`` is there exactly when the push creates the model."""

    kind: ClassVar[str] = "push"
    model: Model
    number: Number
    digest: Hex32  # the OMS root digest
    label: Name | None = None
    aliases: Annotated[tuple[Name, ...], Meta(max_length=64)] = ()
    metadata: Annotated[dict[Key, Text], Meta(max_length=256)] = {}
    bundle: bytes  # OMS v1.0 Sigstore bundle
    files: Annotated[tuple[File, ...], Meta(min_length=1, max_length=FILE_LIMIT)]
    blobs: Annotated[tuple[Blob, ...], Meta(max_length=FILE_LIMIT)] = ()  # those this push brings
    vault: Vault | None = None
    attestations: Annotated[tuple[bytes, ...], Meta(max_length=64)] = ()  # DSSE envelopes


class Alias(Part, frozen=True):
    """Moves an alias to a version."""

    kind: ClassVar[str] = "alias"
    model: Model
    number: Number
    digest: Hex32
    name: Name


class Yank(Part, frozen=True):
    """Withdraws a version: it stays in the ledger, and no checkout releases it."""

    kind: ClassVar[str] = "yank"
    model: Model
    number: Number
    digest: Hex32
    reason: Some


class Pull(Part, frozen=True):
    """Asks for a version's sealed keys."""

    kind: ClassVar[str] = "pull"
    model: Model
    number: Number
    digest: Hex32
    purpose: Name


Body = Genesis | Push | Alias | Yank | Pull
_BODIES: dict[str, type[Body]] = {body.kind: body for body in (Genesis, Push, Alias, Yank, Pull)}


class Header(Part, frozen=True):
    """Who acts, on which registry, when. ``registry`` is empty in the genesis act alone."""

    registry: Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?\Z")]
    actor: Hex32  # key id: SHA-256 of the DER SubjectPublicKeyInfo
    time: Time
    nonce: Nonce


class Act(Part, frozen=True):
    """A decoded act. ``digest`` is the SHA-256 of the exact payload bytes; it names the act."""

    header: Header
    body: Body
    digest: str

    @property
    def kind(self) -> str:
        return self.body.kind

    @property
    def model(self) -> str | None:
        return None if isinstance(self.body, Genesis) else self.body.model

    @property
    def number(self) -> int | None:
        return None if isinstance(self.body, Genesis) else self.body.number


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
    return rfc8785.dumps(
        {
            "_type": STATEMENT_TYPE,
            "subject": [_subject(body)],
            "predicateType": f"{PREDICATE_BASE}{body.kind}/v1",
            "predicate": {**_plain(header), "body": _plain(body)},
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
    header = Header(registry=said.registry, actor=said.actor, time=said.time, nonce=said.nonce)
    # One statement, one byte string: no duplicate key, no second spelling, no subject at odds with the body.
    if encode(header, body) != payload:
        raise Malformed("an act is not in canonical form (RFC 8785)", on=kind)
    return Act(header=header, body=body, digest=hashlib.sha256(payload).hexdigest())


def _kind(statement: _Statement) -> str:
    kind = statement.predicate_type.removeprefix(PREDICATE_BASE).removesuffix("/v1")
    if statement.type_ != STATEMENT_TYPE or kind not in _BODIES:
        raise Malformed("an act of unknown kind", on=statement.predicate_type[:200])
    return kind


def _subject(body: Body) -> dict[str, Any]:
    if isinstance(body, Genesis):
        return {"name": body.name, "digest": {"sha256": hashlib.sha256(body.ledger).hexdigest()}}
    return {"name": f"{body.model}:{body.number}", "digest": {"sha256": body.digest}}


def _plain(part: Part) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(part)
    return plain
