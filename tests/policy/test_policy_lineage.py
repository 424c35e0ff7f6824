"""Policies that ask what lineage proofs and evaluations say, and who says it."""

from __future__ import annotations

import pytest

from policy.asking import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    EVALUATION,
    LINEAGE,
    ask,
    decide,
    example,
    forbid,
    promote,
    version,
)
from registry.errors import InvalidPolicy
from registry.onnx.lineage.verdict import VERDICTS
from registry.policy.engine import Policies
from registry.policy.words import Attestation, Version, Who

DOOR = ("prod-needs-lineage",)
LINEAGE_TAG = f'resource.hasTag("{LINEAGE}") && resource.getTag("{LINEAGE}")'
SERVING = ("good-answers-before-serving",)


def _proven(*said: tuple[Who, str]) -> Version:
    return version(attestations=[Attestation(LINEAGE, who, verdict) for who, verdict in said])


def _measured(*said: tuple[Who, int | None], **fields: object) -> Version:
    found = [Attestation(EVALUATION, who, agreement=agreement) for who, agreement in said]
    return version(attestations=found, **fields)


def _lineage(on: Version) -> tuple[str, ...]:
    return example("prod-needs-lineage").decide(promote(on)).decided_by


def _answers(on: Version) -> tuple[str, ...]:
    return example("good-answers").decide(ask(on=on, purpose="serving")).decided_by


@pytest.mark.parametrize("verdict", ["replayed", "derived"])
def test_a_version_that_security_has_proven_becomes_prod(verdict: str) -> None:
    assert _lineage(_proven((CAROL, verdict))) == ()


@pytest.mark.parametrize(
    "on",
    [
        pytest.param(version(attestations=[]), id="no-proof"),
        pytest.param(_proven((ALICE, "replayed")), id="the-publishers-own-word"),
        pytest.param(_proven((CAROL, "non-nearest")), id="rounded-off-nearest"),
        pytest.param(_proven((CAROL, "unexplained")), id="unexplained"),
        pytest.param(
            _proven((CAROL, "unexplained"), (CAROL, "replayed")), id="unexplained-and-then-replayed"
        ),
        pytest.param(version(attestations=[Attestation(LINEAGE, CAROL)]), id="a-proof-that-says-nothing"),
    ],
)
def test_any_other_version_does_not(on: Version) -> None:
    assert _lineage(on) == DOOR


def test_what_others_say_does_not_spoil_the_teams_verdict() -> None:
    assert _lineage(_proven((CAROL, "derived"), (DAVE, "unexplained"))) == ()


@pytest.mark.parametrize(("agreement", "decided"), [(990_000, ()), (1_000_000, ()), (989_999, SERVING)])
def test_serving_asks_for_the_agreement_that_qa_measured(agreement: int, decided: tuple[str, ...]) -> None:
    assert _answers(_measured((BOB, agreement))) == decided


@pytest.mark.parametrize(
    "on",
    [
        pytest.param(_measured((ALICE, 1_000_000)), id="the-publishers-own-number"),
        pytest.param(_measured((BOB, 1_000_000), (CAROL, 500_000)), id="the-lowest-of-two"),
        pytest.param(_measured((BOB, None)), id="no-classes"),
        pytest.param(_measured((BOB, 1_000_000), allowed=("dead-node",)), id="a-finding-waved-through"),
    ],
)
def test_serving_is_refused_without_it(on: Version) -> None:
    assert _answers(on) == SERVING


@pytest.mark.parametrize("verdict", VERDICTS)
def test_every_verdict_can_be_asked_for(verdict: str) -> None:
    """The schema enumerates the same words as the proofs use."""
    text = forbid(f'{LINEAGE_TAG}.verdicts.contains(Verdict::"{verdict}")')
    assert decide(text, ask(on=_proven((ALICE, verdict)))).decided_by == ("door",)
    other = next(one for one in VERDICTS if one != verdict)
    assert decide(text, ask(on=_proven((ALICE, other)))).allowed


def test_a_misspelt_verdict_is_refused() -> None:
    with pytest.raises(InvalidPolicy):
        Policies.parse(forbid(f'{LINEAGE_TAG}.verdicts.contains(Verdict::"replaid")'))


def test_an_agreement_must_be_looked_for_before_it_is_compared() -> None:
    tag = f'resource.hasTag("{EVALUATION}") && resource.getTag("{EVALUATION}")'
    with pytest.raises(InvalidPolicy):
        Policies.parse(forbid(f"{tag}.agreement < 990000"))
