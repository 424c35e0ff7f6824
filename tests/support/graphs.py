"""Small float models of several shapes, and their quantized children by ONNX Runtime's own quantizers.

Everything is made from fixed seeds: the same call gives the same bytes with the same releases of onnx
and onnxruntime. Weights are a few kB, so hundreds of children take seconds.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 21  # the first with 4-bit types and blockwise DequantizeLinear
IR_VERSION = 10
HIDDEN = 32

Array = "np.ndarray[Any, Any]"


def mlp(*, inputs: int = 16, hidden: int = HIDDEN, outputs: int = 8) -> onnx.ModelProto:
    """Two MatMul layers with biases and a Relu: x[n, 16] to y[n, 8]."""
    weights = _weights({"w1": (inputs, hidden), "b1": (hidden,), "w2": (hidden, outputs), "b2": (outputs,)})
    nodes = [
        helper.make_node("MatMul", ["x", "w1"], ["m1"], "fc1"),
        helper.make_node("Add", ["m1", "b1"], ["a1"], "add1"),
        helper.make_node("Relu", ["a1"], ["r1"], "relu1"),
        helper.make_node("MatMul", ["r1", "w2"], ["m2"], "fc2"),
        helper.make_node("Add", ["m2", "b2"], ["y"], "add2"),
    ]
    return _model("mlp", nodes, weights, {"x": ["n", inputs]}, {"y": ["n", outputs]})


def cnn(*, channels: int = 8, outputs: int = 4) -> onnx.ModelProto:
    """Two convolutions, a global pool and a Gemm: image[n, 3, 12, 12] to y[n, 4]."""
    weights = _weights(
        {
            "conv1.w": (channels, 3, 3, 3),
            "conv1.b": (channels,),
            "conv2.w": (2 * channels, channels, 3, 3),
            "conv2.b": (2 * channels,),
            "fc.w": (outputs, 2 * channels),
            "fc.b": (outputs,),
        }
    )
    nodes = [
        helper.make_node("Conv", ["image", "conv1.w", "conv1.b"], ["c1"], "conv1", pads=[1] * 4),
        helper.make_node("Relu", ["c1"], ["r1"], "relu1"),
        helper.make_node("Conv", ["r1", "conv2.w", "conv2.b"], ["c2"], "conv2", strides=[2, 2]),
        helper.make_node("Relu", ["c2"], ["r2"], "relu2"),
        helper.make_node("GlobalAveragePool", ["r2"], ["p"], "pool"),
        helper.make_node("Flatten", ["p"], ["f"], "flat"),
        helper.make_node("Gemm", ["f", "fc.w", "fc.b"], ["y"], "fc", transB=1),
    ]
    return _model("cnn", nodes, weights, {"image": ["n", 3, 12, 12]}, {"y": ["n", outputs]})


def transformer(*, vocabulary: int = 64, width: int = HIDDEN) -> onnx.ModelProto:
    """An embedding, one attention head, layer norms and a feed-forward: tokens[n, t] to y[n, t, 32]."""
    square = dict.fromkeys(("wq", "wk", "wv", "wo"), (width, width))
    shapes: dict[str, tuple[int, ...]] = {"embedding": (vocabulary, width), **square}
    shapes |= {"ff1": (width, 2 * width), "ff2": (2 * width, width)}
    shapes |= dict.fromkeys(("g1", "b1", "g2", "b2"), (width,))
    weights = [*_weights(shapes), numpy_helper.from_array(np.float32(width**-0.5), "scale")]
    make = helper.make_node
    nodes = [
        make("Gather", ["embedding", "tokens"], ["e"], "embed"),
        *(make("MatMul", ["e", f"w{letter}"], [letter], f"proj_{letter}") for letter in "qkv"),
        make("Transpose", ["k"], ["kt"], "turn", perm=[0, 2, 1]),
        make("MatMul", ["q", "kt"], ["qk"], "scores"),
        make("Mul", ["qk", "scale"], ["qks"], "scaled"),
        make("Softmax", ["qks"], ["p"], "softmax", axis=-1),
        make("MatMul", ["p", "v"], ["a"], "mix"),
        make("MatMul", ["a", "wo"], ["o"], "proj_o"),
        make("Add", ["e", "o"], ["s1"], "skip1"),
        make("LayerNormalization", ["s1", "g1", "b1"], ["n1"], "norm1"),
        make("MatMul", ["n1", "ff1"], ["h"], "up"),
        make("Relu", ["h"], ["hr"], "relu"),
        make("MatMul", ["hr", "ff2"], ["d"], "down"),
        make("Add", ["n1", "d"], ["s2"], "skip2"),
        make("LayerNormalization", ["s2", "g2", "b2"], ["y"], "norm2"),
    ]
    tokens = helper.make_tensor_value_info("tokens", TensorProto.INT64, ["n", "t"])
    return _model("transformer", nodes, weights, {}, {"y": ["n", "t", width]}, extra=[tokens])


def branching(*, width: int = HIDDEN) -> onnx.ModelProto:
    """An If whose two branches hold the weights: x[n, 32] and flag[] to y[n, 32]."""
    weights = _weights({"up": (width, width), "down": (width, width)})
    branches = {}
    for name, weight in (("then_branch", weights[0]), ("else_branch", weights[1])):
        node = helper.make_node("MatMul", ["x", weight.name], [f"{name}.y"], f"{name}.fc")
        result = helper.make_tensor_value_info(f"{name}.y", TensorProto.FLOAT, ["n", width])
        branches[name] = helper.make_graph([node], name, [], [result], [weight])
    flag = helper.make_tensor_value_info("flag", TensorProto.BOOL, [])
    nodes = [helper.make_node("If", ["flag"], ["y"], "choose", **branches)]
    return _model("branching", nodes, [], {"x": ["n", width]}, {"y": ["n", width]}, extra=[flag])


FLOATS = {"mlp": mlp, "cnn": cnn, "transformer": transformer, "branching": branching}


def feeds(model: onnx.ModelProto, *, seed: int = 0, symbolic: int = 2) -> dict[str, Any]:
    """Inputs for one of these models; symbolic dimensions get ``symbolic`` elements."""
    generator = np.random.default_rng(seed)
    made: dict[str, Any] = {}
    for value in model.graph.input:
        shape = [dim.dim_value or symbolic for dim in value.type.tensor_type.shape.dim]
        if value.type.tensor_type.elem_type == TensorProto.FLOAT:
            made[value.name] = generator.standard_normal(shape, dtype=np.float32)
        elif value.type.tensor_type.elem_type == TensorProto.BOOL:
            made[value.name] = np.asarray(generator.integers(0, 2, shape), bool)
        else:
            made[value.name] = generator.integers(0, 64, shape)
    return made


def save(model: onnx.ModelProto, path: Path, *, external: str | None = None, each: bool = False) -> Path:
    """Write the model: one file, or its weights in ``external`` beside it, or (``each``) in a file each."""
    kept = onnx.ModelProto()
    kept.CopyFrom(model)  # onnx.save moves the weights out of what it is given
    if external is None and not each:
        onnx.save(kept, path)
    else:
        onnx.save(
            kept,
            path,
            save_as_external_data=True,
            all_tensors_to_one_file=not each,
            location=external,
            size_threshold=0,
            convert_attribute=True,  # what Constant nodes hold, too
        )
    return path


def files_of(directory: Path) -> dict[str, bytes]:
    """Every file below ``directory`` by its POSIX path in it."""
    found = (path for path in sorted(directory.rglob("*")) if path.is_file())
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in found}


def static(model: onnx.ModelProto, path: Path, *, qdq: bool, batches: int = 2, **options: Any) -> Path:
    """Static quantization with random calibration data; ``options`` as quantize_static takes them."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self._left = iter([feeds(model, seed=seed) for seed in range(batches)])

        def get_next(self) -> dict[str, Any]:
            return next(self._left, {})

    source = save(model, path.with_suffix(".float.onnx"))
    with _quiet():
        form = QuantFormat.QDQ if qdq else QuantFormat.QOperator
        quantize_static(source, path, Reader(), quant_format=form, **options)
    source.unlink()
    return path


def dynamic(model: onnx.ModelProto, path: Path, **options: Any) -> Path:
    """Dynamic quantization; ``options`` as quantize_dynamic takes them."""
    from onnxruntime.quantization import quantize_dynamic

    source = save(model, path.with_suffix(".float.onnx"))
    with _quiet():
        quantize_dynamic(source, path, **options)
    source.unlink()
    return path


def nbits(model: onnx.ModelProto, path: Path, *, bits: int = 4, qdq: bool = False, **options: Any) -> Path:
    """Weight-only quantization to MatMulNBits (or blockwise Q/DQ) and GatherBlockQuantized."""
    from onnxruntime.quantization import QuantFormat
    from onnxruntime.quantization.matmul_nbits_quantizer import (
        DefaultWeightOnlyQuantConfig,
        MatMulNBitsQuantizer,
    )

    form = QuantFormat.QDQ if qdq else QuantFormat.QOperator
    config = DefaultWeightOnlyQuantConfig(bits=bits, quant_format=form, **options)
    return _rewritten(MatMulNBitsQuantizer, model, path, algo_config=config)


def bnb4(model: onnx.ModelProto, path: Path, *, nf4: bool = True, block_size: int = 32) -> Path:
    """Non-uniform 4 bit: MatMulBnb4 with NF4 or FP4."""
    from onnxruntime.quantization.matmul_bnb4_quantizer import MatMulBnb4Quantizer

    kind = MatMulBnb4Quantizer.NF4 if nf4 else MatMulBnb4Quantizer.FP4
    return _rewritten(MatMulBnb4Quantizer, model, path, quant_type=kind, block_size=block_size)


def _rewritten(quantizer: Any, model: onnx.ModelProto, path: Path, **options: Any) -> Path:
    kept = onnx.ModelProto()
    kept.CopyFrom(model)
    with _quiet():
        worker = quantizer(kept, **options)
        worker.process()
    return save(worker.model.model, path)


@contextmanager
def _quiet() -> Iterator[None]:
    """The quantizers log what they recommend; here it is noise."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def _weights(shapes: dict[str, tuple[int, ...]]) -> list[TensorProto]:
    generator = np.random.default_rng(7)
    made = []
    for name, shape in shapes.items():
        spread = np.prod(shape[1:] if len(shape) == 4 else shape[:1]) ** -0.5
        made.append(numpy_helper.from_array((generator.standard_normal(shape) * spread).astype("f"), name))
    return made


def _model(
    name: str,
    nodes: list[onnx.NodeProto],
    weights: list[TensorProto],
    inputs: dict[str, list[int | str]],
    outputs: dict[str, list[int | str]],
    extra: list[onnx.ValueInfoProto] | None = None,
) -> onnx.ModelProto:
    def values(shapes: dict[str, list[int | str]]) -> list[onnx.ValueInfoProto]:
        return [helper.make_tensor_value_info(key, TensorProto.FLOAT, dims) for key, dims in shapes.items()]

    graph = helper.make_graph(nodes, name, [*values(inputs), *(extra or [])], values(outputs), weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
