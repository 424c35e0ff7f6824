"""Quantization facts as they are signed: the same from every packaging, exact in JSON, strict when read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx
import pytest
import rfc8785

from registry.errors import Malformed
from registry.onnx.facts import QuantizationFacts, inspect
from registry.onnx.quantization import QuantizedTensor
from support import graphs


def _facts(path: Path) -> QuantizationFacts:
    return inspect({"m.onnx": path.read_bytes()}, "m.onnx")


CHILDREN = {
    "static": lambda path: graphs.static(graphs.cnn(), path, qdq=True, per_channel=True),
    "weight-only": lambda path: graphs.nbits(graphs.transformer(), path, block_size=16, is_symmetric=False),
}


@pytest.mark.parametrize("kind", CHILDREN)
def test_external_data_changes_no_fact(kind: str, tmp_path: Path) -> None:
    """Scales and zero points are then read from other files."""
    path = CHILDREN[kind](tmp_path / "m.onnx")
    whole = _facts(path)
    graphs.save(onnx.load(path), path, external="w.bin")
    assert inspect(graphs.files_of(tmp_path), "m.onnx") == whole


@pytest.mark.parametrize("kind", CHILDREN)
def test_facts_survive_signing(kind: str, tmp_path: Path) -> None:
    facts = _facts(CHILDREN[kind](tmp_path / "m.onnx"))
    signed = rfc8785.dumps(facts.to_dict())  # type: ignore[arg-type]
    assert QuantizationFacts.from_dict(json.loads(signed)) == facts
    assert b"." not in b"".join(part for part in signed.split(b'"')[::2])  # no number with a fraction


def _changed(path: str, value: object) -> dict[str, Any]:
    made: dict[str, Any] = inspect({"m": graphs.mlp().SerializeToString()}, "m").to_dict()
    made["tensors"] = [
        QuantizedTensor(
            "w", "", "weight", "op", "INT8", 8, True, "per-tensor", None, None, (2,), True
        ).to_dict()
    ]
    *parents, last = path.split(".")
    target: Any = made
    for parent in parents:
        target = target[int(parent)] if parent.isdigit() else target[parent]
    target[last] = value
    return made


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("mode", "fast"),
        ("format", None),
        ("float_weights", -1),
        ("float_elements", 1.5),
        ("unknown", 1),
        ("opsets", [{"domain": "ai.onnx"}]),
        ("opsets", {"ai.onnx": 17}),
        ("tensors", [None]),
        ("tensors.0.role", "spare"),
        ("tensors.0.bits", True),
        ("tensors.0.axis", "0"),
        ("tensors.0.shape", [2, -1]),
        ("tensors.0.symmetric", 1),
    ],
)
def test_refuses_facts_whose(path: str, value: object) -> None:
    QuantizationFacts.from_dict(_changed("mode", "static"))
    with pytest.raises(Malformed):
        QuantizationFacts.from_dict(_changed(path, value))
