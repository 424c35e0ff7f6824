"""The attestations that Hallmark itself makes: in-toto Statements v1 about a model's digest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from registry import acts, strictjson
from registry.crypto import dsse
from registry.crypto.keys import SigningKey
from registry.errors import InvalidInput, Malformed
from registry.onnx.evaluate.evaluation import Evaluation
from registry.onnx.facts import QuantizationFacts
from registry.onnx.lineage.verdict import Lineage

Facts = Sequence[tuple[str, QuantizationFacts]]  # path of an ONNX file and its facts


def predicate(facts: Facts) -> dict[str, object]:
    """The quantization predicate: one entry per ONNX file, in path order."""
    return {"models": [{"path": path, **found.to_dict()} for path, found in facts]}


class Said(NamedTuple):
    """What a statement tells policies: a lineage proof's verdict, an evaluation's agreement in millionths."""

    verdict: str | None = None
    agreement: int | None = None


def said(kind: str, predicate: object) -> Said:
    """Read a statement of one of Hallmark's own types; of others nothing is asked. Raises Malformed."""
    if kind == acts.LINEAGE:
        return Said(verdict=_verdict(strictjson.as_object(predicate, "a lineage proof")))
    if kind == acts.EVALUATION:
        return Said(agreement=Evaluation.from_dict(predicate).agreement_ppm)
    return Said()


def _verdict(predicate: strictjson.Object) -> str:
    """One that its own list of tensors and nodes bears out."""
    known = Lineage.__dataclass_fields__.keys()
    return Lineage.from_dict({key: value for key, value in predicate.items() if key in known}).verdict


def quantization(model: str, digest: str, facts: Facts, key: SigningKey) -> bytes:
    """The signed quantization attestation, a DSSE envelope, for ``model`` with this OMS root digest."""
    return signed(model, digest, acts.QUANTIZATION, predicate(facts), key)


def signed(model: str, digest: str, kind: str, predicate: Mapping[str, object], key: SigningKey) -> bytes:
    """A signed in-toto Statement v1 of predicate type ``kind`` about this version, a DSSE envelope.

    Raises InvalidInput for a predicate without a canonical form (RFC 8785).
    """
    statement = {
        "_type": acts.STATEMENT_TYPE,
        "subject": [{"name": model, "digest": {"sha256": digest}}],
        "predicateType": kind,
        "predicate": dict(predicate),
    }
    try:
        payload = strictjson.canonical(statement)
    except (Malformed, ValueError) as error:
        raise InvalidInput(f"the predicate has no canonical form (RFC 8785): {error}") from error
    return dsse.sign(payload, key).to_bytes()
