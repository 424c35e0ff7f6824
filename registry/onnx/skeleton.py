"""A model without its weights: the same protobuf, its large tensors pointing at buffers in memory.

ONNX Runtime takes a model as ``bytes`` (which would be a second copy of everything) but external
data from buffers of ours. So large tensors are rewritten as external data whose "file" is the very
buffer they already lie in. Only ONNX Runtime's main graph reads such buffers (1.31: initializers
and Constant nodes); what a subgraph or function keeps outside is written back inline.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from registry.errors import InvalidModel
from registry.onnx import elements
from registry.onnx.external import locate
from registry.onnx.ir import Graph, Model, Tensor
from registry.onnx.splice import Edits, key, length_delimited, splice
from registry.onnx.wire import VARINT, Span, Wire, to_varint

SMALL = 1024  # bytes: below this, a tensor is cheaper in the skeleton than outside
SHAPE_LIKE = 1 << 16  # bytes: integers up to this stay inline, because shape inference reads them
LIMIT = (1 << 31) - 1  # bytes: what protobuf can parse

_INTEGERS = frozenset((elements.INT32, elements.INT64))
_KEPT = frozenset((1, 2, 8, 12))  # dims, data_type, name, doc_string
_RAW, _ENTRY, _LOCATION = 9, 13, 14  # raw_data, external_data, data_location


class Skeleton(NamedTuple):
    """``model`` is the protobuf; ``names`` gives, for each file it points at, the name it uses."""

    model: bytes
    names: Mapping[str, str]


def build_skeleton(model: Model, path: str, views: Mapping[str, memoryview]) -> Skeleton:
    """The skeleton of the model read from ``views[path]``.

    Raises InvalidModel for external data that is missing or out of range, and where more than
    2 GiB would have to stay inline; UnsafePath.
    """
    names: dict[str, str] = {}
    edits: Edits = {}
    sizes = {name: len(view) for name, view in views.items()}
    wire = Wire(views[path])
    outside = {tensor.span for tensor in _main(model.graph)}
    for tensor in model.tensors():
        home = _home(tensor, path, sizes)
        if home is None:
            continue
        file, span = home
        if tensor.span in outside and not _stays_inline(tensor, span.length):
            name = names.setdefault(file, f"registry-memory/{len(names)}")
            edits[tensor.span.offset] = _pointing(wire, tensor, name, span)
        elif tensor.external is not None:
            edits[tensor.span.offset] = _inline(wire, tensor, span.of(views[file]))
    if sum(map(len, edits.values())) > LIMIT:
        raise InvalidModel(
            "more than 2 GiB of weights inside subgraphs or functions",
            on=path,
            hint="keep large weights in the main graph",
        )
    return Skeleton(splice(wire, edits), names)


def _home(tensor: Tensor, path: str, sizes: Mapping[str, int]) -> tuple[str, Span] | None:
    """The file and the bytes that hold the tensor; None for what is stored as typed numbers."""
    if tensor.external is not None:
        file, offset, length = locate(tensor, tensor.external, path, sizes)
        return file, Span(offset, length)
    return None if tensor.raw is None else (path, tensor.raw)


def _main(graph: Graph) -> Iterator[Tensor]:
    yield from graph.initializers
    for node in graph.nodes:
        if node.op_type == "Constant" and not node.domain:
            held = node.attributes.get("value")
            if held is not None and held.t is not None:
                yield held.t


def _stays_inline(tensor: Tensor, length: int) -> bool:
    return length < (SHAPE_LIKE if tensor.data_type in _INTEGERS else SMALL)


def _pointing(wire: Wire, tensor: Tensor, name: str, span: Span) -> bytes:
    entries = (("location", name), ("offset", str(span.offset)), ("length", str(span.length)))
    told = b"".join(length_delimited(_ENTRY, _pair(*entry)) for entry in entries)
    return _head(wire, tensor) + told + key(_LOCATION, VARINT) + to_varint(1)


def _inline(wire: Wire, tensor: Tensor, data: memoryview) -> bytes:
    return _head(wire, tensor) + length_delimited(_RAW, data)


def _head(wire: Wire, tensor: Tensor) -> bytes:
    """The tensor's own fields but for its data."""
    start, length = tensor.span
    kept = []
    at = start
    for field in wire.fields(start, start + length):
        if field.number in _KEPT:
            kept.append(bytes(wire.view[at : field.end]))
        at = field.end
    return b"".join(kept)


def _pair(name: str, value: str) -> bytes:
    return length_delimited(1, name.encode()) + length_delimited(2, value.encode())
