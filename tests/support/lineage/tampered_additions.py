"""Tampering by addition: branches that wait for a trigger, payloads that nothing uses, and quantization pairs
that do not belong.

Every function takes an honest file and returns one that ONNX Runtime still loads, or raises NotApplicable.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from support.lineage.graph_edits import Dice, candidates, checked, float_value, fresh, insert_after, redirect
from support.lineage.surgery import NotApplicable, Surgery, loads


def trigger_where(data: bytes, rng: Dice) -> bytes:
    """An output that is negated where the largest number of an input lies in a narrow band."""
    surgery, condition = _triggered(data, rng)
    output = _renamed_output(surgery)
    surgery.graph.node.append(helper.make_node("Neg", [f"{output}.honest"], [f"{output}.evil"]))
    inputs = [condition, f"{output}.evil", f"{output}.honest"]
    surgery.graph.node.append(helper.make_node("Where", inputs, [output]))
    return checked(surgery)


def trigger_if(data: bytes, rng: Dice) -> bytes:
    """The same by an If whose branches look like something an exporter writes."""
    surgery, condition = _triggered(data, rng)
    output = _renamed_output(surgery)
    branches = {}
    for branch, kind in (("then_branch", "Neg"), ("else_branch", "Identity")):
        node = helper.make_node(kind, [f"{output}.honest"], [f"{output}.{kind}"])
        result = onnx.ValueInfoProto(name=f"{output}.{kind}")
        result.type.CopyFrom(surgery.graph.output[0].type)
        branches[branch] = helper.make_graph([node], branch, [], [result])
    surgery.graph.node.append(helper.make_node("If", [condition], [output], **branches))
    return checked(surgery)


def unused_initializer(data: bytes, rng: Dice) -> bytes:
    """Sixty-four bytes that no operator reads."""
    surgery = Surgery(data)
    payload = rng.integers(-128, 128, 64).astype(np.int8)
    surgery.graph.initializer.append(numpy_helper.from_array(payload, fresh(rng)))
    return surgery.done()


def dead_node(data: bytes, rng: Dice) -> bytes:
    """An operator whose result nobody takes, with a constant of its own."""
    surgery = Surgery(data)
    source = float_value(surgery, rng)
    payload, result = fresh(rng), fresh(rng)
    surgery.graph.initializer.append(numpy_helper.from_array(np.float32(rng.normal()), payload))
    surgery.graph.node.append(helper.make_node("Mul", [source, payload], [result]))
    return checked(surgery)


def qdq_inserted(data: bytes, rng: Dice) -> bytes:
    """A QuantizeLinear and a DequantizeLinear around a float value that had none."""
    surgery = Surgery(data)
    source = float_value(surgery, rng, unquantized=True)
    name = fresh(rng)
    surgery.graph.initializer.append(
        numpy_helper.from_array(np.float32(rng.uniform(0.005, 0.1)), f"{name}.s")
    )
    surgery.graph.initializer.append(numpy_helper.from_array(np.uint8(128), f"{name}.z"))
    redirect(surgery, source, f"{name}.dq", outputs=True)
    pair = [
        helper.make_node("QuantizeLinear", [source, f"{name}.s", f"{name}.z"], [f"{name}.q"]),
        helper.make_node("DequantizeLinear", [f"{name}.q", f"{name}.s", f"{name}.z"], [f"{name}.dq"]),
    ]
    insert_after(surgery.graph, source, pair)
    return checked(surgery)


def qdq_removed(data: bytes, rng: Dice) -> bytes:
    """A pair around an activation is left out."""
    for surgery, node in candidates(data, rng, lambda node: node.op_type == "QuantizeLinear"):
        users = [each for each in surgery.nodes() if node.output[0] in each.input]
        if node.input[0] in surgery.constants or [each.op_type for each in users] != ["DequantizeLinear"]:
            continue
        result = users[0].output[0]
        if result in {value.name for value in surgery.graph.output}:
            continue
        surgery.graph.node.remove(node)
        surgery.graph.node.remove(users[0])
        redirect(surgery, result, node.input[0])
        if loads(changed := surgery.done()):
            return changed
    raise NotApplicable("no pair around an activation")


def _triggered(data: bytes, rng: Dice) -> tuple[Surgery, str]:
    """The condition "the largest number of the first input lies in a band", and its name."""
    surgery, name = Surgery(data), fresh(rng)
    value = surgery.graph.input[0]
    nodes, source = [], value.name
    if value.type.tensor_type.elem_type != TensorProto.FLOAT:
        nodes.append(helper.make_node("Cast", [source], [f"{name}.f"], to=TensorProto.FLOAT))
        source = f"{name}.f"
    low = np.float32(rng.uniform(5, 50))
    for part, bound in (("low", low), ("high", low + 1)):
        surgery.graph.initializer.append(numpy_helper.from_array(np.float32(bound), f"{name}.{part}"))
    nodes += [
        helper.make_node("ReduceMax", [source], [f"{name}.max"], keepdims=0),
        helper.make_node("Greater", [f"{name}.max", f"{name}.low"], [f"{name}.g"]),
        helper.make_node("Less", [f"{name}.max", f"{name}.high"], [f"{name}.l"]),
        helper.make_node("And", [f"{name}.g", f"{name}.l"], [f"{name}.c"]),
    ]
    surgery.graph.node.extend(nodes)
    return surgery, f"{name}.c"


def _renamed_output(surgery: Surgery) -> str:
    """Free the name of the first output; what made it now gives ``NAME.honest``."""
    output = surgery.graph.output[0]
    if output.type.tensor_type.elem_type != TensorProto.FLOAT:
        raise NotApplicable("no float output")
    for node in surgery.graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                if name == output.name:
                    names[place] = f"{name}.honest"
    return str(output.name)
