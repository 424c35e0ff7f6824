"""Honest models have no finding that a push refuses: every quantizer, and what ONNX Runtime itself writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from hostile import loops, packings, scales, storage
from hostile.crafted import field, files, model_of, node, tensor, value, with_graph_bytes
from registry.onnx.findings import Finding, at_least
from registry.onnx.scan import scan
from support import graphs
from support.realmodels import REAL_MODELS, RealModel, quantized

Make = Callable[[onnx.ModelProto, Path], Path]
FLOATS = sorted(graphs.FLOATS)
STATIC = ("cnn", "mlp", "transformer")


def serious(data: bytes | Mapping[str, bytes], path: str = "model.onnx") -> list[Finding]:
    """What a push would refuse."""
    files = {path: data} if isinstance(data, bytes) else data
    return [one for one in scan(files, path) if at_least(one)]


def _static(model: onnx.ModelProto, path: Path, kind: str, **options: Any) -> Path:
    from onnxruntime.quantization import QuantType

    activations, weights = (QuantType[name] for name in kind.split())
    return graphs.static(model, path, activation_type=activations, weight_type=weights, **options)


QUANTIZERS: dict[str, Make] = {
    "static-qdq": partial(graphs.static, qdq=True),
    "static-qoperator": partial(graphs.static, qdq=False),
    "static-per-channel": partial(graphs.static, qdq=True, per_channel=True),
    "static-qoperator-per-channel": partial(graphs.static, qdq=False, per_channel=True, reduce_range=True),
    "static-16-bit": partial(_static, kind="QUInt16 QInt8", qdq=True),
    "static-4-bit": partial(_static, kind="QUInt8 QInt4", qdq=True),
    "static-symmetric": partial(
        _static, kind="QInt8 QInt8", qdq=True, extra_options={"ActivationSymmetric": True}
    ),
}
DYNAMIC: dict[str, Make] = {
    "dynamic": graphs.dynamic,
    "dynamic-per-channel": partial(graphs.dynamic, per_channel=True, reduce_range=True),
    "dynamic-in-subgraphs": partial(graphs.dynamic, extra_options={"EnableSubgraph": True}),
    "4-bit": graphs.nbits,
    "4-bit-asymmetric": partial(graphs.nbits, is_symmetric=False, block_size=128),
    "4-bit-qdq": partial(graphs.nbits, qdq=True),
    "8-bit": partial(graphs.nbits, bits=8),
    "2-bit": partial(graphs.nbits, bits=2),
    "nf4": graphs.bnb4,
    "fp4": partial(graphs.bnb4, nf4=False),
}
CHILDREN = [(name, how) for name in STATIC for how in QUANTIZERS]
CHILDREN += [(name, how) for name in FLOATS for how in DYNAMIC]


@pytest.mark.parametrize("name", FLOATS)
def test_float_models_are_clean(name: str, tmp_path: Path) -> None:
    model = graphs.FLOATS[name]()
    assert serious(model.SerializeToString()) == []
    graphs.save(model, tmp_path / "model.onnx", each=True)
    assert serious(graphs.files_of(tmp_path)) == []


@pytest.mark.parametrize(("name", "how"), CHILDREN)
def test_quantized_models_are_clean(name: str, how: str, tmp_path: Path) -> None:
    made = {**QUANTIZERS, **DYNAMIC}[how](graphs.FLOATS[name](), tmp_path / "model.onnx")
    assert serious(made.read_bytes()) == []


@pytest.mark.parametrize("name", STATIC)
@pytest.mark.parametrize("level", ["ORT_ENABLE_BASIC", "ORT_ENABLE_EXTENDED", "ORT_ENABLE_ALL"])
def test_models_that_onnx_runtime_optimised_are_clean(name: str, level: str, tmp_path: Path) -> None:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    options.optimized_model_filepath = str(tmp_path / "out.onnx")
    options.log_severity_level = 3
    source = graphs.static(graphs.FLOATS[name](), tmp_path / "in.onnx", qdq=True)
    onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    assert serious((tmp_path / "out.onnx").read_bytes()) == []


@pytest.mark.parametrize("model", REAL_MODELS, ids=lambda model: model.name)
def test_real_models_are_clean(model: RealModel) -> None:
    assert serious(model.fetch().read_bytes()) == []


@pytest.mark.parametrize(
    ("model", "kind"),
    [(model, kind) for model in REAL_MODELS for kind in model.kinds],
    ids=lambda one: one if isinstance(one, str) else one.name,
)
def test_real_quantized_models_are_clean(model: RealModel, kind: str) -> None:
    assert serious(quantized(model, kind).read_bytes()) == []


def _suite() -> list[Path]:
    """Models of onnx's own test suite: layers that PyTorch's first exporter wrote, nine large nets."""
    root = Path(onnx.__file__).parent / "backend" / "test" / "data"
    return sorted([*root.glob("pytorch-*/*/model.onnx"), *root.glob("light/*.onnx")])


def test_the_models_of_onnxs_own_suite_are_clean() -> None:
    listed = _suite()
    assert len(listed) > 80
    assert {place.parent.name: found for place in listed if (found := serious(place.read_bytes()))} == {}


def _packed() -> onnx.ModelProto:
    return packings.nbits(padding=8, spare=None)


def _captured() -> onnx.ModelProto:
    """Branches without nodes, whose outputs are values from around them."""
    first = helper.make_graph([], "a", [], [value("w")])
    second = helper.make_graph([], "b", [], [value("v")])
    run = helper.make_node("If", ["flag"], ["y"], then_branch=first, else_branch=second)
    held = [tensor("w", np.arange(9)), tensor("v", np.arange(9))]
    return model_of([run], held, inputs=[value("flag", TensorProto.BOOL, [])])


def _function() -> onnx.ModelProto:
    """A function with an attribute, called twice."""
    inner = node("Softmax", "x", "z")
    inner.attribute.add(name="axis", ref_attr_name="along", type=onnx.AttributeProto.INT)
    made = helper.make_function("own", "F", ["x"], ["z"], [inner], [helper.make_opsetid("", 21)], ["along"])
    calls = [
        helper.make_node("F", ["x"], ["m"], domain="own", along=0),
        helper.make_node("F", ["m"], ["y"], domain="own", along=1),
    ]
    imports = [helper.make_opsetid("", 21), helper.make_opsetid("own", 1)]
    return model_of(calls, inputs=[value("x")], functions=[made], opsets=imports)


def _masked() -> onnx.ModelProto:
    """A causal mask of minus infinities."""
    mask = np.triu(np.full((8, 8), -np.inf), 1)
    return model_of([node("Add", "x m", "y")], [tensor("m", mask)], inputs=[value("x")])


HONEST: dict[str, Callable[[], onnx.ModelProto]] = {
    "a loop that counts": partial(loops.loop, 10),
    "a loop that judges": partial(loops.loop, None, keeps="judged"),
    "a loop that judges with the largest count": partial(loops.loop, (1 << 63) - 1, keeps="judged"),
    "padding with the zero point": _packed,
    "padding with zeros": packings.nbits,
    "8-bit padding": partial(packings.nbits, bits=8, padding=128),
    "zero points that end in half a byte": partial(packings.nbits, spare=0),
    "an empty block": partial(packings.nbits, scales=[0.1, 0.0, 0.1, 0.1], empty=True),
    "negative scales of weight-only blocks": partial(packings.nbits, scales=[0.1, -0.2, 0.1, 0.1]),
    "nf4 with a spare half byte": packings.bnb4,
    "an odd number of nibbles": partial(storage.four_bits, 0x03),
    "scales per channel": partial(scales.dequantized, [0.1, 0.2, 0.3, 0.4], zero=[1, 2, 3, 4]),
    "one zero point for all channels": partial(scales.dequantized, [0.1, 0.2, 0.3, 0.4]),
    "a tiny scale in half precision": partial(scales.dequantized, 1e-6, scales="f2"),
    "signed weights without a zero point": partial(scales.dequantized, 0.1, zero=None),
    "branches of captured values": _captured,
    "a function with an attribute": _function,
    "a mask of infinities": _masked,
}


@pytest.mark.parametrize("name", HONEST)
def test_what_looks_odd_and_is_honest_passes(name: str) -> None:
    assert serious(HONEST[name]().SerializeToString()) == []


def test_aligned_external_data_is_clean() -> None:
    """Writers align tensors with zeros; two tensors may be the very same bytes (tied weights)."""
    made = graphs.mlp()
    data = bytearray()
    for weight in made.graph.initializer:
        data += bytes(-len(data) % 4096)
        told = {"location": "w.bin", "offset": str(len(data)), "length": str(len(weight.raw_data))}
        data += weight.raw_data
        weight.ClearField("raw_data")
        weight.data_location = TensorProto.EXTERNAL
        for key, text in told.items():
            weight.external_data.add(key=key, value=text)
    tied = made.graph.initializer.add()
    tied.CopyFrom(made.graph.initializer[0])
    tied.name = "tied"
    made.graph.node.append(node("MatMul", "x tied", "t"))
    made.graph.output.append(value("t"))
    assert serious(files(made, **{"w.bin": bytes(data)})) == []


def test_a_file_that_two_models_share_is_clean_in_both(tmp_path: Path) -> None:
    from registry.scanning import scan_files

    first = graphs.files_of(graphs.save(graphs.mlp(), tmp_path / "one.onnx", external="w.bin").parent)
    model = onnx.load_from_string(first["one.onnx"])
    half = onnx.ModelProto()
    half.CopyFrom(model)  # only the first layer
    del half.graph.node[2:], half.graph.initializer[2:]
    half.graph.output[0].CopyFrom(value("a1", shape=["n", 32]))
    shared = {**first, "half.onnx": half.SerializeToString()}
    assert [one for one in scan_files(shared).findings if at_least(one)] == []
    alone = {"half.onnx": half.SerializeToString(), "w.bin": first["w.bin"]}
    assert {one.code for one in scan_files(alone).findings if at_least(one)} == {"external-unreferenced"}


def test_text_for_people_is_no_name() -> None:
    """Documentation may have lines and any letters; a name in Chinese is a name."""
    made = graphs.mlp()
    made.doc_string = "first line\nsecond\tline"
    made.graph.node[0].name = "\u5377\u79ef"
    made.metadata_props.add(key="labels", value="a\nb\n")
    assert serious(made.SerializeToString()) == []


def test_shapes_of_inner_values_are_no_flaw() -> None:
    typed = field(1, field(1, 1) + field(2, field(1, field(2, b"n"))))
    assert serious(with_graph_bytes(graphs.mlp(), field(13, field(1, b"r1") + field(2, typed)))) == []
