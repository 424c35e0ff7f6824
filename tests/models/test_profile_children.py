"""Profiles of children made by ONNX Runtime's quantizers, recomputed from the files with onnx and NumPy."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnxruntime.quantization import QuantType

from registry.onnx.loaded import load
from registry.onnx.profile.profiling import profile
from registry.onnx.profile.values import Profile, Scales, TensorProfile
from support import graphs

INT8 = {"activation_type": QuantType.QInt8, "weight_type": QuantType.QInt8}
UINT8 = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QUInt8}
CHANNELS = {"per_channel": True, "extra_options": {"ActivationSymmetric": True, "WeightSymmetric": True}}


def _profile(path: Path) -> Profile:
    files = graphs.files_of(path.parent)
    return profile(load(files, path.name))


def _constants(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Every initializer, subgraphs included, as onnx itself reads it."""

    def walk(graph: onnx.GraphProto) -> dict[str, np.ndarray[Any, Any]]:
        found = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.HasField("g"):
                    found |= walk(attribute.g)
        return found

    return walk(onnx.load(path).graph)


def _same_scales(found: Scales | None, numbers: np.ndarray[Any, Any]) -> None:
    assert found is not None
    assert found.count == numbers.size
    assert (found.minimum, found.maximum) == (numbers.min(), numbers.max())
    ordered = np.sort(numbers.ravel())
    assert found.median in (ordered[(numbers.size - 1) // 2], ordered[numbers.size // 2])
    assert (found.zero, found.negative) == ((numbers == 0).sum(), (numbers < 0).sum())
    assert found.not_finite == 0


def _by_name(found: Profile) -> dict[str, TensorProfile]:
    return {one.facts.name: one for one in found.tensors}


@pytest.mark.parametrize("qdq", [True, False], ids=["QDQ", "QOperator"])
@pytest.mark.parametrize("options", [INT8, UINT8, {**INT8, **CHANNELS}], ids=["int8", "uint8", "channels"])
def test_static(qdq: bool, options: dict[str, Any], tmp_path: Path) -> None:
    path = graphs.static(graphs.cnn(), tmp_path / "m.onnx", qdq=qdq, **options)
    found, constants = _profile(path), _constants(path)
    tensors = _by_name(found)
    for name in ("conv1.w", "conv2.w", "fc.w"):
        one, numbers = tensors[f"{name}_quantized"], constants[f"{name}_quantized"]
        scale, zero = constants[f"{name}_scale"], constants[f"{name}_zero_point"]
        _same_scales(one.scale, scale)
        assert one.zero_point is not None
        assert one.zero_point.count == zero.size
        assert (one.zero_point.minimum, one.zero_point.maximum) == (zero.min(), zero.max())
        assert one.zero_point.distinct == len(np.unique(zero))
        assert one.levels is not None
        assert one.levels.used == len(np.unique(numbers))
        most = zero.nbytes * 10  # written as varints, up to 10 bytes each
        assert 0 <= one.bytes - numbers.nbytes - scale.nbytes - zero.nbytes <= most
    activation = next(one for one in found.tensors if one.facts.role == "activation")
    _same_scales(activation.scale, constants["image_scale"])
    assert activation.levels is None
    assert {layer.mode for layer in found.layers} == {"static"}
    weighted = {one for tensor in found.weights for one in tensor.layers}
    assert len(weighted) == 3
    formats = {layer.format for layer in found.layers if layer.name in weighted}
    assert formats == {"QDQ" if qdq else "QOperator"}


def test_dynamic(tmp_path: Path) -> None:
    path = graphs.dynamic(graphs.transformer(), tmp_path / "m.onnx")
    found, constants = _profile(path), _constants(path)
    tensors = _by_name(found)
    for name in ("wq", "wk", "wv", "wo", "ff1", "ff2"):
        one = tensors[f"{name}_quantized"]
        _same_scales(one.scale, constants[f"{name}_scale"])
        assert one.levels is not None
        assert one.levels.used == len(np.unique(constants[f"{name}_quantized"]))
    _same_scales(tensors["embedding_quantized"].scale, constants["embedding_scale"])
    activations = [one for one in found.tensors if one.facts.role == "activation"]
    assert activations
    assert all(one.scale is None and one.zero_point is None for one in activations)
    by_name = {layer.name: layer for layer in found.layers}
    assert by_name["proj_o_quant"].mode == "dynamic"
    assert by_name["proj_o_quant"].integer
    assert by_name["proj_q_quant"].mode == "static"  # the table's rows, with the table's stored scale
    assert by_name["scores"].mode == "float"
    assert "multiplies activations" in by_name["scores"].why


@pytest.mark.parametrize("symmetric", [True, False], ids=["symmetric", "asymmetric"])
@pytest.mark.parametrize("parent", ["mlp", "branching"])
def test_weight_only(parent: str, symmetric: bool, tmp_path: Path) -> None:
    """Also in the branches of an If; zero points are packed, each row of them from a byte of its own."""
    path = graphs.nbits(graphs.FLOATS[parent](), tmp_path / "m.onnx", block_size=16, is_symmetric=symmetric)
    found, constants = _profile(path), _constants(path)
    assert len(found.weights) == 2
    for one in found.weights:
        name = one.facts.name.removesuffix("_Q4")
        _same_scales(one.scale, constants[f"{name}_scales"])
        packed = constants[one.facts.name]
        assert one.levels is not None
        both = np.concatenate([packed.ravel() & 15, packed.ravel() >> 4])
        assert one.levels.used == len(np.unique(both))
        assert one.zero_point is not None
        if symmetric:
            assert (one.zero_point.count, one.zero_point.minimum, one.zero_point.maximum) == (0, 8, 8)
            continue
        rows, columns = one.facts.shape or (0, 0)
        blocks = math.ceil(rows / 16)
        zeros = constants[f"{name}_zero_points"].reshape(columns, -1)
        plain = np.stack([zeros & 15, zeros >> 4], -1).reshape(columns, -1)[:, :blocks]
        assert one.zero_point.count == plain.size
        assert one.zero_point.distinct == len(np.unique(plain))
        assert (one.zero_point.minimum, one.zero_point.maximum) == (plain.min(), plain.max())
    assert not any(layer.integer for layer in found.layers)


def test_eight_bit_weight_only(tmp_path: Path) -> None:
    path = graphs.nbits(graphs.mlp(), tmp_path / "m.onnx", bits=8, block_size=16, is_symmetric=False)
    constants = _constants(path)
    for one in _profile(path).weights:
        assert one.levels is not None
        assert (one.facts.type, one.levels.possible) == ("UINT8", 256)
        assert one.levels.used == len(np.unique(constants[one.facts.name]))
        zeros = constants[f"{one.facts.name.removesuffix('_Q8')}_zero_points"]
        assert one.zero_point is not None
        assert (one.zero_point.count, one.zero_point.distinct) == (zeros.size, len(np.unique(zeros)))


def test_weight_only_between_q_and_dq(tmp_path: Path) -> None:
    path = graphs.nbits(graphs.mlp(), tmp_path / "m.onnx", qdq=True, block_size=16, is_symmetric=True)
    constants = _constants(path)
    found = _profile(path)
    for one in found.weights:
        assert one.levels is not None
        numbers = constants[one.facts.name].astype(int)
        assert (one.facts.type, one.levels.used) == ("INT4", len(np.unique(numbers)))
        assert [end.value for end in one.levels.ends] == [-8, -7, 7]
        assert one.levels.ends[0].count == (numbers == -8).sum() > 0


@pytest.mark.parametrize("nf4", [True, False], ids=["NF4", "FP4"])
def test_non_uniform(nf4: bool, tmp_path: Path) -> None:
    path = graphs.bnb4(graphs.mlp(), tmp_path / "m.onnx", nf4=nf4)
    constants = _constants(path)
    for one in _profile(path).weights:
        packed = constants[one.facts.name]
        both = np.concatenate([packed & 15, packed >> 4])
        name = one.facts.name.removesuffix("_Bnb4")
        _same_scales(one.scale, constants[f"{name}_absmax"])
        assert one.zero_point is None
        assert one.levels is not None
        assert one.levels.used == len(np.unique(both))
        blocks = constants[f"{name}_absmax"].size  # each block has a weight at one of the ends
        assert sum(end.count for end in one.levels.ends) >= blocks


@pytest.mark.parametrize("external", [None, "weights.bin"], ids=["one-file", "external"])
@pytest.mark.parametrize("name", sorted(graphs.FLOATS))
def test_sizes_are_those_of_the_files(name: str, external: str | None, tmp_path: Path) -> None:
    """A float model is as large as it would be in float32, whichever way it is stored."""
    path = graphs.save(graphs.FLOATS[name](), tmp_path / "m.onnx", external=external)
    (tmp_path / "README").write_text("no part of the model")
    found = _profile(path)
    whole = sum(one.stat().st_size for one in tmp_path.iterdir() if one.name != "README")
    assert found.size.bytes == found.size.float32 == whole
    assert found.size.floats == 4 * found.facts.float_elements
    assert sum(one.bytes for one in found.floats) == found.size.floats
    assert found.size.ratio == 1


def test_size_against_float32(tmp_path: Path) -> None:
    """The child's weights, scales and zero points out, the parent's floats in."""
    path = graphs.dynamic(graphs.mlp(), tmp_path / "m.onnx")
    found, constants = _profile(path), _constants(path)
    parts = [value.nbytes for key, value in constants.items() if key.startswith(("w1_", "w2_"))]
    assert found.size.quantized == sum(parts)
    assert found.size.float32 == path.stat().st_size - sum(parts) + 4 * (16 * 32 + 32 * 8)


def test_half_precision_counts_double(tmp_path: Path) -> None:
    model = graphs.mlp()
    for weight in model.graph.initializer:
        weight.CopyFrom(
            numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float16), weight.name)
        )
    found = _profile(graphs.save(model, tmp_path / "m.onnx"))
    assert found.size.float32 == found.size.bytes + 2 * found.facts.float_elements
