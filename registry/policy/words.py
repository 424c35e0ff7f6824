"""What a policy is asked about: who asks, for what, on which version, and when.

All of it is established before it comes here: identities enrolled, signatures verified, facts attested.
Every ``Who`` in one request describes its member at one and the same moment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from registry.onnx.quantization import QuantizationFacts

PULL, PUSH, PROMOTE, ATTEST, GRANT = "pull", "push", "promote", "attest", "grant"  # actions


@dataclass(frozen=True)
class Who:
    """A member: the name, the role (member, admin or auditor), and the names of the teams they are in."""

    name: str
    role: str
    teams: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Attestation:
    """A further statement about a version, already verified: its predicate type and who signed it.

    ``verdict`` is that of a lineage proof; ``agreement`` an evaluation's lowest top-1 agreement with the
    parent, in parts per million.
    """

    type: str
    signer: Who
    verdict: str | None = None
    agreement: int | None = None


@dataclass(frozen=True)
class Version:
    """A version as policies see it. ``quantization`` has one entry for each ONNX file."""

    model: str  # NAMESPACE/MODEL
    number: int
    digest: str  # hexadecimal SHA-256, the OMS root digest
    label: str | None
    publisher: Who  # signed the bundle
    size: int  # bytes of plaintext
    metadata: Mapping[str, str]
    quantization: Sequence[QuantizationFacts]
    attestations: Sequence[Attestation]
    allowed: Sequence[str] = ()  # findings of the scan that the publisher accepted

    def __str__(self) -> str:
        return f"{self.model}:{self.number}"


@dataclass(frozen=True)
class Client:
    """The program that asks and the machine it says it runs on: claims, signed by the member only."""

    program: str
    host: str


@dataclass(frozen=True)
class Request:
    """One question: may ``principal`` do ``action`` on ``on``?

    ``on`` is a Version for pull, push, promote and attest; for grant the target: ``"vision/"`` or
    ``"vision/resnet50"``. ``alias`` is the alias that a promote or a push moves (a push that moves several
    asks once for each); a promote without one is a yank. ``grantee`` and ``actions`` belong to grant.
    A ``time`` without a zone is UTC.
    """

    principal: Who
    action: str
    on: Version | str
    time: datetime
    client: Client
    purpose: str | None = None
    alias: str | None = None
    grantee: str | None = None
    actions: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"{self.principal.name}: {self.action} {self.on}" + (f" as {self.alias}" if self.alias else "")
