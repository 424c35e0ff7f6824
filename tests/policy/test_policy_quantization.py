"""Examples that look at weights and attestations: mixed models, several files, other people's signatures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policy.asking import (
    ALICE,
    BIAS,
    BOB,
    CAROL,
    DAVE,
    EVALUATION,
    FLOAT,
    INPUT,
    LINEAGE,
    WEIGHT,
    ask,
    decide,
    example,
    facts,
    forbid,
    promote,
    version,
)
from registry.onnx.quantization import (
    FORMATS,
    GRANULARITIES,
    MODES,
    QuantizationFacts,
)
from registry.policy.facts import quantization
from registry.policy.schema import SCHEMA
from registry.policy.words import Attestation, Who

INT8 = "prod-needs-symmetric-per-channel-int8"
UNSYMMETRIC = replace(WEIGHT, symmetric=False)
WHOLE = replace(WEIGHT, granularity="per-tensor", axis=None)
UINT8 = replace(WEIGHT, type="UINT8")
INT4 = replace(WEIGHT, type="INT4", bits=4)


def _decided(name: str, *files: QuantizationFacts) -> tuple[str, ...]:
    return example(name).decide(promote(version(quantization=files))).decided_by


@pytest.mark.parametrize(
    "files",
    [
        pytest.param([facts(WEIGHT, UNSYMMETRIC, INPUT)], id="one-unsymmetric-weight"),
        pytest.param([facts(WEIGHT, WHOLE, INPUT)], id="mixed-granularities"),
        pytest.param([facts(WHOLE, INPUT)], id="per-tensor"),
        pytest.param([facts(WEIGHT, UINT8)], id="one-uint8"),
        pytest.param([facts(INT4)], id="int4"),
        pytest.param([FLOAT], id="float"),
        pytest.param([], id="no-model-at-all"),
        pytest.param([facts(), FLOAT], id="one-file-of-two-is-float"),
        pytest.param([facts(), facts(UNSYMMETRIC)], id="one-file-of-two-is-unsymmetric"),
        pytest.param([facts(), facts(WHOLE)], id="one-file-of-two-is-per-tensor"),
        pytest.param([facts(replace(WEIGHT, stored=False), INPUT)], id="only-rounded-at-run-time"),
    ],
)
def test_prod_refuses_what_is_not_symmetric_per_channel_int8(files: list[QuantizationFacts]) -> None:
    assert _decided("prod-needs-int8", *files) == (INT8,)
    assert example("prod-needs-int8").decide(promote(version(quantization=files), alias="staging")).allowed


@pytest.mark.parametrize(
    "files",
    [
        pytest.param([facts()], id="biases-and-activations-may-differ"),
        pytest.param([facts(), facts(WEIGHT, WEIGHT)], id="two-files"),
        pytest.param([facts(WEIGHT, BIAS, mode="dynamic", format="QOperator")], id="dynamic"),
    ],
)
def test_prod_takes_symmetric_per_channel_int8(files: list[QuantizationFacts]) -> None:
    assert _decided("prod-needs-int8", *files) == ()


def test_prod_needs_lineage() -> None:
    policies = example("prod-needs-int8")
    assert policies.decide(promote(version(attestations=[]))).decided_by == ("prod-needs-lineage",)
    other = version(attestations=[Attestation(LINEAGE + "x", BOB), Attestation(EVALUATION, BOB)])
    assert policies.decide(promote(other)).decided_by == ("prod-needs-lineage",)
    both = policies.decide(promote(version(attestations=[], quantization=[FLOAT])))
    assert both.decided_by == (INT8, "prod-needs-lineage")


@pytest.mark.parametrize(
    ("file", "allowed"),
    [
        (facts(), True),
        (facts(INT4), True),
        (facts(float_elements=40, quantized_elements=4000), True),
        (facts(float_elements=41, quantized_elements=4000), False),
        (facts(replace(WEIGHT, type="INT16", bits=16)), False),
        (FLOAT, False),
        (replace(FLOAT, float_weights=0, float_elements=0), False),
    ],
)
def test_device_models_are_quantized(file: QuantizationFacts, allowed: bool) -> None:
    small = version("device/keyword-spotter", quantization=[file])
    expected = () if allowed else ("device-models-are-quantized",)
    policies = example("no-float-on-device")
    for request in (ask("push", small), promote(small, alias="beta")):
        assert policies.decide(request).decided_by == expected
    assert policies.decide(promote(small, alias=None)).allowed
    assert policies.decide(ask("push", replace(small, model="vision/x"))).allowed


@pytest.mark.parametrize(
    ("signers", "allowed"),
    [
        ((), False),
        ((BOB,), True),
        ((DAVE,), False),
        ((DAVE, CAROL), True),
        ((ALICE,), False),
        ((replace(ALICE, teams=frozenset({"qa"})),), False),
    ],
)
def test_prod_needs_an_evaluation_by_qa(signers: tuple[Who, ...], allowed: bool) -> None:
    publisher = next((who for who in signers if who.name == "alice"), ALICE)
    tried = version(publisher=publisher, attestations=[Attestation(EVALUATION, who) for who in signers])
    assert example("qa-before-prod").decide(promote(tried, principal=DAVE)).allowed == allowed
    assert example("qa-before-prod").decide(promote(tried, principal=DAVE, alias="beta")).allowed


def test_a_type_cannot_pass_for_a_teams_signature() -> None:
    forged = version(attestations=[Attestation(f"{EVALUATION} by qa", DAVE)])
    assert not example("qa-before-prod").decide(promote(forged)).allowed


def test_signers_and_teams_are_counted_by_type() -> None:
    both = version(
        attestations=[Attestation(LINEAGE, ALICE), Attestation(LINEAGE, CAROL), Attestation("x", BOB)]
    )
    tag = f'resource.hasTag("{LINEAGE}") && resource.getTag("{LINEAGE}")'
    counted = f"{tag}.count == 2 && {tag}.others == 1"
    assert not decide(forbid(counted), ask(on=both)).allowed
    teams = ", ".join(f'Team::"{name}"' for name in ("build", "qa", "release", "security"))
    signed = f'{tag}.teams == [{teams}] && {tag}.signers == [Member::"alice", Member::"carol"]'
    assert not decide(forbid(signed), ask(on=both)).allowed
    qa = f'resource.hasTag("{LINEAGE} by qa") && resource.getTag("{LINEAGE} by qa")'
    one = f'{qa}.signers == [Member::"carol"] && {qa}.teams == [Team::"qa"] && {qa}.others == 1'
    assert not decide(forbid(one), ask(on=both)).allowed


def test_the_facts_are_summed_over_the_files() -> None:
    found = quantization([facts(WEIGHT, INT4, INPUT), FLOAT])
    assert (found["files"], found["minBits"], found["maxBits"]) == (2, 4, 8)
    assert (found["types"], found["activations"]) == (["INT4", "INT8"], ["UINT8"])
    assert (found["quantizedWeights"], found["quantizedElements"]) == (2, 8192)
    assert (found["floatWeights"], found["floatElements"]) == (2, 20)
    assert [one["__entity"]["id"] for one in found["modes"]] == ["float", "static"]


def test_a_float_model_has_no_bits_and_is_not_symmetric() -> None:
    found = quantization([FLOAT])
    assert not found["symmetric"]
    assert found.keys().isdisjoint({"minBits", "maxBits"})


@pytest.mark.parametrize(
    ("name", "words"), [("Mode", MODES), ("Format", FORMATS), ("Granularity", GRANULARITIES)]
)
def test_the_schema_lists_the_words_of_the_facts(name: str, words: tuple[str, ...]) -> None:
    listed = ", ".join(f'"{word}"' for word in words)
    assert f"entity {name} enum [{listed}];" in SCHEMA
