"""Requests and versions for the tests of policies: a version that passes every example, to be spoilt."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from registry.onnx.quantization import QuantizationFacts, QuantizedTensor
from registry.policy.engine import Policies, Verdict
from registry.policy.words import Attestation, Client, Request, Version, Who

EXAMPLES = Path(__file__).parents[2] / "docs" / "policies"
LINEAGE = "https://hallmark-registry/lineage/v1"
APPROVAL = "https://hallmark-registry/approval/v1"
EVALUATION = "https://hallmark-registry/evaluation/v1"

ALICE = Who("alice", "member", frozenset({"release", "build"}))  # the publisher
BOB = Who("bob", "member", frozenset({"qa"}))
CAROL = Who("carol", "member", frozenset({"qa", "security"}))
DAVE = Who("dave", "member")
ADMIN = Who("root", "admin")

WEDNESDAY = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)
CLIENT = Client("hallmark/0.1.0", "gpu-7.serving.example.com")

WEIGHT = QuantizedTensor(
    name="w_quantized",
    scope="",
    role="weight",
    operator="DequantizeLinear",
    type="INT8",
    bits=8,
    symmetric=True,
    granularity="per-channel",
    axis=0,
    block_size=None,
    shape=(64, 64),
    stored=True,
)
BIAS = replace(WEIGHT, name="b_quantized", role="bias", type="INT32", bits=32, granularity="per-tensor")
INPUT = replace(
    WEIGHT,
    name="x_quantized",
    role="activation",
    type="UINT8",
    symmetric=False,
    granularity="per-tensor",
    axis=None,
    shape=None,
    stored=False,
)


def facts(*tensors: QuantizedTensor, **fields: Any) -> QuantizationFacts:
    """Facts of one file with these tensors; without any, of a file that is quantized as it should be."""
    tensors = tensors or (WEIGHT, BIAS, INPUT)
    weights = sum(one.role == "weight" and one.stored for one in tensors)
    base = QuantizationFacts(
        mode="static",
        format="QDQ",
        opsets=(("ai.onnx", 21),),
        operators=(("DequantizeLinear", len(tensors)),),
        quantized_weights=weights,
        quantized_elements=4096 * weights,
        float_weights=1,
        float_elements=10,
        tensors=tensors,
    )
    return replace(base, **fields)


FLOAT = replace(
    facts(), mode="float", format="none", operators=(), quantized_weights=0, quantized_elements=0, tensors=()
)


def version(model: str = "vision/resnet50", **fields: Any) -> Version:
    base = Version(
        model=model,
        number=3,
        digest="5a" * 32,
        label=None,
        publisher=ALICE,
        size=26_000_000,
        metadata={"license": "MIT"},
        quantization=[facts()],
        attestations=[Attestation(LINEAGE, ALICE)],
    )
    return replace(base, **fields)


def ask(action: str = "pull", on: Version | str | None = None, **fields: Any) -> Request:
    """A request of bob's on a Wednesday at noon."""
    return replace(Request(BOB, action, version() if on is None else on, WEDNESDAY, CLIENT), **fields)


def promote(on: Version | None = None, alias: str | None = "prod", **fields: Any) -> Request:
    return ask("promote", on, alias=alias, **fields)


def example(name: str) -> Policies:
    return Policies.parse((EXAMPLES / f"{name}.cedar").read_text(encoding="utf-8"))


def decide(text: str, request: Request) -> Verdict:
    return Policies.parse(text).decide(request)


def forbid(condition: str, action: str = "pull", id: str = "door") -> str:
    """A policy that forbids the action where the condition holds."""
    return f'@id("{id}") forbid (principal, action == Action::"{action}", resource) when {{ {condition} }};'
