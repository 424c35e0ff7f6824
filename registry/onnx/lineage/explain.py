"""Every constant of the child against the parent's, then all of them against one recipe."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any, TypeAlias

from registry.errors import InvalidModel
from registry.onnx.arrays import array
from registry.onnx.ir import Tensor
from registry.onnx.lineage import rounding
from registry.onnx.lineage.agreement import agreed, one_rounding
from registry.onnx.lineage.biases import judge_bias, widened
from registry.onnx.lineage.floats import judge_float
from registry.onnx.lineage.judgement import Judgement
from registry.onnx.lineage.leaves import Activation, FloatLeaf, Pair, QuantLeaf
from registry.onnx.lineage.padding import padded_oddly
from registry.onnx.lineage.running import judge_running
from registry.onnx.lineage.tables import TABLES, judge_table
from registry.onnx.lineage.weights import FOLDED, judge_weight

if TYPE_CHECKING:
    import numpy as np

    from registry.onnx.lineage.fitting import Widen

    Array: TypeAlias = np.ndarray[Any, Any]

_WAYS = {way.name: way for way in rounding.ROUNDINGS}


def explain(pairs: Sequence[Pair], activations: Sequence[Activation] = ()) -> tuple[Judgement, ...]:
    """What can be said about each child constant, in the order of ``pairs``; then about constants that are
    quantized as the model runs, by the scales that ``activations`` have for them."""
    biases = _biases_by_scale(pairs)
    running = [judge_running(one) for one in activations if one.weight is not None and not one.dynamic]
    found = agreed([*(_judged(pair, biases) for pair in pairs), *running])

    def allowed(place: int, way: str) -> bool:
        if way not in _WAYS or place >= len(pairs):
            return False
        return _judged(pairs[place], biases, (_WAYS[way],)).rounding == way

    return one_rounding(found, allowed)


def _judged(
    pair: Pair, biases: dict[Tensor, list[Pair]], ways: Sequence[rounding.Rounding] = ()
) -> Judgement:
    leaf = pair.child
    try:
        expected = pair.parent_value()
        if isinstance(leaf, FloatLeaf):
            return judge_float(leaf, expected, exact=pair.exact)
        if leaf.role == "bias":
            return judge_bias(leaf, expected, ulps=0 if pair.exact else FOLDED)
        odd = padded_oddly(leaf)
        if odd:
            return Judgement(leaf.name, leaf.scope, "unexplained", odd, prod(leaf.shape))
        if leaf.kind in TABLES:
            return judge_table(leaf, expected)
        return judge_weight(leaf, expected, exact=pair.exact, widen=_widen(leaf, biases), ways=ways)
    except InvalidModel as error:
        count = prod(leaf.shape) if isinstance(leaf, QuantLeaf) else leaf.tensor.elements
        return Judgement(leaf.name, leaf.scope, "unexplained", f"cannot be read: {error.message}", count)


def _biases_by_scale(pairs: Sequence[Pair]) -> dict[Tensor, list[Pair]]:
    """Int32 biases by the scale of the weight beside them."""
    found: dict[Tensor, list[Pair]] = {}
    for pair in pairs:
        leaf = pair.child
        if isinstance(leaf, QuantLeaf) and leaf.role == "bias" and len(_factors(leaf)) == 2:
            found.setdefault(_factors(leaf)[1], []).append(pair)
    return found


def _factors(bias: QuantLeaf) -> tuple[Tensor, ...]:
    """The scales of input and weight: an operator that takes the bias itself multiplies them as it runs."""
    return bias.partners or bias.scales


def _widen(leaf: QuantLeaf, biases: dict[Tensor, list[Pair]]) -> tuple[Widen, ...]:
    """How ONNX Runtime may have enlarged this weight's scales for the biases beside it."""
    beside = biases.get(leaf.scales[0], []) if leaf.scales else []

    def widen(single: bool, scale: Array) -> Array:
        for pair in beside:
            bias = pair.child
            if isinstance(bias, QuantLeaf):
                given = array(bias.contents, _factors(bias)[0])
                scale = widened(scale, given, pair.parent_value(), single=single)
        return scale

    return (partial(widen, True), partial(widen, False)) if beside else ()
