"""Models in half precision: quantized where ONNX Runtime has kernels for the result, else refused by name."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from registry.errors import InvalidInput
from registry.onnx.quantize import Recipe, calibration_of, quantize
from support import graphs, recipes

PATH = "model.onnx"


def halved() -> onnx.ModelProto:
    """x[n, 16] to y[n, 8], of an operator set whose Q/DQ know no half precision."""
    model = graphs.mlp()
    for tensor in model.graph.initializer:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype("f2"), tensor.name))
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = TensorProto.FLOAT16
    model.opset_import[0].version, model.ir_version = 17, 8
    return model


@pytest.mark.parametrize(
    "recipe",
    [
        pytest.param(Recipe(), id="static"),
        pytest.param(Recipe(mode="weight-only", weight_type="INT8"), id="nbits"),
        pytest.param(Recipe(mode="weight-only", weight_type="NF4"), id="nf4"),
    ],
)
def test_half_precision_is_quantized_where_the_runtime_can(recipe: Recipe) -> None:
    data, feeds = halved().SerializeToString(), {"x": np.ones((2, 16), "f2")}
    noise = [{"x": np.random.default_rng(seed).standard_normal((4, 16)).astype("f2")} for seed in range(8)]
    child = quantize({PATH: data}, PATH, recipe, calibration_of([feeds, *noise]))
    assert recipes.cosine(recipes.answers(data, feeds), recipes.answers(child, feeds)) > 0.97


@pytest.mark.parametrize(
    "recipe",
    [Recipe(mode="dynamic"), Recipe(format="QOperator"), Recipe(calibration="Percentile")],
    ids=["dynamic", "qoperator", "percentile"],
)
def test_half_precision_is_refused_where_it_cannot(recipe: Recipe) -> None:
    data = {"x": np.ones((2, 16), "f2")}
    with pytest.raises(InvalidInput, match="half precision"):
        quantize({PATH: halved().SerializeToString()}, PATH, recipe, calibration_of([data]))
