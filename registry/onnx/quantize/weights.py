"""Quantizing without calibration data: dynamic, blocks of 4 and 8 bits, and tables of sixteen levels."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from registry.onnx.quantize.graphs import graphs
from registry.onnx.quantize.recipe import Recipe

if TYPE_CHECKING:
    import onnx

_FLOATS = frozenset((1, 10, 16))  # FLOAT, FLOAT16, BFLOAT16


def dynamic(model: onnx.ModelProto, recipe: Recipe, excluded: list[str]) -> onnx.ModelProto:
    """Weights in 8 bits, activations quantized at run time; subgraphs too."""
    from onnxruntime.quantization import QuantType
    from onnxruntime.quantization.onnx_quantizer import ONNXQuantizer
    from onnxruntime.quantization.quant_utils import QuantizationMode
    from onnxruntime.quantization.registry import IntegerOpsRegistry

    quantizer = ONNXQuantizer(
        model,
        recipe.per_channel,
        recipe.reduce_range,
        QuantizationMode.IntegerOps,
        False,
        QuantType.from_string(f"Q{_short(recipe.weight_type)}"),
        QuantType.QUInt8,
        None,
        [],
        excluded,
        sorted(IntegerOpsRegistry),
        {
            "MatMulConstBOnly": True,
            "EnableSubgraph": True,
            "WeightSymmetric": recipe.symmetric_weights,
        },
    )
    quantizer.quantize_model()
    return cast("onnx.ModelProto", quantizer.model.model)


def blocks(model: onnx.ModelProto, recipe: Recipe, excluded: list[str]) -> onnx.ModelProto:
    """Blocks of ``block_size`` weights with a scale each: MatMulNBits, or Q/DQ by blocks."""
    from onnxruntime.quantization import QuantFormat
    from onnxruntime.quantization.matmul_nbits_quantizer import (
        DefaultWeightOnlyQuantConfig,
        MatMulNBitsQuantizer,
    )

    config = DefaultWeightOnlyQuantConfig(
        block_size=recipe.block_size,
        is_symmetric=recipe.symmetric_weights,
        accuracy_level=recipe.accuracy_level or None,
        quant_format=QuantFormat.from_string(str(recipe.format)),
        op_types_to_quantize=("MatMul", "Gather") if recipe.embeddings else ("MatMul",),
        bits=recipe.bits,
    )
    kept = sorted({*excluded, *_unfit(model)})
    quantizer = MatMulNBitsQuantizer(model, bits=recipe.bits, nodes_to_exclude=kept, algo_config=config)
    quantizer.process()
    return cast("onnx.ModelProto", quantizer.model.model)


def tables(model: onnx.ModelProto, recipe: Recipe, excluded: list[str]) -> onnx.ModelProto:
    """Sixteen levels that are not evenly spaced, and a largest value to each block: MatMulBnb4."""
    from onnxruntime.quantization.matmul_bnb4_quantizer import MatMulBnb4Quantizer

    kind = MatMulBnb4Quantizer.NF4 if recipe.weight_type == "NF4" else MatMulBnb4Quantizer.FP4
    kept = sorted({*excluded, *_unfit(model)})
    quantizer = MatMulBnb4Quantizer(model, kind, recipe.block_size, nodes_to_exclude=kept)
    quantizer.process()
    return cast("onnx.ModelProto", quantizer.model.model)


def _unfit(model: onnx.ModelProto) -> set[str]:
    """Nodes whose constant these quantizers would take, and should not: integers, vectors, nothing."""
    found = set()
    held = {one.name: one for graph in graphs(model.graph) for one in graph.initializer}
    for graph in graphs(model.graph):
        for node in graph.node:
            at = {"MatMul": 1, "Gather": 0}.get(node.op_type)
            tensor = None if at is None or node.domain else held.get(node.input[at])
            if tensor is not None and (
                tensor.data_type not in _FLOATS or len(tensor.dims) < 2 or 0 in tensor.dims
            ):
                found.add(node.name)
    return found


def _short(kind: str | None) -> str:
    return {"INT8": "Int8", "UINT8": "UInt8"}[str(kind)]
