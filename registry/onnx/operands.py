"""Finds a quantized node's values, the axis of its channels and the scale that comes after it."""

from __future__ import annotations

from registry.onnx.ir import Node, Tensor
from registry.onnx.operators import Operand, qualified
from registry.onnx.scope import Home, Scope


def input_of(scope: Scope, node: Node, position: int | None) -> Home | None:
    """The value at that input, where it comes from; None where the node has no such input."""
    if position is None or position >= len(node.inputs):
        return None
    return scope.home(node.inputs[position])


def output_of(scope: Scope, node: Node) -> Home | None:
    """The node's first output."""
    return Home(scope, node.outputs[0]) if node.outputs else None


def name_of(node: Node) -> str:
    """The operator's name with its domain."""
    return qualified((node.domain, node.op_type))


def channels(scope: Scope, node: Node, operand: Operand, weight: Tensor, scale: Tensor | None) -> int:
    """The axis of a weight's channels, where the operator itself decides it."""
    if node.op_type == "QGemm":
        return 0 if scope.integer(node, "transB", 0) else 1
    if node.op_type == "DynamicQuantizeLSTM" and scale is not None and scale.dims == weight.dims[:1]:
        return 0  # one scale per direction
    return operand.axis


def scale_after(scope: Scope, node: Node) -> Home | None:
    """The weight's scale behind an integer product: Cast, then Mul by it, or by it times the input's.

    Where both scales are constants, the one with more elements, since the input's has one; of two alike the
    last, since quantizers write the input's first.
    """
    name = node.outputs[0] if node.outputs else ""
    for user in scope.users(name):
        if user.op_type == "Cast" and user.outputs:
            name = user.outputs[0]
    found: list[Home] = []
    for user in scope.users(name):
        if user.op_type == "Mul":
            for other in map(scope.home, user.inputs):
                found.extend(_constant_factors(other))
    return max(reversed(found), key=_elements, default=None)


def _constant_factors(home: Home | None) -> list[Home]:
    if home is None or home.scope.constant(home) is not None:
        return [home] if home else []
    maker = home.scope.producer(home)
    if maker is None or maker.op_type != "Mul":
        return []
    factors = (home.scope.home(name) for name in maker.inputs)
    return [one for one in factors if one is not None and one.scope.constant(one) is not None]


def _elements(home: Home) -> int:
    constant = home.scope.constant(home)
    return constant.elements if constant is not None else 0
