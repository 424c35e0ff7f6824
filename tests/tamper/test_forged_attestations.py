"""Attacks by a genuine publisher: attestations of something else (step 7) or not of the graph (step 11)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from registry import acts
from registry.crypto import dsse
from registry.crypto.identity import SigningKey
from support.attacks import (
    NEW,
    admit_push,
    attested,
    flipped,
    refused,
    refused_by_the_door,
)
from support.victim import Victim


def test_an_attestation_signed_again_passes(victim: Victim, body: acts.Push, key: SigningKey) -> None:
    admit_push(victim, attested(body, key, lambda statement: None))
    victim.passes(NEW)


SPEAKS: dict[str, tuple[Callable[[Any], object], str]] = {
    "of-another-digest": (lambda s: s["subject"][0]["digest"].update(sha256="0" * 64), "bad-attestation"),
    "of-another-model": (lambda s: s["subject"][0].update(name="vision/other"), "bad-attestation"),
    "of-a-second-subject": (lambda s: s["subject"].append(s["subject"][0]), "bad-attestation"),
    "in-another-type": (
        lambda s: s.update(predicateType=s["predicateType"].replace("quantization", "lineage")),
        "bad-attestation",
    ),
}


@pytest.mark.parametrize("attack", SPEAKS)
def test_an_attestation_of_something_else_is_refused(
    victim: Victim, body: acts.Push, key: SigningKey, attack: str
) -> None:
    change, code = SPEAKS[attack]
    forged = attested(body, key, change)
    refused_by_the_door(victim, forged)
    admit_push(victim, forged)
    refused(victim, 7, code, NEW)


def test_an_attestation_by_a_stranger_is_refused(victim: Victim, body: acts.Push) -> None:
    forged = attested(body, SigningKey.generate(), lambda statement: None)
    refused_by_the_door(victim, forged)
    admit_push(victim, forged)
    refused(victim, 7, "bad-signature", NEW)


def test_an_attestation_with_a_changed_signature_is_refused(victim: Victim, body: acts.Push) -> None:
    parsed = dsse.Envelope.from_bytes(body.attestations[0])
    changed = dsse.Signature(parsed.signatures[0].keyid, flipped(parsed.signatures[0].sig, -1))
    envelope = dsse.Envelope(parsed.payload_type, parsed.payload, (changed,)).to_bytes()
    admit_push(victim, replace(body, attestations=(envelope,)))
    refused(victim, 7, "bad-signature", NEW)


def test_a_missing_attestation_is_refused(victim: Victim, body: acts.Push) -> None:
    forged = replace(body, attestations=())
    refused_by_the_door(victim, forged)
    admit_push(victim, forged)
    refused(victim, 7, "bad-attestation", NEW)


def _facts(change: Callable[[Any], object]) -> Callable[[Any], object]:
    return lambda statement: change(statement["predicate"]["models"][0])


FACTS: dict[str, Callable[[Any], object]] = {
    "mode": _facts(lambda facts: facts.update(mode="dynamic")),
    "format": _facts(lambda facts: facts.update(format="QOperator")),
    "float-weights": _facts(lambda facts: facts.update(float_weights=0)),
    "operator-set": _facts(lambda facts: facts["opsets"][0].update(version=13)),
    "a-tensors-bits": _facts(lambda facts: facts["tensors"][0].update(bits=4)),
    "a-tensors-symmetry": _facts(lambda facts: facts["tensors"][0].update(symmetric=False)),
    "a-tensor-dropped": _facts(lambda facts: facts["tensors"].pop()),
}


@pytest.mark.parametrize("attack", FACTS)
def test_facts_that_are_not_the_graphs_are_refused(
    victim: Victim, body: acts.Push, key: SigningKey, attack: str
) -> None:
    """Signed by the genuine publisher, so only the graph itself can contradict them."""
    admit_push(victim, attested(body, key, FACTS[attack]))
    refused(victim, 11, "bad-attestation", NEW)
