"""Lineage: whether a quantized model is the quantization of that parent."""
