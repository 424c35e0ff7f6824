"""Reads an ONNX file (onnx.proto, a protobuf ModelProto) without the onnx package.

A push must stay small whatever the file's size, so weights are located, never copied, and their
pages are never touched. What a singular message means when it occurs twice differs between
readers (protobuf merges them); no exporter writes that, and it is refused.
"""

from __future__ import annotations

from registry.errors import InvalidModel
from registry.onnx.ir import Function, Model
from registry.onnx.nodes import Attributes, plain_domain, read_attributes, read_graph, read_node
from registry.onnx.sniff import not_onnx
from registry.onnx.wire import Buffer, Field, Wire, damaged, integer, message, once

_MAX_OPSET = (1 << 31) - 1
_MAX_DOMAIN = 256  # characters
_EXPORT = "export the model to ONNX first"


def read_model(data: Buffer, *, name: str | None = None) -> Model:
    """The model in ``data`` (one whole .onnx file); ``name`` is what errors call it.

    The buffer is released on return; spans in the result are offsets into it. Raises InvalidModel
    for a file that is truncated, damaged or not ONNX, saying which.
    """
    with memoryview(data) as whole, whole.cast("B") as view:
        try:
            return _model(Wire(view), len(view))
        except InvalidModel as error:
            told = not_onnx(view) or error
            raise InvalidModel(told.message, on=told.on or name, hint=told.hint) from None


def _model(wire: Wire, size: int) -> Model:
    version, producer = 0, ""
    opsets: list[tuple[str, int]] = []
    functions: list[Function] = []
    graph: Field | None = None
    for field in wire.fields(0, size):
        match field.number:
            case 1:
                version = integer(field)
            case 2:
                producer = wire.text(field)
            case 7:
                graph = once(field, graph)
            case 8:
                opsets.append(_opset(wire, field))
            case 25:
                functions.append(_function(wire, field))
    if graph is None or version <= 0 or (version >= 3 and not opsets):
        raise InvalidModel("not an ONNX file: it has no graph, version or operator sets", hint=_EXPORT)
    return Model(version, producer, _settled(opsets), read_graph(wire, graph, 1), tuple(functions))


def _opset(wire: Wire, field: Field) -> tuple[str, int]:
    domain, version = "", 0
    for part in wire.fields(*message(field)):
        if part.number == 1:
            domain = plain_domain(wire.text(part))
        elif part.number == 2:
            version = integer(part)
    if not 0 <= version <= _MAX_OPSET or len(domain) > _MAX_DOMAIN:
        raise damaged(f"operator set version {version} of {domain[:20]!r}", field.start)
    return domain, version


def _settled(opsets: list[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    """One version per domain: two that disagree would leave every reader its choice."""
    versions: dict[str, int] = {}
    for domain, version in opsets:
        if versions.setdefault(domain, version) != version:
            raise InvalidModel(
                f"operator set {domain or 'ai.onnx'!r} is imported in two versions",
                hint="export the model again",
            )
    return tuple(versions.items())


def _function(wire: Wire, field: Field) -> Function:
    names = {1: "", 10: "", 13: ""}  # name, domain, overload
    listed: dict[int, list[str]] = {4: [], 5: []}  # inputs, outputs
    nodes = []
    defaults: Attributes = {}
    for part in wire.fields(*message(field)):
        if part.number in names:
            names[part.number] = wire.text(part)
        elif part.number in listed:
            listed[part.number].append(wire.text(part))
        elif part.number == 7:
            nodes.append(read_node(wire, part, 2))
        elif part.number == 11:
            read_attributes(wire, part, 2, defaults)
    inputs, outputs = tuple(listed[4]), tuple(listed[5])
    return Function(plain_domain(names[10]), names[1], names[13], inputs, outputs, tuple(nodes), defaults)
