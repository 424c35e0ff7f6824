"""Honest files pass: what people make with ONNX Runtime's own tools gets no finding at medium or above."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from registry.onnx.child import examine
from registry.onnx.child.hollow import hollow
from registry.onnx.findings import at_least
from registry.onnx.wire import Buffer
from support import graphs
from support.realmodels import REAL_MODELS, RealModel, quantized

Maker = Callable[[onnx.ModelProto, Path], Path]

MAKERS: dict[str, Maker] = {
    "qdq": lambda model, path: graphs.static(model, path, qdq=True),
    "qdq-per-channel": lambda model, path: graphs.static(model, path, qdq=True, per_channel=True),
    "qoperator": lambda model, path: graphs.static(model, path, qdq=False),
    "dynamic": graphs.dynamic,
    "dynamic-inside": lambda model, path: graphs.dynamic(model, path, extra_options={"EnableSubgraph": True}),
    "nbits-4": graphs.nbits,
    "nbits-8": lambda model, path: graphs.nbits(model, path, bits=8),
    "nbits-qdq": lambda model, path: graphs.nbits(model, path, qdq=True),
    "nf4": graphs.bnb4,
    "fp4": lambda model, path: graphs.bnb4(model, path, nf4=False),
}


def grave(files: dict[str, Buffer], path: str) -> list[str]:
    """The findings that would stop a push."""
    return [str(one) for one in examine(files, path) if at_least(one)]


@pytest.mark.parametrize("name", graphs.FLOATS)
def test_float_models_are_fine(name: str) -> None:
    assert examine({"m.onnx": graphs.FLOATS[name]().SerializeToString()}, "m.onnx") == ()


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("name", graphs.FLOATS)
def test_quantized_models_are_fine(name: str, maker: str, tmp_path: Path) -> None:
    made = MAKERS[maker](graphs.FLOATS[name](), tmp_path / "made.onnx")
    assert grave({"m.onnx": made.read_bytes()}, "m.onnx") == []


@pytest.mark.parametrize("level", ["BASIC", "EXTENDED", "ALL"])
@pytest.mark.parametrize("name", ["cnn", "transformer"])
def test_what_the_runtime_itself_optimised_is_fine(name: str, level: str, tmp_path: Path) -> None:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # it warns that the file suits this machine only
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, f"ORT_ENABLE_{level}")
    onnxruntime.InferenceSession(graphs.FLOATS[name]().SerializeToString(), options)
    assert grave(graphs.files_of(tmp_path), "optimised.onnx") == []


@pytest.mark.parametrize("each", [False, True])
def test_external_data_is_fine(each: bool, tmp_path: Path) -> None:
    graphs.save(graphs.transformer(), tmp_path / "m.onnx", external=None if each else "m.bin", each=each)
    files = graphs.files_of(tmp_path)
    assert len(files) > 1
    assert examine(files, "m.onnx") == ()


def test_external_data_in_a_directory_below_is_fine(tmp_path: Path) -> None:
    graphs.save(graphs.mlp(), tmp_path / "m.onnx", external="m.bin")
    files = {f"deep/er/{name}": data for name, data in graphs.files_of(tmp_path).items()}
    assert examine(files, "deep/er/m.onnx") == ()


def test_a_file_name_with_odd_characters_is_fine() -> None:
    name = "mo del \N{SNOWMAN} \udce9.onnx"  # what os.fsdecode makes of a Latin-1 name
    assert examine({name: graphs.mlp().SerializeToString()}, name) == ()


@pytest.mark.parametrize("model", REAL_MODELS, ids=lambda model: model.name)
def test_real_models_are_fine(model: RealModel) -> None:
    assert examine({"m.onnx": model.fetch().read_bytes()}, "m.onnx") == ()


CHILDREN = [(model, kind) for model in REAL_MODELS for kind in model.kinds]


@pytest.mark.parametrize(("model", "kind"), CHILDREN, ids=lambda one: getattr(one, "name", one))
def test_real_quantized_models_are_fine(model: RealModel, kind: str) -> None:
    assert grave({"m.onnx": quantized(model, kind).read_bytes()}, "m.onnx") == []


def test_the_checker_sees_the_whole_graph_and_no_weight() -> None:
    model = graphs.transformer(vocabulary=4096)
    whole = model.SerializeToString()
    seen = onnx.ModelProto.FromString(hollow(whole))
    assert len(seen.SerializeToString()) < len(whole) // 50
    assert seen.graph.node == model.graph.node
    assert [(one.name, one.dims, one.data_type) for one in seen.graph.initializer] == [
        (one.name, one.dims, one.data_type) for one in model.graph.initializer
    ]
    assert not any(b"float_data" in one.SerializeToString() for one in seen.graph.initializer)


def test_the_checker_still_infers_every_shape() -> None:
    """A weight that does not fit is found, though its content is not there."""
    model = graphs.mlp()
    model.graph.initializer[0].dims[:] = [model.graph.initializer[0].dims[1], 16][:2]
    codes = {one.code for one in examine({"m.onnx": model.SerializeToString()}, "m.onnx")}
    assert codes == {"checker-refused", "runtime-refused"}


def test_large_weights_inside_branches_and_constants_are_fine() -> None:
    tensor = helper.make_tensor("held", TensorProto.FLOAT, [64, 64], bytes(4 * 64 * 64), raw=True)
    nodes = [
        helper.make_node("Constant", [], ["w"], value=tensor),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
    ]
    values: Any = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 64]) for name in "xy"]
    graph = helper.make_graph(nodes, "constant", values[:1], values[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    assert examine({"m.onnx": model.SerializeToString()}, "m.onnx") == ()
    wide = graphs.branching(width=128).SerializeToString()
    assert examine({"m.onnx": wide}, "m.onnx") == ()
