"""The acts that are about versions, and the refusals."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from registry.acts.parts import (
    FILE_LIMIT,
    Blob,
    Code,
    Envelope,
    File,
    Hex32,
    Key,
    Label,
    Model,
    Name,
    Number,
    Part,
    Some,
    Text,
    Time,
)


class Push(Part, frozen=True, kw_only=True):
    """Publishes a version."""

    kind: ClassVar[str] = "push"
    model: Model
    number: Number
    digest: Hex32  # the OMS root digest
    label: Name | None = None
    aliases: Annotated[tuple[Name, ...], Meta(max_length=64)] = ()
    metadata: Annotated[dict[Key, Text], Meta(max_length=256)] = msgspec.field(default_factory=dict)
    bundle: bytes  # OMS v1.0 Sigstore bundle
    files: Annotated[tuple[File, ...], Meta(min_length=1, max_length=FILE_LIMIT)]
    blobs: Annotated[tuple[Blob, ...], Meta(max_length=FILE_LIMIT)] = ()  # those this push brings
    attestations: Annotated[tuple[bytes, ...], Meta(max_length=64)] = ()  # DSSE envelopes
    allowed: Annotated[tuple[Code, ...], Meta(max_length=64)] = ()  # findings of the scan


class OfVersion(Part, frozen=True):
    """An act about one version that is there."""

    model: Model
    number: Number
    digest: Hex32


class Alias(OfVersion, frozen=True):
    """Moves an alias to a version."""

    kind: ClassVar[str] = "alias"
    name: Name


class Yank(OfVersion, frozen=True):
    """Withdraws a version: it stays in the ledger, and no checkout releases it."""

    kind: ClassVar[str] = "yank"
    reason: Some


class Pull(OfVersion, frozen=True):
    """Asks for a version's sealed keys."""

    kind: ClassVar[str] = "pull"
    purpose: Name


class Failure(OfVersion, frozen=True):
    """What a checkout found after its pull was accepted: the puller's own word that a step failed.

    ``code`` is the error's. Nothing follows from it but that somebody looks: it changes no right and no row.
    """

    kind: ClassVar[str] = "failure"
    purpose: Name  # of the pull
    step: Annotated[int, Meta(ge=9, le=12)]
    code: Code


class Attest(OfVersion, frozen=True):
    """Adds a further statement about a version: an in-toto Statement that the actor signed."""

    kind: ClassVar[str] = "attest"
    statement: Envelope  # a DSSE envelope


class Refusal(Part, frozen=True, kw_only=True):
    """What the door refused, signed by the ledger's key.

    A flood of refusals becomes one act that counts them: ``count`` is 1 for a refusal told in full, and
    then ``code`` and ``attempt`` say what it was about. ``member`` is empty where nobody known signed.
    """

    kind: ClassVar[str] = "refusal"
    member: Annotated[str, Meta(max_length=128)]
    count: Number
    since: Time
    code: Label = ""
    message: Text = ""
    attempt: Label = ""  # the kind of the refused act
    target: Annotated[str, Meta(max_length=300)] = ""
    act: Hex32 | None = None  # digest of the refused act


DeedBody = Push | Alias | Yank | Pull | Failure | Attest | Refusal
DEED_BODIES: tuple[type[DeedBody], ...] = (Push, Alias, Yank, Pull, Failure, Attest, Refusal)
