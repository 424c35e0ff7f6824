"""Gates every registry has: the door asks them of an act, and a client again at checkout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from registry import statements
from registry.acts import QUANTIZATION
from registry.errors import BadAttestation, Malformed, Yanked

REQUIRED = (QUANTIZATION,)  # attestation types without which no version is admitted or released


def releasable(yank: Mapping[str, Any] | None, on: str) -> None:
    """Raise Yanked for a version that has been withdrawn."""
    if yank is not None:
        raise Yanked(
            f"the version was yanked: {yank['reason']}",
            on=on,
            hint="choose another version, or name an older one",
        )


def attested(heads: Sequence[tuple[str, Mapping[str, Any]]], model: str, digest: str) -> None:
    """Raise BadAttestation unless every statement is about this model and digest and none is missing.

    ``heads`` are (predicate type, in-toto Statement) pairs whose signatures are verified.
    """
    for kind, statement in heads:
        about(kind, statement, model, digest)
    kinds = [kind for kind, _ in heads]
    for kind in REQUIRED:
        if kinds.count(kind) != 1:
            raise BadAttestation(f"{kinds.count(kind)} attestations where there must be one", on=kind)


def about(kind: str, statement: Mapping[str, Any], model: str, digest: str) -> None:
    """Raise BadAttestation unless the statement's one subject is this version: its model and digest.

    One of Hallmark's own types must be readable besides: policies ask for what it says.
    """
    if statement.get("subject") != [{"name": model, "digest": {"sha256": digest}}]:
        raise BadAttestation("an attestation speaks of something else", on=kind)
    try:
        statements.said(kind, statement.get("predicate"))
    except Malformed as error:
        raise BadAttestation(f"the attestation cannot be read: {error.message}", on=kind) from error
