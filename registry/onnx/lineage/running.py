"""Float constants that a QuantizeLinear rounds as the model runs: their scales can be proven, too."""

from __future__ import annotations

from dataclasses import replace

from registry.errors import InvalidModel
from registry.onnx import elements
from registry.onnx.lineage.judgement import Judgement
from registry.onnx.lineage.leaves import Activation, FloatLeaf, QuantLeaf
from registry.onnx.lineage.weights import judge_weight


def judge_running(found: Activation) -> Judgement:
    """Scale and zero point of a constant against its own numbers; those are compared as a float's are."""
    weight = found.weight
    if weight is None or found.scale is None or found.contents is None:
        return Judgement(found.value, "", "unexplained", "a constant without a scale", 0)
    name, count = f"{weight.name} (as it runs)", weight.tensor.elements
    if found.kind not in elements.NUMBERS:
        return Judgement(name, weight.scope, "unexplained", f"numbers of type {found.kind}", count)
    try:
        judged = judge_weight(_leaf(found, weight), weight.value(), running=True)
    except InvalidModel as error:
        return Judgement(name, weight.scope, "unexplained", f"cannot be read: {error.message}", count)
    return replace(judged, name=name, rounding="")  # whichever way the runtime rounds


def _leaf(found: Activation, weight: FloatLeaf) -> QuantLeaf:
    assert found.scale is not None
    assert found.contents is not None
    shape = weight.tensor.dims
    axis = None if found.axis is None else found.axis % max(1, len(shape))
    return QuantLeaf(
        name=weight.name,
        scope=weight.scope,
        integers=weight.tensor,
        scales=(found.scale,),
        zero=found.zero,
        kind=found.kind,
        shape=shape,
        axis=axis if found.scale.elements > 1 else None,
        block_size=None,
        layout="plain",
        bits=elements.bits(elements.NUMBERS[found.kind]),
        operator=found.operator,
        role="weight",
        contents=found.contents,
    )
