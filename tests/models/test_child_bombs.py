"""Files that hang, explode or kill whoever loads them: each is a finding, and this process goes on."""

from __future__ import annotations

import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from registry.onnx.child import RULES, Limits, examine
from registry.onnx.findings import Finding
from support import graphs

SHORT = Limits(cpu=1.0, wall=10.0)
OPSETS = [helper.make_opsetid("", 21), helper.make_opsetid("local", 1)]


def look(model: onnx.ModelProto | bytes, limits: Limits = SHORT) -> dict[str, Finding]:
    data = model if isinstance(model, bytes) else model.SerializeToString()
    found = examine({"model.onnx": data}, "model.onnx", limits=limits)
    assert {one.code for one in found} <= {rule.code for rule in RULES}
    return {one.code: one for one in found}


def bomb(
    nodes: list[onnx.NodeProto],
    constants: dict[str, np.ndarray] | None = None,
    functions: list[onnx.FunctionProto] | None = None,
) -> onnx.ModelProto:
    """A model from x[n] to y[n] of floats."""
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in "xy"]
    held = [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()]
    graph = helper.make_graph(nodes, "bomb", ends[:1], ends[1:], held)
    return helper.make_model(graph, opset_imports=OPSETS, ir_version=10, functions=functions or [])


def division() -> onnx.ModelProto:
    """The smallest int32 by -1: on x86 the processor traps."""
    nodes = [
        helper.make_node("Div", ["least", "minus"], ["quotient"]),
        helper.make_node("Cast", ["quotient"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["x", "float"], ["y"]),
    ]
    return bomb(nodes, {"least": np.array([-(2**31)], np.int32), "minus": np.array([-1], np.int32)})


def doubling(levels: int) -> onnx.ModelProto:
    """Functions that each call the one below twice: 2**levels nodes when they are all written out."""
    functions = []
    for level in range(levels):
        name, domain = ("Neg", "") if level == 0 else (f"f{level - 1}", "local")
        calls = [helper.make_node(name, [a], [b], domain=domain) for a, b in ("ab", "bc")]
        functions.append(helper.make_function("local", f"f{level}", ["a"], ["c"], calls, OPSETS))
    call = helper.make_node(f"f{levels - 1}", ["x"], ["y"], domain="local")
    return bomb([call], functions=functions)


def unfolding(elements: int) -> onnx.ModelProto:
    """A constant given by its shape alone."""
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["zeros"]),
        helper.make_node("ReduceSum", ["zeros"], ["none"], keepdims=0),
        helper.make_node("Add", ["x", "none"], ["y"]),
    ]
    return bomb(nodes, {"shape": np.array([elements], np.int64)})


def test_a_division_that_traps_kills_the_child_alone() -> None:
    found = look(division())
    assert set(found) == {"runtime-crash"}
    assert "SIGFPE" in found["runtime-crash"].message
    assert found["runtime-crash"].severity == "critical"


def test_the_same_division_by_one_is_fine() -> None:
    model = division()
    model.graph.initializer[1].CopyFrom(numpy_helper.from_array(np.array([1], np.int32), "minus"))
    assert look(model) == {}


def test_functions_that_double_are_stopped_at_the_limit() -> None:
    found = look(doubling(24))
    assert set(found) <= {"runtime-hang", "checker-hang"}
    assert (
        "computing" in found["runtime-hang"].message
    )  # the bound on the processor stopped it, not the clock


def test_a_few_levels_of_functions_are_fine() -> None:
    assert look(doubling(4)) == {}


def test_where_the_processor_is_slow_the_clock_stops_it() -> None:
    began = time.monotonic()
    found = look(doubling(24), Limits(cpu=60.0, wall=0.5))
    assert "runtime-hang" in found
    assert "computing" not in found["runtime-hang"].message
    assert 0.5 <= time.monotonic() - began < 10


def test_four_gibibytes_in_139_bytes_are_memory() -> None:
    model = unfolding(1 << 30)
    assert len(model.SerializeToString()) < 200
    found = look(model)
    assert set(found) == {"runtime-memory"}
    assert found["runtime-memory"].severity == "critical"


def test_a_constant_of_four_mebibytes_is_fine() -> None:
    assert look(unfolding(1 << 20)) == {}


def test_memory_taken_in_many_small_bites_is_memory() -> None:
    fills = [numpy_helper.from_array(np.array([at], np.float32)) for at in range(8)]
    bites = [
        helper.make_node("ConstantOfShape", ["shape"], [f"bite{at}"], value=fill)
        for at, fill in enumerate(fills)
    ]
    total = helper.make_node("Sum", ["x", *(node.output[0] for node in bites)], ["y"])
    model = bomb([*bites, total], {"shape": np.array([1 << 24], np.int64)})  # 64 MiB each
    assert set(look(model, Limits(memory=256 << 20))) == {"runtime-memory"}
    assert look(model, Limits(memory=2 << 30)) == {}


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_file_is_refused(share: float) -> None:
    data = graphs.mlp().SerializeToString()
    found = look(data[: int(len(data) * share)])
    assert set(found) == {"runtime-refused"}


@pytest.mark.parametrize("data", [b"garbage", b"\x0a\xff" * 50, b"\xff" * 4096, b"\x00", b"PK\x03\x04"])
def test_garbage_is_refused(data: bytes) -> None:
    assert set(look(data)) == {"runtime-refused"}


def test_a_file_that_is_not_there_is_refused() -> None:
    found = examine({"other.onnx": b""}, "model.onnx", limits=SHORT)
    assert [one.code for one in found] == ["runtime-refused"]


def test_an_operator_that_nobody_knows_is_refused() -> None:
    found = look(bomb([helper.make_node("Exfiltrate", ["x"], ["y"], domain="local")]))
    assert set(found) == {"runtime-refused"}


def test_external_data_that_leaves_its_directory_is_refused() -> None:
    model = graphs.mlp()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")
    found = look(model)
    assert set(found) == {"runtime-refused"}
    assert "outside" in found["runtime-refused"].message


def test_what_only_the_checker_refuses_is_low() -> None:
    """Quantizers leave graphs behind that are not sorted; ONNX Runtime sorts them."""
    model = graphs.mlp()
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(reversed(nodes))
    found = look(model)
    assert {code: one.severity for code, one in found.items()} == {"checker-refused": "low"}
    assert "topologically sorted" in found["checker-refused"].message


def test_a_message_is_bounded_and_in_one_line() -> None:
    found = look(bomb([helper.make_node("N" * 100_000, ["x"], ["y"])]))
    for one in found.values():
        assert len(one.message) < 600
        assert "\n" not in one.message
