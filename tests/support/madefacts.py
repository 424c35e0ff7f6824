"""Quantization facts of a model that is not there: one INT8 weight, symmetric, per channel."""

from __future__ import annotations

from registry.onnx.quantization import QuantizationFacts, QuantizedTensor

WEIGHT = QuantizedTensor(
    name="w",
    scope="",
    role="weight",
    operator="DequantizeLinear",
    type="INT8",
    bits=8,
    symmetric=True,
    granularity="per-channel",
    axis=0,
    block_size=None,
    shape=(4, 4),
    stored=True,
)
FACTS = QuantizationFacts(
    mode="static",
    format="QDQ",
    opsets=(("ai.onnx", 21),),
    operators=(("DequantizeLinear", 1),),
    quantized_weights=1,
    quantized_elements=16,
    float_weights=0,
    float_elements=0,
    tensors=(WEIGHT,),
)
