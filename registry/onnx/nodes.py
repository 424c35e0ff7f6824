"""GraphProto, NodeProto and AttributeProto, which hold one another."""

from __future__ import annotations

from typing import TypeAlias

from registry.onnx.ir import Attribute, Graph, Node, SparseTensor, Tensor, Value
from registry.onnx.tensors import read_sparse, read_tensor
from registry.onnx.values import read_value
from registry.onnx.wire import (
    BYTES,
    FIXED32,
    MAX_DEPTH,
    Field,
    Span,
    Wire,
    damaged,
    integer,
    message,
    need,
    once,
)

Attributes: TypeAlias = dict[str, Attribute]


def plain_domain(domain: str) -> str:
    """The default domain has two spellings, "" and "ai.onnx"; the first stands for both."""
    return "" if domain == "ai.onnx" else domain


def read_graph(wire: Wire, field: Field, depth: int) -> Graph:
    """The GraphProto of a field that lies ``depth`` messages deep. Raises InvalidModel."""
    name = ""
    nodes: list[Node] = []
    initializers: list[Tensor] = []
    sparse: list[SparseTensor] = []
    inputs: list[Value] = []
    outputs: list[Value] = []
    for part in wire.fields(*message(field)):
        match part.number:
            case 1:
                nodes.append(read_node(wire, part, depth + 1))
            case 2:
                name = wire.text(part)
            case 5:
                initializers.append(read_tensor(wire, part))
            case 11:
                inputs.append(read_value(wire, part))
            case 12:
                outputs.append(read_value(wire, part))
            case 15:
                sparse.append(read_sparse(wire, part))
    return Graph(name, tuple(nodes), tuple(initializers), tuple(sparse), tuple(inputs), tuple(outputs))


def read_node(wire: Wire, field: Field, depth: int) -> Node:
    """The NodeProto of a field that lies ``depth`` messages deep. Raises InvalidModel."""
    inputs: list[str] = []
    outputs: list[str] = []
    names = {3: "", 4: "", 7: "", 8: ""}  # name, op_type, domain, overload
    attributes: Attributes = {}
    for part in wire.fields(*message(field)):
        number = part.number
        if number == 1:
            inputs.append(wire.text(part))
        elif number == 2:
            outputs.append(wire.text(part))
        elif number in names:
            names[number] = wire.text(part)
        elif number == 5:
            read_attributes(wire, part, depth + 1, attributes)
    domain = plain_domain(names[7])
    return Node(names[4], domain, names[8], names[3], tuple(inputs), tuple(outputs), attributes)


def read_attributes(wire: Wire, field: Field, depth: int, into: Attributes) -> None:
    """Add the AttributeProto of a field. Raises InvalidModel, also for a name given twice."""
    attribute = _attribute(wire, field, depth)
    if attribute.name in into:
        raise damaged(f"attribute {attribute.name!r} a second time", field.start)
    into[attribute.name] = attribute


def _attribute(wire: Wire, field: Field, depth: int) -> Attribute:
    if depth > MAX_DEPTH:
        raise damaged("nesting that is too deep", field.start)
    texts: dict[int, str] = {}
    numbers: dict[int, int] = {}
    single: dict[int, Field] = {}
    spans: dict[int, list[Span]] = {}
    tensors: list[Tensor] = []
    graphs: list[Graph] = []
    sparse: list[SparseTensor] = []
    for part in wire.fields(*message(field)):
        match part.number:
            case 1 | 21:
                texts[part.number] = wire.text(part)
            case 3 | 20:
                numbers[part.number] = integer(part)
            case 2 | 4:
                spans[part.number] = [_scalar(part)]
            case 5 | 6 | 22:
                single[part.number] = once(part, single.get(part.number))
            case 7 | 8 | 9:
                spans.setdefault(part.number, []).append(part.span)
            case 10:
                tensors.append(read_tensor(wire, part))
            case 11:
                graphs.append(read_graph(wire, part, depth + 1))
            case 23:
                sparse.append(read_sparse(wire, part))
    if 22 in single:
        sparse.append(read_sparse(wire, single[22]))
    return Attribute(
        name=texts.get(1, ""),
        type=numbers.get(20, 0),
        ref=texts.get(21, ""),
        i=numbers.get(3),
        f=spans[2][0] if 2 in spans else None,
        s=spans[4][0] if 4 in spans else None,
        t=read_tensor(wire, single[5]) if 5 in single else None,
        g=read_graph(wire, single[6], depth + 1) if 6 in single else None,
        floats=tuple(spans.get(7, ())),
        ints=tuple(spans.get(8, ())),
        strings=tuple(spans.get(9, ())),
        tensors=tuple(tensors),
        graphs=tuple(graphs),
        sparse=tuple(sparse),
    )


def _scalar(field: Field) -> Span:
    need(field, FIXED32 if field.number == 2 else BYTES)
    return field.span
