"""Weights that stay out of the child: only those that cannot matter to how the model loads."""

from __future__ import annotations

import os
import resource
import stat
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from registry.onnx.child import Limits, examine
from registry.onnx.child.lean import WHOLE, lean
from registry.onnx.child.parcel import packed, unpacked
from registry.onnx.child.spared import LARGE, spared
from registry.onnx.graph import read_model
from registry.onnx.wire import Span

SIDE = 1024  # float32[1024, 1024] is 4 MiB
WEIGHT = np.arange(SIDE * SIDE, dtype=np.float32).reshape(SIDE, SIDE)


def make(
    nodes: list[onnx.NodeProto], *, constants: dict[str, Any] | None = None, opset: int = 17, **more: Any
) -> onnx.ModelProto:
    """A model from x[n, 1024] to y, whatever it is."""
    held = [numpy_helper.from_array(array, name) for name, array in (constants or {"w": WEIGHT}).items()]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", SIDE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", SIDE])],
        held,
    )
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("local", 1)]
    return helper.make_model(graph, opset_imports=imports, ir_version=8, **more)


def node(op: str, inputs: str, output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, inputs.split(), [output], **attributes)


def holes(model: onnx.ModelProto) -> list[int]:
    """The sizes of what is left out."""
    data = model.SerializeToString()
    found = spared(read_model(data), "m.onnx", {"m.onnx": len(data)})
    for span in found.get("m.onnx", ()):
        whole = np.frombuffer(span.of(memoryview(data)), np.uint8)
        tensors = [np.frombuffer(one.raw_data, np.uint8) for one in model.graph.initializer]
        assert any(np.array_equal(whole, tensor) for tensor in tensors)
    return [span.length for span in found.get("m.onnx", ())]


def test_a_weight_that_is_only_multiplied_with_input_is_left_out() -> None:
    assert holes(make([node("MatMul", "x w", "y")])) == [WEIGHT.nbytes]


def test_it_may_be_used_twice_and_behind_other_layers() -> None:
    nodes = [node("Relu", "x", "r"), node("MatMul", "r w", "h"), node("Gemm", "h w", "y")]
    assert holes(make(nodes)) == [WEIGHT.nbytes]


def test_a_small_weight_is_handed_over() -> None:
    small = np.zeros((SIDE, LARGE // 4 // SIDE - 1), np.float32)
    assert holes(make([node("MatMul", "x w", "y")], constants={"w": small})) == []


@pytest.mark.parametrize(
    "nodes",
    [
        [node("Cast", "w", "c", to=TensorProto.INT32), node("MatMul", "x w", "m"), node("Add", "m c", "y")],
        [node("Transpose", "w", "t"), node("MatMul", "x t", "y")],
        [node("MatMul", "w w", "s"), node("MatMul", "x s", "y")],
        [node("Add", "x w", "y")],
        [node("MatMul", "x w", "m"), node("Div", "m w", "y")],
        [node("Identity", "w", "i"), node("MatMul", "x i", "y")],
    ],
    ids=["cast", "transposed", "multiplied by constants", "added", "also a divisor", "by another name"],
)
def test_a_weight_that_anything_else_computes_with_is_handed_over(nodes: list[onnx.NodeProto]) -> None:
    assert holes(make(nodes)) == []


def test_what_follows_from_a_shape_alone_is_no_data() -> None:
    """ONNX Runtime knows the shape of x at load; a product with that is folded."""
    nodes = [
        node("Shape", "x", "s"),
        node("Cast", "s", "f", to=TensorProto.FLOAT),
        node("Expand", "f wide", "e"),
        node("MatMul", "e w", "p"),
        node("Add", "x p", "y"),
    ]
    assert holes(make(nodes, constants={"w": WEIGHT, "wide": np.array([SIDE, SIDE], np.int64)})) == []


def test_a_weight_that_a_branch_knows_is_handed_over() -> None:
    out = [helper.make_tensor_value_info("b", TensorProto.FLOAT, None)]
    branch = helper.make_graph([node("Neg", "w", "b")], "branch", [], out)
    both = {"then_branch": branch, "else_branch": branch}
    nodes = [
        node("ReduceMax", "x", "top", keepdims=0),
        node("Cast", "top", "flag", to=TensorProto.BOOL),
        node("If", "flag", "chosen", **both),
        node("MatMul", "x w", "m"),
        node("Add", "m chosen", "y"),
    ]
    assert holes(make(nodes)) == []


def test_a_weight_that_is_an_output_is_handed_over() -> None:
    model = make([node("MatMul", "x w", "y")])
    model.graph.output.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [SIDE, SIDE]))
    assert holes(model) == []


def test_everything_of_a_model_with_functions_is_handed_over() -> None:
    """One may go by the name of an operator and compute with weights alone."""
    opsets = [helper.make_opsetid("", 17)]
    twisted = helper.make_function(
        "", "MatMul", ["a", "b"], ["c"], [node("Neg", "b", "n"), node("Add", "a n", "c")], opsets
    )
    nodes = [node("MatMul", "x w", "y")]
    assert holes(make(nodes)) != []
    assert holes(make(nodes, functions=[twisted])) == []


def _external(model: onnx.ModelProto, places: dict[str, tuple[int, int]]) -> onnx.ModelProto:
    for tensor in model.graph.initializer:
        if tensor.name in places:
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in zip(("offset", "length"), places[tensor.name], strict=True):
                tensor.external_data.add(key=key, value=str(value))
            tensor.external_data.add(key="location", value="w.bin")
    return model


def _outside(places: dict[str, tuple[int, int]], nodes: list[onnx.NodeProto]) -> list[Span]:
    constants = {name: np.zeros(length // 4, np.float32) for name, (_, length) in places.items()}
    model = _external(make(nodes, constants=constants), places)
    data = model.SerializeToString()
    return list(spared(read_model(data), "m.onnx", {"m.onnx": len(data), "w.bin": 1 << 30}).get("w.bin", ()))


def test_bytes_that_another_tensor_shares_are_handed_over() -> None:
    """The same place is weight to one and divisor to another."""
    uses = [node("MatMul", "x w", "m"), node("Div", "m v", "y")]
    size = 2 * LARGE
    assert _outside({"w": (0, size), "v": (size, size)}, uses) == [Span(0, size)]
    for start in (0, 4, size - 4):
        assert _outside({"w": (0, size), "v": (start, size)}, uses) == []
        assert _outside({"w": (start, size), "v": (0, size)}, uses) == []
    assert _outside({"w": (0, size), "v": (64, 4)}, uses) == []
    assert _outside({"w": (64, size), "v": (0, 64)}, uses) == [Span(64, size)]


def test_two_weights_at_one_place_are_left_out_once() -> None:
    uses = [node("MatMul", "x w", "m"), node("MatMul", "m v", "y")]
    size = 2 * LARGE
    assert _outside({"w": (0, size), "v": (0, size)}, uses) == [Span(0, size)]
    assert _outside({"w": (0, size), "v": (4, size)}, uses) == [Span(0, size), Span(size, 4)]


def test_a_parcel_cannot_be_changed_by_whoever_holds_it() -> None:
    files = {"a": b"one", "b/c": b"", "d": bytes(5000)}
    with packed(files) as parcel, parcel.handed() as descriptor:
        found = {name: bytes(view) for name, view in unpacked(descriptor).items()}
        with pytest.raises(PermissionError):
            os.pwrite(descriptor, b"x", 0)
        with pytest.raises(PermissionError):
            os.truncate(descriptor, 0)
    assert found == files


@pytest.fixture(params=["memfd", "pipe"])
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    """Both ways that a parcel goes: where files of its size are forbidden, through a pipe."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    if request.param == "pipe":
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    yield str(request.param)
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_parcel_has_zeros_where_the_holes_are(way: str) -> None:
    data = bytes(range(1, 251)) * 100
    holes = [Span(0, 10), Span(1000, 5000), Span(24_990, 10)]
    with packed({"a": data, "b": data, "c": data}, {"a": holes, "c": holes}) as parcel:
        for _ in range(2):
            with parcel.handed() as descriptor:
                assert stat.S_ISFIFO(os.fstat(descriptor).st_mode) == (way == "pipe")
                found = unpacked(descriptor)
        assert bytes(found["b"]) == data
        wanted = bytearray(data)
        for start, length in holes:
            wanted[start : start + length] = bytes(length)
        assert bytes(found["a"]) == bytes(found["c"]) == bytes(wanted)


def test_a_large_constant_that_kills_the_runtime_still_does() -> None:
    """The trap is in 4 MiB of integers: they are computed with at load, so they are handed over.

    Whole vectors are divided without one; the last element, which fills none, traps.
    """
    nodes = [
        node("Div", "least minus", "q"),
        node("ReduceMax", "q", "top", keepdims=0),
        node("Cast", "top", "f", to=TensorProto.FLOAT),
        node("MatMul", "x w", "m"),
        node("Add", "m f", "y"),
    ]
    constants = {
        "least": np.full(SIDE * SIDE + 1, -(2**31), np.int32),
        "minus": np.full(SIDE * SIDE + 1, -1, np.int32),
        "w": WEIGHT,
    }
    data = make(nodes, constants=constants).SerializeToString()
    assert lean({"m.onnx": data}, "m.onnx")[1] != {}
    found = examine({"m.onnx": data}, "m.onnx", limits=Limits(cpu=5.0))
    assert [one.code for one in found] == ["runtime-crash"]


def test_weights_in_a_large_file_are_replaced_by_zeros_beside_it() -> None:
    data = make([node("MatMul", "x w", "m"), node("MatMul", "m w", "y")]).SerializeToString()
    files, found = lean({"deep/m.onnx": data, "deep/zeros": b"taken"}, "deep/m.onnx")
    assert {name: len(files[name]) for name in files} == {
        "deep/m.onnx": len(files["deep/m.onnx"]),
        "deep/zeros": 5,
        "deep/zeros-": WEIGHT.nbytes,
    }
    assert len(files["deep/m.onnx"]) < 1000
    assert found == {"deep/zeros-": [Span(0, WEIGHT.nbytes)]}
    held = onnx.ModelProto.FromString(bytes(files["deep/m.onnx"])).graph
    assert [(one.name, list(one.dims), one.data_type) for one in held.initializer] == [("w", [SIDE, SIDE], 1)]
    assert examine({"deep/m.onnx": data, "deep/zeros": b"taken"}, "deep/m.onnx") == ()


def test_weights_beside_a_model_are_holes_where_they_lie() -> None:
    places = {"w": (4096, WEIGHT.nbytes), "b": (0, 4096)}
    model = make(
        [node("MatMul", "x w", "m"), node("Add", "m b", "y")],
        constants={"w": WEIGHT, "b": np.zeros(SIDE, np.float32)},
    )
    data = _external(model, places).SerializeToString()
    files = {"m.onnx": data, "w.bin": bytes(4096 + WEIGHT.nbytes)}
    assert lean(files, "m.onnx") == (files, {"w.bin": [Span(4096, WEIGHT.nbytes)]})
    assert examine(files, "m.onnx") == ()


def test_a_large_file_that_nobody_can_read_is_handed_over_whole() -> None:
    files = {"m.onnx": make([node("MatMul", "x w", "y")]).SerializeToString()[:-1]}
    assert len(files["m.onnx"]) > WHOLE
    assert lean(files, "m.onnx") == (files, {})
    assert [one.code for one in examine(files, "m.onnx")] == ["runtime-refused"]


def test_a_small_model_is_handed_over_whole() -> None:
    files = {
        "m.onnx": make([node("MatMul", "x w", "y")], constants={"w": WEIGHT[:, :256]}).SerializeToString()
    }
    assert LARGE <= len(files["m.onnx"]) < WHOLE
    assert lean(files, "m.onnx") == (files, {})
