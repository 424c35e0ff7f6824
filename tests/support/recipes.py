"""Recipes of every mode, calibration data for ``support.graphs``, and how close two models are."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

from registry.onnx.quantize import Calibration, Recipe, calibration_of
from support import graphs

# Each mode with its formats and methods; the least cosine that the graphs keep to their float answers.
MODES: dict[str, tuple[Recipe, float]] = {
    "static-qdq-minmax": (Recipe(), 0.999),
    "static-qdq-entropy": (Recipe(calibration="Entropy", bins=160), 0.99),
    "static-qdq-percentile": (Recipe(calibration="Percentile"), 0.999),
    "static-qdq-distribution": (Recipe(calibration="Distribution"), 0.999),
    "static-qdq-symmetric": (Recipe(symmetric_activations=True), 0.999),
    "static-qdq-asymmetric-weights": (Recipe(symmetric_weights=False), 0.999),
    "static-qdq-per-tensor": (Recipe(per_channel=False), 0.999),
    "static-qdq-reduced": (Recipe(reduce_range=True), 0.999),
    "static-qdq-optimized": (Recipe(optimize=True), 0.999),
    "static-qdq-16-bit-activations": (Recipe(activation_type="UINT16"), 0.999),
    "static-qdq-4-bit-weights": (Recipe(weight_type="INT4"), 0.98),
    "static-qoperator-minmax": (Recipe(format="QOperator"), 0.999),
    "static-qoperator-percentile": (Recipe(format="QOperator", calibration="Percentile"), 0.999),
    "dynamic-int8": (Recipe(mode="dynamic"), 0.999),
    "dynamic-uint8": (Recipe(mode="dynamic", symmetric_weights=False), 0.999),
    "dynamic-per-tensor": (Recipe(mode="dynamic", per_channel=False), 0.999),
    "nbits-int4": (Recipe(mode="weight-only"), 0.98),
    "nbits-uint4": (Recipe(mode="weight-only", symmetric_weights=False, accuracy_level=4), 0.98),
    "nbits-int8": (Recipe(mode="weight-only", weight_type="INT8"), 0.999),
    "nbits-uint8": (Recipe(mode="weight-only", weight_type="UINT8", block_size=16), 0.999),
    "nbits-qdq": (Recipe(mode="weight-only", format="QDQ"), 0.98),
    "nbits-embeddings": (Recipe(mode="weight-only", embeddings=True), 0.98),
    "bnb4-nf4": (Recipe(mode="weight-only", weight_type="NF4"), 0.98),
    "bnb4-fp4": (Recipe(mode="weight-only", weight_type="FP4"), 0.98),
}


def calibration(model: onnx.ModelProto, samples: int = 12) -> Calibration:
    """Random samples, a file each."""
    return calibration_of([graphs.feeds(model, seed=seed) for seed in range(samples)])


def answers(model: bytes, feeds: dict[str, Any]) -> list[Any]:
    """What ONNX Runtime's CPU provider makes of the feeds."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return list(session.run(None, feeds))


def cosine(one: list[Any], other: list[Any]) -> float:
    """Of all outputs as one vector."""
    first, second = (
        np.concatenate([np.ravel(value) for value in found]).astype("f8") for found in (one, other)
    )
    return float(first @ second / (np.linalg.norm(first) * np.linalg.norm(second)))
