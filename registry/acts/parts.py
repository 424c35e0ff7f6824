"""The pieces that acts are made of, and the bounds of every value in them."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

BLOB_FORMAT: Final = "tink-aes256-gcm-hkdf-1mb"
FILE_LIMIT: Final = 100_000  # files in one version

_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
# Patterns end in \Z: $ also matches before a newline at the end.
Hex32 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Nonce = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
Time = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z\Z")]
Name = Annotated[str, Meta(pattern=rf"^{_NAME}\Z", max_length=128)]
Model = Annotated[str, Meta(pattern=rf"^{_NAME}/{_NAME}\Z", max_length=257)]
Target = Annotated[str, Meta(pattern=rf"^{_NAME}/({_NAME})?\Z", max_length=257)]  # NAMESPACE/ or a model
VaultName = Annotated[str, Meta(pattern=rf"^(/|{_NAME}(/({_NAME})?)?)\Z", max_length=257)]
Number = Annotated[int, Meta(ge=1, le=999_999_999)]
Size = Annotated[int, Meta(ge=0, le=2**53 - 1)]  # bytes; RFC 8785 numbers are exact up to 2^53 - 1
BlobId = Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,100}\Z")]
Text = Annotated[str, Meta(max_length=4096, pattern=r"^[^\x00]*\Z")]  # PostgreSQL stores no NUL
Some = Annotated[str, Meta(min_length=1, max_length=4096, pattern=r"^[^\x00]*\Z")]
Key = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[^\x00]*\Z")]
Code = Annotated[str, Meta(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*\Z", max_length=64)]  # of a scan's finding
Label = Annotated[str, Meta(max_length=255, pattern=r"^[^\x00-\x1f\x7f]*\Z")]
Envelope = Annotated[bytes, Meta(min_length=1, max_length=1 << 20)]  # a signed statement inside an act

Role = Literal["member", "admin", "auditor"]
Action = Literal["pull", "push", "promote", "grant"]
ROLES: Final = ("member", "admin", "auditor")
ACTIONS: Final = ("pull", "push", "promote", "grant")


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A piece of an act's body. Bytes travel as standard base64."""


class Sealed(Part, frozen=True):
    """A secret sealed by HPKE (RFC 9180, base mode): the SHA-256 of encapsulated key and ciphertext.

    The bytes themselves travel beside the act. What the ledger keeps it keeps for ever; what lies beside
    it a rotation can destroy.
    """

    suite: Name
    sha256: Hex32


class Share(Part, frozen=True):
    """A vault's private half, sealed to one reader: a member, a team, or the vault above.

    A ``limited`` one is sealed once more, to the registry's release key: the door takes that layer off as
    long as the grant lasts.
    """

    recipient: VaultName
    sealed: Sealed
    limited: bool = False


class Vault(Part, frozen=True):
    """A sealing key pair of one epoch: of the registry (``/``), a namespace, a model or a team."""

    name: VaultName
    epoch: Number
    suite: Name
    public: Annotated[bytes, Meta(max_length=4096)]
    shares: Annotated[tuple[Share, ...], Meta(min_length=1, max_length=100_000)]


class Handed(Part, frozen=True):
    """One more share of a vault's present epoch."""

    vault: VaultName
    epoch: Number
    share: Share


class Blob(Part, frozen=True):
    """A ciphertext in the store: its size and SHA-256, what it holds, and its sealed key."""

    id: BlobId
    format: Annotated[str, Meta(pattern=rf"^{BLOB_FORMAT}\Z")]
    size: Size  # bytes of ciphertext
    sha256: Hex32  # of the ciphertext
    content: Hex32  # SHA-256 of the plaintext
    epoch: Number  # of the model's vault, to which the key is sealed
    key: Sealed


class Kept(Part, frozen=True):
    """A blob whose key was sealed again, or that was encrypted again, in a rotation."""

    model: Model
    blob: Blob


class Custody(Part, frozen=True):
    """The key material that an act hands over: vaults made or begun anew, further shares, re-sealed blobs."""

    vaults: Annotated[tuple[Vault, ...], Meta(max_length=100_000)] = ()
    shares: Annotated[tuple[Handed, ...], Meta(max_length=100_000)] = ()
    blobs: Annotated[tuple[Kept, ...], Meta(max_length=1_000_000)] = ()


class File(Part, frozen=True):
    """One file of a version. The model's blob of that content holds it."""

    path: Some
    size: Size  # bytes of plaintext
    sha256: Hex32


class Client(Part, frozen=True):
    """What the actor says of the program and the machine; nobody proves it."""

    program: Label
    host: Label


class Release(Part, frozen=True):
    """The public half of the release key: what ``limited`` shares are sealed to once more."""

    suite: Name
    public: Annotated[bytes, Meta(max_length=4096)]
