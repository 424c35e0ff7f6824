"""What a file says about its quantization, held against its graph."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import StringStringEntryProto, TensorAnnotation
from onnxruntime.quantization import QuantType

from registry.onnx.loaded import load
from registry.onnx.profile.metadata import CHARACTERS, ENTRIES, TOTAL, Said, metadata
from registry.onnx.profile.profiling import profile
from registry.onnx.profile.values import Claim
from registry.onnx.profile.wording import assertions
from support import graphs

CHANNELS = {"ActivationSymmetric": True, "WeightSymmetric": True}


@pytest.fixture(scope="module")
def children(tmp_path_factory: pytest.TempPathFactory) -> dict[str, onnx.ModelProto]:
    where = tmp_path_factory.mktemp("children")
    paths = {
        "static": graphs.static(  # INT8 weights per channel, UINT8 activations, all symmetric; QDQ
            graphs.cnn(),
            where / "static.onnx",
            qdq=True,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            extra_options=CHANNELS,
        ),
        "dynamic": graphs.dynamic(graphs.mlp(), where / "dynamic.onnx"),  # INT8 per tensor; QOperator
        "nbits": graphs.nbits(  # UINT4 in blocks of 16, asymmetric; QOperator
            graphs.mlp(), where / "nbits.onnx", block_size=16, is_symmetric=False
        ),
        "nf4": graphs.bnb4(graphs.mlp(), where / "nf4.onnx"),
        "float": graphs.save(graphs.mlp(), where / "float.onnx"),
    }
    return {name: onnx.load(path) for name, path in paths.items()}


def _claims(model: onnx.ModelProto, **said: str) -> list[Claim]:
    """The claims of the model when its metadata says this, the producer apart."""
    kept = onnx.ModelProto()
    kept.CopyFrom(model)
    for key, value in said.items():
        kept.metadata_props.add(key=key, value=value)
    found = profile(load({"m": kept.SerializeToString()}, "m")).claims
    return [claim for claim in found if claim.key != "producer"]


CASES: list[tuple[str, str, str, str, bool]] = [
    ("static", "quantization", "static", "mode: static", True),
    ("static", "quantization", "dynamic", "mode: dynamic", False),
    ("static", "mode", "weight-only", "mode: weight-only", False),
    ("static", "format", "QDQ", "format: QDQ", True),
    ("static", "quant_format", "QOperator", "format: QOperator", False),
    ("static", "precision", "int8", "type: int8", True),
    ("static", "precision", "int4", "type: int4", False),
    ("static", "precision", "fp16", "type: FLOAT16", False),
    ("static", "dtype", "float32", "type: FLOAT", False),
    ("static", "weight_type", "QInt8", "weight type: int8", True),
    ("static", "weight_type", "uint8", "weight type: uint8", False),
    ("static", "activation_type", "uint8", "activation type: uint8", True),
    ("static", "activation_type", "int16", "activation type: int16", False),
    ("static", "weightBits", "8", "weight bits: 8", True),
    ("static", "bits", "4", "bits: 4", False),
    ("static", "activation_bits", "8", "activation bits: 8", True),
    ("static", "activation_bits", "16", "activation bits: 16", False),
    ("static", "per_channel", "true", "per-channel: yes", True),
    ("static", "per_channel", "False", "per-channel: no", False),
    ("static", "granularity", "per-tensor", "granularity: per-tensor", False),
    ("static", "symmetric", "1", "symmetric: yes", True),
    ("static", "quantization.scheme", "asymmetric", "symmetric: no", False),
    ("static", "activation_symmetric", "true", "activation symmetric: yes", True),
    ("static", "quantized", "false", "quantized: no", False),
    ("static", "group_size", "128", "block size: 128", False),
    ("dynamic", "description", "An INT8 model, dynamically quantized.", "type: int8", True),
    ("dynamic", "description", "made with quantize_static", "mode: static", False),
    ("dynamic", "per-channel", "yes", "per-channel: yes", False),
    ("dynamic", "quantization", "per tensor", "granularity: per-tensor", True),
    ("nbits", "quantization_config", '{"bits": 4, "sym": false}', "bits: 4", True),
    ("nbits", "quantization_config", '{"bits": 4, "sym": true}', "symmetric: yes", False),
    ("nbits", "quantization_config", '{"weights": {"group_size": 16}}', "weight block size: 16", True),
    ("nbits", "quantization_config", '{"group_size": 32}', "block size: 32", False),
    ("nbits", "scheme", "W4A16", "weight bits: 4", True),
    ("nbits", "scheme", "W4A16", "activation bits: 16", True),
    ("nbits", "scheme", "W4A8", "activation bits: 8", False),
    ("nbits", "name", "tiny-4bit", "bits: 4", True),
    ("nbits", "quantization", "weight-only, blockwise", "granularity: blockwise", True),
    ("nf4", "quant_type", "nf4", "type: NF4", True),
    ("nf4", "quant_type", "fp4", "type: FP4", False),
    ("float", "precision", "fp32", "type: FLOAT", True),
    ("float", "precision", "fp16", "type: FLOAT16", False),
    ("float", "quantization", "int8", "type: int8", False),
    ("float", "quantized", "true", "quantized: yes", False),
    ("float", "bits", "32", "bits: 32", True),
    ("float", "bits", "16", "bits: 16", False),
    ("float", "quantization", "unquantized", "quantized: no", True),
]


@pytest.mark.parametrize(("child", "key", "value", "claim", "agrees"), CASES)
def test_a_claim(
    child: str, key: str, value: str, claim: str, agrees: bool, children: dict[str, onnx.ModelProto]
) -> None:
    found = {one.claim: one for one in _claims(children[child], **{key: value})}
    assert claim in found
    assert found[claim].agrees == agrees
    assert found[claim].graph
    assert found[claim].key.startswith(key)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("description", "Static images with dynamic shapes in a symmetric layout, 1 bit of fun."),
        ("input_dtype", "int4"),
        ("input_bits", "4"),
        ("mode", "train"),
        ("format", "NCHW"),
        ("image_format", "uint8"),
        ("onnx.quant.pre_process", "onnxruntime.quant"),
        ("onnx.infer", "onnxruntime.quant"),
        ("author", "Symmetric Static Ltd."),
        ("license", "MIT"),
        ("names", "{0: 'person', 1: 'bicycle'}"),
        ("bits", "many"),
        ("point", "point8"),
    ],
)
def test_what_claims_nothing(key: str, value: str, children: dict[str, onnx.ModelProto]) -> None:
    assert _claims(children["static"], **{key: value}) == []


def test_a_file_without_words_claims_nothing(children: dict[str, onnx.ModelProto]) -> None:
    assert _claims(children["nbits"]) == []


def test_words_are_read_wherever_onnx_has_room_for_them(children: dict[str, onnx.ModelProto]) -> None:
    model = onnx.ModelProto()
    model.CopyFrom(children["static"])
    model.doc_string = "int8 weights"
    model.graph.doc_string = "dynamic quantization"
    model.graph.metadata_props.add(key="precision", value="int4")
    model.producer_name, model.producer_version = "quantizer-int4", "2"
    found = profile(load({"m": model.SerializeToString()}, "m"))
    assert found.producer == "quantizer-int4 2"
    assert {(one.key, one.claim, one.agrees) for one in found.claims} == {
        ("doc_string", "type: int8", True),
        ("graph.doc_string", "mode: dynamic", False),
        ("graph.precision", "type: int4", False),
        ("producer", "type: int4", False),
    }
    assert [one.agrees for one in found.claims] == [False, False, False, True]  # what matters first
    assert len(found.disagreements) == 3


def test_the_runtime_s_quantizer_as_producer_claims_that_the_model_is_quantized(
    children: dict[str, onnx.ModelProto],
) -> None:
    model = onnx.ModelProto()
    model.CopyFrom(children["float"])
    model.producer_name = "onnx.quantize"
    (found,) = profile(load({"m": model.SerializeToString()}, "m")).claims
    assert (found.claim, found.graph, found.agrees) == ("quantized: yes", "float", False)


def test_a_weight_that_only_seems_quantized_bears_out_no_type(tmp_path: Path) -> None:
    """Q/DQ around a constant that the file stores in float: the activations are int8, the weight is not."""
    model = graphs.mlp()
    node = onnx.helper.make_node("QuantizeLinear", ["w1", "s", "z"], ["q"])
    back = onnx.helper.make_node("DequantizeLinear", ["q", "s", "z"], ["w1d"])
    model.graph.node[0].input[1] = "w1d"
    model.graph.node.insert(0, back)
    model.graph.node.insert(0, node)
    model.graph.initializer.append(onnx.helper.make_tensor("s", 1, [], [0.01]))
    model.graph.initializer.append(onnx.helper.make_tensor("z", 3, [], [0]))
    (found,) = _claims(model, precision="int8")
    assert not found.agrees
    assert found.graph.startswith("no weight is stored quantized")


@pytest.mark.parametrize(
    ("tensor", "scale", "agrees"),
    [("conv1.w", "conv1.w_scale", True), ("conv1.w", "nowhere", False), ("conv1.w", "", False)],
)
def test_annotations(tensor: str, scale: str, agrees: bool, children: dict[str, onnx.ModelProto]) -> None:
    model = onnx.ModelProto()
    model.CopyFrom(children["static"])
    pair = StringStringEntryProto(key="SCALE_TENSOR", value=scale)
    model.graph.quantization_annotation.append(
        TensorAnnotation(tensor_name=tensor, quant_parameter_tensor_names=[pair])
    )
    (found,) = _claims(model)
    assert (found.key, found.agrees) == (f"quantization_annotation.{tensor}", agrees)
    assert ("conv1.w_quantized" in found.graph) == agrees


def test_one_claim_that_is_made_twice_is_told_once(children: dict[str, onnx.ModelProto]) -> None:
    assert len(_claims(children["static"], description="int8, int8, INT8")) == 1


@pytest.mark.parametrize(
    "value",
    ["[" * 60_000, '{"a":' * 20_000 + "1" + "}" * 20_000, "{" + "9" * 10_000, '{"bits": 1e999}', "{}", "[]"],
    ids=["brackets", "nested", "digits", "infinite", "empty", "no-list"],
)
def test_json_that_is_an_attack_is_text(value: str, children: dict[str, onnx.ModelProto]) -> None:
    assert _claims(children["static"], quantization=value) == []


def test_bounds_on_what_is_read(children: dict[str, onnx.ModelProto]) -> None:
    model = onnx.ModelProto()
    model.CopyFrom(children["float"])
    for at in range(ENTRIES + 50):
        model.metadata_props.add(key=f"k{at}", value="x" * 10)
    model.doc_string = "x" * (CHARACTERS + 1) + " int8"
    found = metadata(load({"m": model.SerializeToString()}, "m"))
    assert len(found.said) == ENTRIES
    assert max(len(one.text) for one in found.said) <= CHARACTERS


def test_no_number_of_long_statements_takes_long(children: dict[str, onnx.ModelProto]) -> None:
    model = onnx.ModelProto()
    model.CopyFrom(children["float"])
    for at in range(100):
        model.metadata_props.add(key=f"quantization{at}", value="w8" * (CHARACTERS // 2))
    found = metadata(load({"m": model.SerializeToString()}, "m"))
    assert sum(len(one.text) for one in found.said) <= TOTAL


def test_bytes_that_are_no_text_are_replaced(children: dict[str, onnx.ModelProto]) -> None:
    data = children["float"].SerializeToString() + b"\x32\x04\xff\xfein"  # doc_string, field 6
    found = metadata(load({"m": data}, "m"))
    assert found.said[-1] == Said("doc_string", "\ufffd\ufffdin")


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60), st.text(max_size=120) | st.from_regex(r"\{.{0,60}\}"))
def test_any_words_are_read_without_failing(key: str, value: str) -> None:
    for one in assertions(Said(key, value)):
        assert str(one)
        json.dumps({"wanted": one.wanted})


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=8,
    )
)
def test_any_json_is_read_without_failing(value: Any) -> None:
    model = graphs.mlp()
    model.metadata_props.add(key="quantization", value=json.dumps(value))
    profile(load({"m": model.SerializeToString()}, "m"))
