"""A quantized tensor as measured ledgers have them: one convolution's weights."""

from __future__ import annotations

from registry.onnx.quantization import QuantizedTensor


def tensor(number: int) -> QuantizedTensor:
    """The weights of a layer: INT8, symmetric, per channel, ``[64, 64, 3, 3]``."""
    return QuantizedTensor(
        name=f"layer{number}.conv.weight_quantized",
        scope="",
        role="weight",
        operator="DequantizeLinear",
        type="INT8",
        bits=8,
        symmetric=True,
        granularity="per-channel",
        axis=0,
        block_size=None,
        shape=(64, 64, 3, 3),
        stored=True,
    )
