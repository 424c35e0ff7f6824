"""Tampering that tries the readers: what two programs may take for two different models.

Every function takes an honest file and returns one that ONNX Runtime still loads, or raises NotApplicable.
"""

from __future__ import annotations

import numpy as np
from onnx import FunctionProto, TensorProto, ValueInfoProto, helper, numpy_helper

from support.lineage.graph_edits import Dice, candidates, checked, float_value, fresh
from support.lineage.surgery import NotApplicable, Surgery, loads, numbers, put_numbers

# An attribute that the operator takes and that changes what it does, for those that leave it out.
_ADDED = {
    "Gemm": {"alpha": 1.001},
    "Conv": {"dilations": [2, 2]},
    "QLinearConv": {"dilations": [2, 2]},
    "QGemm": {"alpha": 1.001},
    "LeakyRelu": {"alpha": 0.011},
    "LayerNormalization": {"epsilon": 1e-4},
    "Softmax": {"axis": 1},
    "MaxPool": {"dilations": [2, 2]},
    "LSTM": {"direction": "reverse"},
    "GRU": {"linear_before_reset": 1},
    "DynamicQuantizeLSTM": {"direction": "reverse"},
}


def attribute_added(data: bytes, rng: Dice) -> bytes:
    """An attribute that was left to its default gets another value."""
    for surgery, node in candidates(data, rng, lambda node: node.op_type in _ADDED):
        present = {attribute.name for attribute in node.attribute}
        added = {name: value for name, value in _ADDED[node.op_type].items() if name not in present}
        node.attribute.extend(helper.make_attribute(name, value) for name, value in added.items())
        if added and loads(changed := surgery.done()):
            return changed
    raise NotApplicable("no attribute is left to its default")


def weight_made_an_input(data: bytes, rng: Dice) -> bytes:
    """An initializer becomes the default of an input: whoever runs the model can give another."""
    surgery = Surgery(data)
    weights = surgery.weights()
    if not weights:
        raise NotApplicable("no quantized weight")
    tensor = weights[int(rng.integers(len(weights)))].integers
    if tensor.name not in {each.name for each in surgery.graph.initializer}:
        raise NotApplicable("it is in a subgraph")
    surgery.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    return checked(surgery)


def initializer_shadowed(data: bytes, rng: Dice) -> bytes:
    """A second initializer of the same name stands before the honest one: ONNX Runtime takes the first, and a
    reader that fills a table takes the last."""
    surgery = Surgery(data)
    weights = [weight for weight in surgery.weights() if weight.integers in surgery.graph.initializer]
    if not weights:
        raise NotApplicable("no quantized weight in the main graph")
    weight = weights[int(rng.integers(len(weights)))]
    copy = TensorProto()
    copy.CopyFrom(weight.integers)
    put_numbers(weight, numbers(weight)[::-1])
    evil = TensorProto()
    evil.CopyFrom(weight.integers)
    weight.integers.CopyFrom(copy)
    if evil == copy:
        raise NotApplicable("a weight that reads the same from behind")
    surgery.graph.initializer.insert(0, evil)
    return checked(surgery)


def output_added(data: bytes, rng: Dice) -> bytes:
    """A value of the inside becomes an output."""
    surgery = Surgery(data)
    name = float_value(surgery, rng)
    if name in {value.name for value in (*surgery.graph.output, *surgery.graph.input)}:
        raise NotApplicable("it is one already")
    value = ValueInfoProto(name=name)
    value.type.tensor_type.elem_type = TensorProto.FLOAT
    surgery.graph.output.append(value)
    return checked(surgery)


def input_changed(data: bytes, rng: Dice) -> bytes:
    """What the model is given is doubled on the way in."""
    surgery = Surgery(data)
    floats = [
        value.name for value in surgery.graph.input if value.type.tensor_type.elem_type == TensorProto.FLOAT
    ]
    if not floats:
        raise NotApplicable("no float input")
    source, name, two = floats[int(rng.integers(len(floats)))], fresh(rng), fresh(rng)
    for node in surgery.nodes():
        for place, each in enumerate(node.input):
            if each == source:
                node.input[place] = name
    surgery.graph.initializer.append(numpy_helper.from_array(np.float32(2), two))
    surgery.graph.node.insert(0, helper.make_node("Mul", [source, two], [name]))
    return checked(surgery)


def operator_shadowed(data: bytes, rng: Dice) -> bytes:
    """A function of the model takes the name of an operator that it uses, and does something else."""
    names = ("Relu", "Clip", "Softmax", "Sigmoid", "Tanh", "Erf", "Sqrt")
    for surgery, node in candidates(data, rng, lambda node: node.op_type in names):
        surgery.model.functions.append(_function(node.domain, node.op_type, list(node.input), surgery))
        if loads(changed := surgery.done()):
            return changed
    raise NotApplicable("no operator that can be shadowed")


def operator_in_a_function(data: bytes, rng: Dice) -> bytes:
    """An operator is replaced by a function of another domain with the same name."""
    names = ("Relu", "Clip", "Softmax", "Sigmoid", "Tanh", "Erf", "Sqrt")
    for surgery, node in candidates(data, rng, lambda node: node.op_type in names):
        surgery.model.functions.append(_function("ai.example", node.op_type, list(node.input), surgery))
        surgery.model.opset_import.append(helper.make_opsetid("ai.example", 1))
        node.domain = "ai.example"
        del node.attribute[:]
        if loads(changed := surgery.done()):
            return changed
    raise NotApplicable("no operator that can be moved")


def _function(domain: str, name: str, inputs: list[str], surgery: Surgery) -> FunctionProto:
    """Y = -X, under that name."""
    names = [f"x{place}" for place in range(len(inputs))]
    body = [helper.make_node("Neg", names[:1], ["y"])]
    opsets = [each for each in surgery.model.opset_import if each.domain == ""]
    return helper.make_function(domain, name, names, ["y"], body, opsets)
