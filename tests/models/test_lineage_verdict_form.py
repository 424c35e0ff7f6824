"""A lineage as it is signed: read again as it was written, small, and never better than its own list."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from registry import strictjson
from registry.errors import Malformed
from registry.onnx.lineage.verdict import (
    SIGNED_TENSORS,
    Lineage,
    NodeVerdict,
    TensorVerdict,
)


def tensor(verdict: str, name: str = "w", off: int = 0) -> TensorVerdict:
    return TensorVerdict(name, "", verdict, "because", 100, off, 700 if off else 0, 0)


def lineage(verdict: str = "derived", *tensors: TensorVerdict, nodes: int = 0) -> Lineage:
    listed = tensors or (tensor("recomputed"), tensor("identical"))
    counts: dict[str, int] = {}
    for one in listed:
        counts[one.verdict] = counts.get(one.verdict, 0) + 1
    found = tuple(NodeVerdict(f"n{at}", "Mul", "not the parent's") for at in range(nodes))
    options = {"mode": "dynamic"} if verdict == "replayed" else None
    return Lineage(verdict, ("why",), "INT8", options, "raw", tuple(counts.items()), listed, nodes, found)


@pytest.mark.parametrize(
    "found",
    [
        lineage(),
        lineage("replayed"),
        lineage("non-nearest", tensor("non-nearest", off=3)),
        lineage("unexplained", tensor("unexplained"), nodes=2),
    ],
)
def test_what_was_written_is_read_again(found: Lineage) -> None:
    data = strictjson.canonical(found.to_dict())
    assert Lineage.from_dict(strictjson.parse(data, limit=1 << 19)) == found


def test_thousands_of_tensors_with_long_names_stay_below_the_limit_and_the_worst_are_listed() -> None:
    many = [tensor("recomputed", "é" * 160) for _ in range(5000)]
    many[4321] = tensor("non-nearest", "the worst", off=9)
    found = lineage("non-nearest", *many, nodes=0)
    signed = found.to_dict()
    assert len(strictjson.canonical(signed)) < 1 << 19
    again = Lineage.from_dict(signed)
    assert len(again.tensors) == SIGNED_TENSORS
    assert again.tensors[0].name == "the worst"
    assert dict(again.counts) == {"recomputed": 4999, "non-nearest": 1}
    assert len(found.to_dict(every=True)["tensors"]) == 5000  # type: ignore[arg-type]


def changed(**fields: Any) -> dict[str, object]:
    return lineage().to_dict() | fields


@pytest.mark.parametrize(
    "value",
    [
        changed(verdict="proven"),
        changed(extra=1),
        changed(tensors=[{"name": "w"}]),
        changed(counts=[{"verdict": "recomputed", "count": 1.5}]),
        changed(counts=[{"verdict": "recomputed", "count": 1}]),  # fewer than are listed
        lineage("unexplained", nodes=2).to_dict() | {"node_count": 1},  # fewer than are listed
        changed(node_count=1),  # an unexplained node, and still derived
        changed(verdict="replayed"),  # without the recipe that was replayed
        lineage("derived", tensor("non-nearest", off=1)).to_dict(),
        lineage("replayed", tensor("non-nearest", off=1)).to_dict(),
        lineage("replayed", nodes=1).to_dict(),
        lineage("derived", tensor("unexplained")).to_dict(),
        lineage("non-nearest", tensor("unexplained")).to_dict(),
        [],
    ],
)
def test_attack_forms_that_no_lineage_has(value: object) -> None:
    with pytest.raises(Malformed):
        Lineage.from_dict(value)


def test_a_worse_word_than_the_list_is_allowed() -> None:
    found = replace(lineage(), verdict="unexplained")
    assert Lineage.from_dict(found.to_dict()) == found
