"""A scan stays about linear in the file: what is shared, nested or repeated is looked at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from copy import deepcopy

import numpy as np
import pytest
from onnx import TensorProto, helper

from hostile.corpus import MODEL, Files
from hostile.crafted import field, files, mlp, model_of, node, tensor, value, with_graph_bytes
from registry.onnx.scan import scan

LIMIT = 8.0  # seconds of processor time on a slow machine; each takes well under one
FLAG = value("f", TensorProto.BOOL, [])


def _nested() -> Files:
    """Branches inside branches, ten deep: 2**11 of them, each of which takes x from the outermost graph."""
    graph = helper.make_graph([node("Neg", "x", "t")], "b", [], [value("t")])
    for _ in range(10):
        run = helper.make_node("If", ["f"], ["t"], then_branch=graph, else_branch=graph)
        graph = helper.make_graph([run], "b", [], [value("t")])
    run = helper.make_node("If", ["f"], ["y"], then_branch=graph, else_branch=graph)
    return files(model_of([run], inputs=[value("x"), FLAG]))


def _long_names() -> Files:
    """Thousands of branches below a node whose name has four thousand letters."""
    graph = helper.make_graph([node("Neg", "x", "t")], "b", [], [value("t")])
    runs = [
        helper.make_node("If", ["f"], [f"o{at}"], name="n" * 4000, then_branch=graph, else_branch=graph)
        for at in range(1000)
    ]
    total = node("Sum", " ".join(f"o{at}" for at in range(1000)), "z")
    outer = helper.make_graph([*runs, total], "i", [], [value("z")])
    run = helper.make_node("If", ["f"], ["y"], name="m" * 4000, then_branch=outer, else_branch=outer)
    return files(model_of([run], inputs=[value("x"), FLAG]))


def _calls() -> Files:
    """Ten thousand calls of a function with a large scale inside."""
    held = [
        helper.make_node("Constant", [], ["s"], value=tensor("", np.full(50_000, 0.5))),
        helper.make_node("Constant", [], ["z"], value=tensor("", np.zeros(50_000), "i1")),
    ]
    pair = [
        node("QuantizeLinear", "x s z", "q", axis=0),
        node("DequantizeLinear", "q s z", "o", axis=0),
    ]
    function = helper.make_function("own", "Q", ["x"], ["o"], [*held, *pair], [helper.make_opsetid("", 21)])
    names = ["x", *(f"a{at}" for at in range(10_000)), "y"]
    calls = [
        helper.make_node("Q", [names[at]], [names[at + 1]], domain="own") for at in range(len(names) - 1)
    ]
    return files(model_of(calls, inputs=[value("x")], functions=[function]))


def _same_bytes(step: int) -> Files:
    """Ten thousand tensors over one file, each at an offset of its own, or in another spelling."""
    made = mlp()
    for at in range(10_000):
        held = made.graph.initializer.add(name=f"e{at}", data_type=1, dims=[1_000_000], data_location=1)
        held.external_data.add(key="location", value="./" * (at % 9) + "w.bin")
        held.external_data.add(key="offset", value=str(step * at))
    return files(made, **{"w.bin": bytes(4_000_000 + 10_000 * step)})


def _shared_blocks() -> Files:
    """A thousand nodes over one packed matrix of 8 MB."""
    run = helper.make_node(
        "MatMulNBits", ["x", "b", "s"], ["o"], domain="com.microsoft", K=4096, N=4096, bits=4, block_size=32
    )
    runs = [deepcopy(run) for _ in range(1000)]
    for at, one in enumerate(runs):
        one.output[0] = f"o{at}"
    total = node("Sum", " ".join(f"o{at}" for at in range(1000)), "y")
    held = [tensor("b", np.zeros((4096, 128, 16)), "u1"), tensor("s", np.zeros(4096 * 128))]
    return files(model_of([*runs, total], held, inputs=[value("x")]))


def _scattered() -> Files:
    """A list of a hundred thousand numbers, each a field of its own."""
    scattered = field(8, b"w") + b"".join(field(7, 300) for _ in range(100_000))
    return files(with_graph_bytes(mlp(), field(5, scattered + field(2, 7) + field(1, 100_000))))


def _reversed() -> Files:
    names = ["x", *(f"a{at}" for at in range(10_000)), "y"]
    nodes = [node("Relu", names[at], names[at + 1]) for at in range(len(names) - 1)]
    return files(model_of(nodes[::-1], inputs=[value("x")]))


def _adding() -> Files:
    """Ten thousand sums of four thousand numbers each: the budget for computing ends first."""
    typed = TensorProto(name="w", data_type=7, dims=[4096], int64_data=[1 << 40] * 4096)
    sums = [node("Add", "w w", f"d{at}") for at in range(10_000)]
    total = node("Sum", " ".join(f"d{at}" for at in range(10_000)), "y")
    return files(model_of([*sums, total], [typed], inputs=[value("x")]))


LARGE: Mapping[str, Callable[[], Files]] = {
    "nested-branches": _nested,
    "long-names": _long_names,
    "calls-of-one-function": _calls,
    "tensors-over-the-same-bytes": lambda: _same_bytes(0),
    "tensors-that-overlap": lambda: _same_bytes(4),
    "nodes-that-share-a-matrix": _shared_blocks,
    "scattered-numbers": _scattered,
    "nodes-in-reverse": _reversed,
    "sums-of-constants": _adding,
}


@pytest.mark.parametrize("name", LARGE)
def test_it_takes_no_longer_than_its_size_explains(name: str) -> None:
    made = LARGE[name]()
    began = time.process_time()
    scan(made, MODEL)
    assert time.process_time() - began < LIMIT
