"""Tampering with the graph: nodes inserted, removed, rewired and edited.

Every function takes an honest file and returns one that ONNX Runtime still loads, or raises NotApplicable.
"""

from __future__ import annotations

import numpy as np
from onnx import AttributeProto, NodeProto, helper, numpy_helper

from support.lineage.graph_edits import (
    Dice,
    candidates,
    checked,
    float_value,
    fresh,
    insert_after,
    origin,
    owner,
    redirect,
    shapes,
    values_before,
)
from support.lineage.surgery import NotApplicable, Surgery, loads

NEARLY_ONE = np.float32(1 + 1e-6)
# What the file states twice, or what matters for empty shapes only: a change would not load, or mean nothing.
_MEANINGLESS = {
    *("accuracy_level", "to", "K", "N", "bits", "block_size", "quant_type", "opset"),
    *("noop_with_empty_axes", "allowzero"),
}
# Removing one of these leaves the shape as it was.
_SHAPELESS = {
    *("Relu", "Clip", "Sigmoid", "Tanh", "Softmax", "Erf", "LeakyRelu", "HardSigmoid", "HardSwish", "Sqrt"),
    *("LayerNormalization", "BatchNormalization", "Add", "Mul", "Sub", "Div", "Pow", "QLinearSigmoid"),
}


def mul_by_nearly_one(data: bytes, rng: Dice) -> bytes:
    """A Mul by 1.000001 behind some float value."""
    return _wrapped(data, rng, "Mul", NEARLY_ONE)


def add_zero(data: bytes, rng: Dice) -> bytes:
    """An Add of 0 behind some float value: no result changes."""
    return _wrapped(data, rng, "Add", np.float32(0))


def node_removed(data: bytes, rng: Dice) -> bytes:
    """One operator that keeps the shape is left out; what used its output takes its first input."""
    for surgery, node in candidates(data, rng, lambda node: node.op_type in _SHAPELESS):
        source = next((name for name in node.input if name and name not in surgery.constants), None)
        if source is None or node.output[0] in {value.name for value in surgery.graph.output}:
            continue
        owner(surgery, node).node.remove(node)
        redirect(surgery, node.output[0], source)
        if loads(changed := surgery.done()):
            return changed
    raise NotApplicable("no operator that can be left out")


def node_rewired(data: bytes, rng: Dice) -> bytes:
    """One input of one operator is taken from another value of the same shape."""
    known = shapes(data)
    for surgery, node in candidates(data, rng, lambda node: any(name in known for name in node.input)):
        graph = owner(surgery, node)
        before = values_before(graph, node, surgery)
        place = int(rng.choice([place for place, name in enumerate(node.input) if name in known]))
        now = node.input[place]
        others = [name for name in before if known.get(name) == known[now]]
        others = [name for name in others if origin(graph, name) != origin(graph, now)]
        if not others or node.op_type in ("Shape", "ConstantOfShape"):
            continue
        node.input[place] = others[int(rng.integers(len(others)))]
        if loads(changed := surgery.done()):
            return changed
    raise NotApplicable("no two values of one shape")


def inputs_exchanged(data: bytes, rng: Dice) -> bytes:
    """Two inputs of one operator change places (not of Add and Mul, where that means nothing)."""

    def suits(node: NodeProto) -> bool:
        return len(node.input) > 1 and node.op_type in ("Sub", "Div", "MatMul", "Where", "Concat")

    for surgery, node in candidates(data, rng, suits):
        one, other = (0, 1) if node.op_type != "Where" else (1, 2)
        if node.input[one] == node.input[other]:
            continue
        node.input[one], node.input[other] = node.input[other], node.input[one]
        if loads(changed := surgery.done()):
            return changed
    raise NotApplicable("no operator whose inputs can change places")


def attribute_changed(data: bytes, rng: Dice) -> bytes:
    """One attribute of one operator: a float by a thousandth, an integer or one of a list by one."""

    def suits(node: NodeProto) -> bool:
        return any(_editable(attribute) for attribute in node.attribute)

    for surgery, node in candidates(data, rng, suits):
        chosen = [attribute for attribute in node.attribute if _editable(attribute)]
        attribute = chosen[int(rng.integers(len(chosen)))]
        if attribute.type == AttributeProto.FLOAT:
            attribute.f = float(np.float32(attribute.f) * np.float32(1.001)) or 0.001
        elif attribute.type == AttributeProto.INT:
            attribute.i = _other(attribute.name, attribute.i, int(rng.choice((-1, 1))))
        else:
            attribute.ints[int(rng.integers(len(attribute.ints)))] += int(rng.choice((-1, 1)))
        if loads(changed := surgery.done()):
            return changed
    raise NotApplicable("no attribute that can be changed")


def _wrapped(data: bytes, rng: Dice, kind: str, value: np.float32) -> bytes:
    surgery = Surgery(data)
    source = float_value(surgery, rng)
    constant, result = fresh(rng), fresh(rng)
    surgery.graph.initializer.append(numpy_helper.from_array(value, constant))
    redirect(surgery, source, result, outputs=True)
    insert_after(surgery.graph, source, [helper.make_node(kind, [source, constant], [result])])
    return checked(surgery)


def _other(name: str, value: int, step: int) -> int:
    """Another value that also means something else."""
    if name.startswith(("trans", "keepdims", "do_")):
        return 1 - value
    if name == "axis":  # from 0 to -1 it may be the same axis
        return value + 1 if value >= 0 else value - 1
    return value + step


def _editable(attribute: AttributeProto) -> bool:
    if attribute.name in _MEANINGLESS:
        return False
    kinds = (AttributeProto.FLOAT, AttributeProto.INT, AttributeProto.INTS)
    return attribute.type in kinds and not (attribute.type == AttributeProto.INTS and not attribute.ints)
