"""The weights that stayed float: what takes each, what it costs, and why it matters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from registry.onnx import elements
from registry.onnx.facts import Surveyed
from registry.onnx.ir import Node, Tensor
from registry.onnx.operands import name_of
from registry.onnx.operators import MICROSOFT, QUANTIZE, QUANTIZED
from registry.onnx.profile.origins import Origins
from registry.onnx.profile.sizes import stored_bytes
from registry.onnx.profile.values import KINDS, FloatWeight
from registry.onnx.scope import Scope
from registry.onnx.survey import Survey
from registry.onnx.wire import Span

# Inputs that ONNX Runtime's quantizers take as weights, and in which modes.
_ALL = "static, dynamic and weight-only quantization take it"
_BOTH = "static and dynamic quantization take it"
_QUANTIZABLE: Final[Mapping[tuple[str, str], tuple[tuple[int, ...], str]]] = {
    ("", "MatMul"): ((0, 1), _ALL),
    ("", "Gather"): ((0,), _ALL),
    ("", "Gemm"): ((0, 1), _BOTH),
    ("", "Conv"): ((1,), _BOTH),
    ("", "ConvTranspose"): ((1,), "static quantization takes it"),
    ("", "LSTM"): ((1, 2), "dynamic quantization takes it"),
    (MICROSOFT, "Attention"): ((1,), "dynamic quantization takes it"),
    (MICROSOFT, "EmbedLayerNormalization"): ((2, 3, 4), _BOTH),
    (MICROSOFT, "FusedConv"): ((1,), "quantize before the graph is optimised and it can be taken"),
    (MICROSOFT, "FusedMatMul"): ((0, 1), "quantize before the graph is optimised and it can be taken"),
    (MICROSOFT, "FusedGemm"): ((0, 1), "quantize before the graph is optimised and it can be taken"),
}
_KERNELLESS = {  # weights of operators that no quantized kernel of the CPU provider stands for
    ("", "GRU"): (1, 2),
    ("", "RNN"): (1, 2),
    ("", "Einsum"): (0, 1),
    (MICROSOFT, "MoE"): (2, 4, 6),
}
_BIASES = {("", "Conv"): 2, ("", "ConvTranspose"): 2, ("", "Gemm"): 2, (MICROSOFT, "FusedConv"): 2}
_BIAS_ALSO = {("", "LSTM"): 3, ("", "GRU"): 3, ("", "RNN"): 3, (MICROSOFT, "Attention"): 2}
_HOPS = 16  # operators followed back
_WHY = {
    "rounded-at-run-time": "Q/DQ stand around it, yet the file stores it in float: it is not smaller,"
    " and is rounded each time the model is loaded",
    "no-kernel": "ONNX Runtime's CPU provider has no quantized kernel for this operator",
    "bias": "a bias: small, and added in float or as int32",
    "parameter": "no weight of a product: normalisation, tables and constants stay float",
}


class _Use(NamedTuple):
    scope: Scope
    node: Node
    position: int

    @property
    def key(self) -> tuple[str, str]:
        return self.node.domain, self.node.op_type


def float_weights(found: Surveyed, total: int) -> tuple[FloatWeight, ...]:
    """The float weights of a model of ``total`` bytes, those that matter most first."""
    uses = _uses(found)
    made = [_described(found.survey, tensor, uses.get(tensor.span, []), total) for tensor in found.floats]
    return tuple(sorted(made, key=lambda one: (KINDS.index(one.kind), -one.bytes)))


def _uses(found: Surveyed) -> dict[Span, list[_Use]]:
    """What takes each constant, or what is computed from constants alone."""
    wanted = {tensor.span for tensor in found.floats}
    origins = Origins()
    uses: dict[Span, list[_Use]] = {}
    for scope, node in found.nodes:
        behind = [origins.of(scope.home(name)) for name in node.inputs]
        if all(behind) and (node.domain, node.op_type) not in QUANTIZE:
            continue  # folded: what takes its output counts
        for position, tensors in enumerate(behind):
            for span in {tensor.span for tensor in tensors} & wanted:
                uses.setdefault(span, []).append(_Use(scope, node, position))
    return uses


def _described(survey: Survey, tensor: Tensor, uses: list[_Use], total: int) -> FloatWeight:
    kind, use, why = _verdict(survey, tensor, uses)
    size = stored_bytes(tensor)
    return FloatWeight(
        name=tensor.name,
        type=elements.name(tensor.data_type),
        operator=name_of(use.node) if use else "",
        layer=use.node.name or next(filter(None, use.node.outputs), "") if use else "",
        elements=tensor.elements,
        bytes=size,
        share=size / total if total else 0.0,
        kind=kind,
        why=why,
    )


def _verdict(survey: Survey, tensor: Tensor, uses: list[_Use]) -> tuple[str, _Use | None, str]:
    """The kind that matters most among its uses, that use, and the reason."""
    first = uses[0] if uses else None
    if tensor.span in survey.tensors:
        return "rounded-at-run-time", first, _WHY["rounded-at-run-time"]
    judged = sorted((KINDS.index(kind), at, kind, why) for at, (kind, why) in enumerate(map(_kind, uses)))
    if not judged:
        return "parameter", None, "nothing takes it: it is dead weight"
    _, at, kind, why = judged[0]
    return kind, uses[at], why


def _kind(use: _Use) -> tuple[str, str]:
    positions, how = _QUANTIZABLE.get(use.key, ((), ""))
    if use.position in positions:
        return "quantizable", f"{how}; its operator computes in float"
    if use.position in _KERNELLESS.get(use.key, ()):
        return "no-kernel", _WHY["no-kernel"]
    if use.key in QUANTIZED and use.key not in QUANTIZE:
        return "parameter", "a quantized operator takes it beside its weights"
    if use.position in (_BIASES.get(use.key), _BIAS_ALSO.get(use.key)) or _is_added(use):
        return "bias", _WHY["bias"]
    return "parameter", _WHY["parameter"]


def _is_added(use: _Use) -> bool:
    """Whether the other side of an Add comes from a product."""
    if use.key != ("", "Add") or len(use.node.inputs) != 2:
        return False
    other = use.scope.home(use.node.inputs[1 - use.position])
    for _ in range(_HOPS):
        maker = other.scope.producer(other) if other else None
        if other is None or maker is None or not maker.inputs:
            return False
        if "MatMul" in maker.op_type or maker.op_type in ("Gemm", "Conv"):
            return True
        if maker.op_type not in ("Mul", "Cast", "DequantizeLinear", "QuantizeLinear", "Reshape", "Transpose"):
            return False
        other = other.scope.home(maker.inputs[0])
    return False
