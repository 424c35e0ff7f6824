"""What stayed float, what it costs, and why it matters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from registry.onnx.loaded import load
from registry.onnx.profile.profiling import profile
from registry.onnx.profile.values import FloatWeight, Profile
from support import graphs

MS = "com.microsoft"
SQUARE = np.ones((4, 4), "f")


def _profile(nodes: list[onnx.NodeProto], **constants: Any) -> Profile:
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    taken = [helper.make_tensor_value_info("x", TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "g", taken, [], tensors)
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid(MS, 1)]
    return profile(load({"m": helper.make_model(graph, opset_imports=opsets).SerializeToString()}, "m"))


def _floats(nodes: list[onnx.NodeProto], **constants: Any) -> dict[str, FloatWeight]:
    return {one.name: one for one in _profile(nodes, **constants).floats}


def _node(op: str, *inputs: str, domain: str = "", name: str = "n", **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, inputs, [f"{name}.out"], name, domain=domain, **attributes)


@pytest.mark.parametrize(
    ("node", "kind"),
    [
        (_node("MatMul", "x", "w"), "quantizable"),
        (_node("MatMul", "w", "x"), "quantizable"),
        (_node("Gemm", "x", "w"), "quantizable"),
        (_node("Gemm", "x", "x", "w"), "bias"),
        (_node("Conv", "x", "w"), "quantizable"),
        (_node("Conv", "x", "x", "w"), "bias"),
        (_node("ConvTranspose", "x", "w"), "quantizable"),
        (_node("Gather", "w", "x"), "quantizable"),
        (_node("LSTM", "x", "w", "x"), "quantizable"),
        (_node("LSTM", "x", "x", "w"), "quantizable"),
        (_node("LSTM", "x", "x", "x", "w"), "bias"),
        (_node("GRU", "x", "w", "x"), "no-kernel"),
        (_node("RNN", "x", "x", "w"), "no-kernel"),
        (_node("Einsum", "x", "w", equation="ij,jk->ik"), "no-kernel"),
        (_node("Attention", "x", "w", "x", domain=MS, num_heads=1), "quantizable"),
        (_node("Attention", "x", "x", "w", domain=MS, num_heads=1), "bias"),
        (_node("EmbedLayerNormalization", "x", "x", "w", domain=MS), "quantizable"),
        (_node("EmbedLayerNormalization", "x", "x", "x", "x", "x", "w", domain=MS), "parameter"),
        (_node("LayerNormalization", "x", "w"), "parameter"),
        (_node("Add", "x", "w"), "parameter"),
        (_node("Mul", "x", "w"), "parameter"),
    ],
    ids=lambda one: f"{one.op_type}-{list(one.input).index('w')}" if isinstance(one, onnx.NodeProto) else one,
)
def test_kinds(node: onnx.NodeProto, kind: str) -> None:
    (found,) = _floats([node], w=SQUARE).values()
    assert (found.kind, found.layer, found.elements, found.bytes) == (kind, "n", 16, 64)
    assert found.operator == f"{node.domain or 'ai.onnx'}.{node.op_type}"
    assert found.why


def test_a_bias_behind_a_product_is_a_bias() -> None:
    nodes = [_node("MatMul", "x", "w", name="product"), _node("Add", "product.out", "b", name="add")]
    found = _floats(nodes, w=SQUARE, b=np.ones(4, "f"))
    assert (found["b"].kind, found["b"].layer) == ("bias", "add")


@pytest.mark.parametrize("op", ["Identity", "Transpose", "Cast"])
def test_a_weight_is_found_behind_what_only_moves_it(op: str) -> None:
    attributes = {"to": TensorProto.FLOAT} if op == "Cast" else {}
    nodes = [_node(op, "w", name="move", **attributes), _node("MatMul", "x", "move.out", name="product")]
    found = _floats(nodes, w=SQUARE)["w"]
    assert (found.kind, found.layer) == ("quantizable", "product")


def test_weights_that_are_put_together_from_constants_are_found() -> None:
    """As exporters of LSTMs do: the runtime folds it when it loads the model."""
    nodes = [
        _node("Concat", "a", "b", name="both", axis=0),
        _node("Unsqueeze", "both.out", "axes", name="lifted"),
        _node("LSTM", "x", "lifted.out", "lifted.out", name="memory"),
    ]
    found = _floats(nodes, a=SQUARE, b=SQUARE, axes=np.array([0]))
    assert {(one.kind, one.layer) for one in found.values()} == {("quantizable", "memory")}


def test_what_is_folded_is_no_use() -> None:
    nodes = [_node("Identity", "w", name="same"), _node("LayerNormalization", "x", "same.out", name="norm")]
    found = _floats(nodes, w=SQUARE)["w"]
    assert (found.kind, found.layer) == ("parameter", "norm")


def test_the_use_that_matters_most_counts() -> None:
    nodes = [_node("Mul", "x", "w", name="scale"), _node("MatMul", "x", "w", name="product")]
    assert _floats(nodes, w=SQUARE)["w"].layer == "product"


def test_a_constant_that_nothing_takes_is_dead_weight() -> None:
    (found,) = _floats([_node("Relu", "x")], w=SQUARE).values()
    assert (found.operator, found.layer, found.kind) == ("", "", "parameter")
    assert "dead weight" in found.why


def test_a_constant_between_q_and_dq_is_stored_float() -> None:
    nodes = [
        helper.make_node("QuantizeLinear", ["w", "s", "z"], ["q"], "q"),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"], "dq"),
        _node("MatMul", "x", "d", name="product"),
    ]
    found = _profile(nodes, w=SQUARE, s=np.float32(0.5), z=np.int8(0))
    (weight,) = found.floats
    assert (weight.kind, weight.bytes) == ("rounded-at-run-time", 64)
    assert "no smaller" in weight.why or "not smaller" in weight.why
    (tensor,) = found.tensors
    assert (tensor.facts.stored, tensor.levels, tensor.layers) == (False, None, ("product",))
    assert tensor.scale is not None
    assert found.size.float32 == found.size.bytes  # nothing was saved


def test_the_costliest_come_first_and_shares_are_of_the_whole_model(tmp_path: Path) -> None:
    path = graphs.save(graphs.transformer(), tmp_path / "m.onnx")
    found = profile(load({"m": path.read_bytes()}, "m"))
    quantizable = [one for one in found.floats if one.kind == "quantizable"]
    assert [one.name for one in quantizable[:3]] == ["embedding", "ff1", "ff2"]
    assert [one.bytes for one in quantizable] == sorted((one.bytes for one in quantizable), reverse=True)
    assert [one.kind for one in found.floats] == ["quantizable"] * 7 + ["parameter"] * 4
    assert quantizable[0].share == pytest.approx(64 * 32 * 4 / path.stat().st_size)


def test_excluded_layers_are_what_stayed_float(tmp_path: Path) -> None:
    path = graphs.dynamic(graphs.mlp(), tmp_path / "m.onnx", nodes_to_exclude=["fc2"])
    found = profile(load({"m": path.read_bytes()}, "m"))
    matter = [one for one in found.floats if one.kind == "quantizable"]
    assert [(one.name, one.layer, one.elements) for one in matter] == [("w2", "fc2", 32 * 8)]
    kept = {layer.name: layer.why for layer in found.layers if not layer.integer}
    assert kept == {"fc2": "neither its weight nor its input is quantized"}
