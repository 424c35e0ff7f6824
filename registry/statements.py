"""The attestations that Hallmark itself makes: in-toto Statements v1 about a model's digest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import rfc8785

from registry import acts
from registry.crypto import dsse
from registry.crypto.keys import SigningKey
from registry.onnx.facts import QuantizationFacts

Facts = Sequence[tuple[str, QuantizationFacts]]  # path of an ONNX file and its facts


def predicate(facts: Facts) -> dict[str, object]:
    """The quantization predicate: one entry per ONNX file, in path order."""
    return {"models": [{"path": path, **found.to_dict()} for path, found in facts]}


def quantization(model: str, digest: str, facts: Facts, key: SigningKey) -> bytes:
    """The signed quantization attestation, a DSSE envelope, for ``model`` with this OMS root digest."""
    statement: dict[str, Any] = {
        "_type": acts.STATEMENT_TYPE,
        "subject": [{"name": model, "digest": {"sha256": digest}}],
        "predicateType": acts.QUANTIZATION,
        "predicate": predicate(facts),
    }
    return dsse.sign(rfc8785.dumps(statement), key).to_bytes()
